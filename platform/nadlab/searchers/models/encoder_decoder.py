"""The encoder, predictor and decoder of NAO and SemiNAS: a cell as a sequence, a point that can be improved, a sequence.

Luo et al., Neural Architecture Optimization, NeurIPS 2018, in the form that SemiNAS (Luo et al., NeurIPS 2020) gives it
for NAS-Bench-101: a bidirectional LSTM of one layer and 64 units whose outputs are projected, added to the embedding
and put on the unit sphere; their mean, on the sphere too, is the cell; a residual perceptron (16 units) predicts the
accuracy; an LSTM with attention on the encoder's outputs writes the cell. Trained together on 0.8 squared error and 0.2
cross-entropy by Adam (0.001, weight decay 1e-4), gradients clipped at 5, dropout 0.1.

Shapes: B cells, L places of a sequence, H width, S symbols. Each place has symbols of its own, so that a place can
only be written with what it may hold; 0 is the decoder's start.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nadlab.parameters.hyperparameters import at_least, between, positive, tunable
from nadlab.searchers.models.choices import Ints
from nadlab.searchers.models.training import descend

HALF = 0.5**0.5
"""keeps the variance of a residual sum"""


@dataclass(frozen=True, slots=True)
class Layers:
    """Sizes of the three parts."""

    width: int = field(default=64, metadata=tunable(16, 128, log=True))
    """units of both LSTMs; published"""
    predictor_width: int = 16
    """hidden units of the predictor; published"""
    dropout: float = field(default=0.1, metadata=tunable(0.0, 0.5))
    """share of the embeddings and hidden units left out; published"""

    def __post_init__(self) -> None:
        at_least(1, self, "width", "predictor_width")
        between(0, 0.99, self, "dropout")


@dataclass(frozen=True, slots=True)
class Training:
    """How the three parts are trained together."""

    batch: int = 100
    """cells in a step of the optimizer; published"""
    learning_rate: float = field(default=1e-3, metadata=tunable(1e-4, 1e-2, log=True))
    """of Adam; published"""
    weight_decay: float = 1e-4
    """of Adam; published"""
    share: float = field(default=0.8, metadata=tunable(0.1, 0.95))
    """weight of the predictor's loss; the decoder's has the rest; published"""
    largest_gradient: float = 5.0
    """norm to which longer gradients are scaled; published"""

    def __post_init__(self) -> None:
        at_least(1, self, "batch")
        at_least(0, self, "weight_decay")
        between(0, 1, self, "share")
        positive(self, "learning_rate", "largest_gradient")

    def fit(
        self, model: "EncoderDecoder", sequences_BL: Tensor, targets_B: Tensor, epochs: int, random: torch.Generator
    ) -> None:
        """Train on sequences and standardized accuracies."""
        optimizer = torch.optim.Adam(
            model.parameters(), self.learning_rate, weight_decay=self.weight_decay, foreach=True
        )
        model.train()
        for _ in range(epochs):
            for rows in torch.randperm(len(targets_B), generator=random).split(self.batch):
                predicted, log_likelihood = model(sequences_BL[rows])
                loss = self.share * F.mse_loss(predicted, targets_B[rows]) - (1 - self.share) * log_likelihood
                descend(optimizer, loss, model, self.largest_gradient)
        model.eval()


class EncoderDecoder(nn.Module):
    """The three parts for sequences whose places have the given numbers of choices."""

    def __init__(self, sizes: Ints, layers: Layers | None = None) -> None:
        super().__init__()
        layers = layers or Layers()
        width, predictor_width, dropout = layers.width, layers.predictor_width, layers.dropout
        offsets, counts = (torch.from_numpy(part) for part in (1 + np.cumsum(sizes) - sizes, sizes))
        symbols = 1 + int(sizes.sum())
        places = torch.arange(symbols)
        allowed = (places >= offsets[:, None]) & (places < (offsets + counts)[:, None])
        self.register_buffer("offsets", offsets)
        self.register_buffer("allowed", allowed)
        self.read = nn.Embedding(symbols, width)
        self.encoder = nn.LSTM(width, width, batch_first=True, bidirectional=True)
        self.project = nn.Linear(2 * width, width)
        self.predictor = nn.Sequential(
            *(nn.Linear(width, predictor_width), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(predictor_width, width), nn.ReLU(), nn.Dropout(dropout)),
        )
        self.regressor = nn.Linear(width, 1)
        self.write = nn.Embedding(symbols, width)
        self.decoder = nn.LSTM(width, width, batch_first=True)
        self.attend = nn.Linear(width, width, bias=False)
        self.combine = nn.Linear(2 * width, width, bias=False)
        self.symbol = nn.Linear(width, symbols)
        self.dropout = nn.Dropout(dropout)

    def forward(self, sequences_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Return predictions (B,) and the mean log-likelihood of a symbol, given the earlier ones."""
        outputs_BLH = self.encode(sequences_BL)
        tokens = sequences_BL + self.get_buffer("offsets")
        earlier = F.pad(tokens[:, :-1], (1, 0))
        logits, _ = self._decode(earlier, self._start(outputs_BLH), outputs_BLH)
        logits = logits.masked_fill(~self.get_buffer("allowed"), -torch.inf)
        return self.predict(outputs_BLH), -F.cross_entropy(logits.flatten(0, 1), tokens.flatten())

    def encode(self, sequences_BL: Tensor) -> Tensor:
        """Return the encoder's outputs on the unit sphere, (B, L, H)."""
        embedded = self.dropout(self.read(sequences_BL + self.get_buffer("offsets")))
        return F.normalize(embedded + self.project(self.encoder(embedded)[0]), dim=2)

    def predict(self, outputs_BLH: Tensor) -> Tensor:
        """Return the predicted standardized accuracies, (B,)."""
        cell = _cell(outputs_BLH)
        predicted: Tensor = self.regressor(HALF * (cell + self.predictor(cell))).squeeze(1)
        return predicted

    def improve(self, sequences_BL: Tensor, step: float) -> Tensor:
        """Return the sequences decoded after one step of gradient ascent on the prediction, (B, L)."""
        outputs = self.encode(sequences_BL)
        (gradient,) = torch.autograd.grad(self.predict(outputs).sum(), outputs)
        with torch.no_grad():
            return self.decode(F.normalize(outputs + step * gradient, dim=2))

    def decode(self, outputs_BLH: Tensor) -> Tensor:
        """Return the most likely sequences, symbol by symbol, (B, L)."""
        token = torch.zeros(len(outputs_BLH), 1, dtype=torch.long)
        state = self._start(outputs_BLH)
        written: list[Tensor] = []
        for allowed in self.get_buffer("allowed"):
            logits, state = self._decode(token, state, outputs_BLH)
            token = logits.masked_fill(~allowed, -torch.inf).argmax(dim=2)
            written.append(token)
        return torch.cat(written, dim=1) - self.get_buffer("offsets")

    def _start(self, outputs_BLH: Tensor) -> tuple[Tensor, Tensor]:
        cell = _cell(outputs_BLH)[None].contiguous()
        return cell, cell

    def _decode(
        self, earlier_BL: Tensor, state: tuple[Tensor, Tensor], outputs_BLH: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the logits of the symbol after each one, (B, L, S), and the LSTM's state."""
        embedded = self.dropout(self.write(earlier_BL))
        hidden, state = self.decoder(embedded, state)
        hidden = HALF * (embedded + hidden)
        weights_BLL = (self.attend(hidden) @ outputs_BLH.transpose(1, 2)).softmax(dim=2)
        attended = torch.tanh(self.combine(torch.cat([weights_BLL @ outputs_BLH, hidden], dim=2)))
        return self.symbol(HALF * (hidden + attended)), state


def _cell(outputs_BLH: Tensor) -> Tensor:
    """Return the point of each cell, (B, H)."""
    return F.normalize(outputs_BLH.mean(dim=1), dim=1)
