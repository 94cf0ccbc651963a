"""AG-Net (Lukasik, Jung and Keuper, ECCV 2022): a generator with a surrogate, retrained on the better cells.

As published (paper and its code): a generator of latent size 32, pretrained on unlabelled cells; 16 random cells;
then rounds in which generator and surrogate are trained together on all labelled cells, each cell drawn and its loss
scaled by 1 / (0.01 N + rank) (latent-space optimisation by weighted retraining, Tripp et al. 2020), on
0.1 reconstruction + 0.9 squared error of the surrogate, whose gradient reaches the generator; 30 epochs (15 on
NAS-Bench-101 and -301) of batches of 16, Adam at 1e-3 with beta_1 = 0.5; latents uniform in [-3, 3]^32 give 100 new cells, of which
the surrogate's best 16 are queried. The surrogate has four hidden layers.

Choices: the generator is `nadlab.searchers.models.cell_decoder` where AG-Net's adds node by node with message passing; the
surrogate reads its state after the last choice, where AG-Net's reads all scores; accuracies are standardised. Cells
that the benchmark lacks are left out and more are generated, up to `rounds` times `generated` (the code: 4,500 cells).

Measured after the pretraining (results/pretraining.md): valid are all of 5,000 cells on NAS-Bench-201 and DARTS, where
every choice is valid, and 98.8 % on NAS-Bench-101. The published 94.18 at 192 queries on NAS-Bench-101 is a test
accuracy, which a table without them cannot check.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nadlab.parameters.hyperparameters import at_least, between, positive, tunable
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.sampling import first_cells, generate_new, query_first
from nadlab.searchers.models.cell_decoder import DecoderPretraining, pretrained_decoder
from nadlab.searchers.models.choices import choices_of
from nadlab.searchers.models.graphs import sequences_of
from nadlab.searchers.models.training import descend, seeded, torch_generator
from nadlab.spaces import Cells, SearchSpace


def rank_weights(y: NDArray[np.float64], factor: float) -> Tensor:
    """Return 1 / (factor N + rank) of each accuracy, the best having rank 0, (N,)."""
    ranks = np.argsort(np.argsort(-y, kind="stable"), kind="stable")
    return torch.from_numpy(1 / (factor * len(y) + ranks)).float()


@dataclass(frozen=True, kw_only=True)
class AGNet:
    """AG-Net (Lukasik, Jung and Keuper, ECCV 2022; the code of its authors)."""

    pretraining: DecoderPretraining = field(default_factory=DecoderPretraining)
    latent: int = 32
    """width of a latent; published"""
    surrogate_layers: int = field(default=4, metadata=tunable(1, 6))
    """hidden layers of the surrogate; published"""
    initial: int = field(default=16, metadata=tunable(4, 40))
    """random cells queried first; published"""
    batch: int = field(default=16, metadata=tunable(2, 32))
    """cells queried a round, and labelled cells in a step of the optimizer; published"""
    candidates: int = field(default=100, metadata=tunable(20, 400, log=True))
    """new cells of a round among which the surrogate chooses; published"""
    epochs: int = field(default=30, metadata=tunable(5, 60, log=True))
    """epochs of training a round; published for NAS-Bench-201, on NAS-Bench-101 and -301 15"""
    learning_rate: float = field(default=1e-3, metadata=tunable(1e-4, 1e-2, log=True))
    """of Adam; published"""
    beta_1: float = 0.5
    """Adam's first decay rate; published"""
    alpha: float = field(default=0.9, metadata=tunable(0.1, 0.99))
    """weight of the surrogate's error; the rest is the reconstruction's; published"""
    weight_factor: float = field(default=0.01, metadata=tunable(1e-3, 1.0, log=True))
    """N times this is added to the rank that divides a cell's weight; published"""
    reach: float = field(default=3.0, metadata=tunable(0.5, 5.0))
    """latents of proposals are uniform in [-reach, reach]; published"""
    generated: int = 1000
    """cells generated at a time; ours"""
    rounds: int = 20
    """batches of `generated` cells after which fewer candidates must do; ours"""

    def __post_init__(self) -> None:
        counts = ("latent", "surrogate_layers", "initial", "batch", "candidates", "epochs", "generated", "rounds")
        at_least(1, self, *counts)
        positive(self, "learning_rate", "weight_factor")
        at_least(0, self, "reach")
        between(0, 1, self, "alpha")
        between(0, 0.9999, self, "beta_1")

    def __call__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        """Spend the budget; raise UserError when the benchmark has too few cells."""
        ledger.query(first_cells(ledger, self.initial, rng))
        model = GeneratorAndSurrogate(self, ledger.oracle.space, torch_generator(rng))
        while ledger.remaining:
            model.retrain(ledger.cells, ledger.accuracies)
            query_first(ledger, model.propose(ledger), self.batch, rng)


class GeneratorAndSurrogate:
    """The two networks, their optimizer and random numbers in one search."""

    def __init__(self, settings: AGNet, space: SearchSpace, random: torch.Generator) -> None:
        self.settings, self.space, self.random = settings, space, random
        self.decoder = pretrained_decoder(space, settings.latent, settings.pretraining)
        width = settings.pretraining.width
        with seeded(random):
            hidden = [part for _ in range(settings.surrogate_layers) for part in (nn.Linear(width, width), nn.ReLU())]
            # the decoder's last state to a standardised accuracy
            self.surrogate = nn.Sequential(*hidden, nn.Linear(width, 1), nn.Flatten(0))
        parameters = [*self.decoder.parameters(), *self.surrogate.parameters()]
        self.optimizer = torch.optim.Adam(
            parameters, settings.learning_rate, betas=(settings.beta_1, 0.999), foreach=True
        )

    def retrain(self, cells: Cells, y: NDArray[np.float64]) -> None:
        """Train both on all labelled cells, weighted by rank."""
        settings = self.settings
        sequences = sequences_of(cells, self.space)
        targets = torch.from_numpy((y - y.mean()) / (y.std() + 1e-6)).float()
        weights = rank_weights(y, settings.weight_factor)
        for _ in range(settings.epochs):
            drawn = torch.multinomial(weights, len(y), replacement=True, generator=self.random)
            for rows in drawn.split(settings.batch):
                latents = torch.randn(len(rows), settings.latent, generator=self.random)
                written = self.decoder.read(latents, sequences[rows])
                error = (self.surrogate(written.state) - targets[rows]) ** 2
                loss = (1 - settings.alpha) * -written.log_probability + settings.alpha * error
                descend(self.optimizer, (loss * weights[rows]).mean())

    def propose(self, ledger: QueryLedger) -> Cells:
        """Return new cells, those with the highest predictions first."""
        settings, choices = self.settings, choices_of(self.space)

        def generate() -> Cells:
            latents = settings.reach * (2 * torch.rand(settings.generated, settings.latent, generator=self.random) - 1)
            with torch.inference_mode():
                return choices.decode(self.decoder.draw(latents, self.random).sequences.numpy())

        found = generate_new(ledger, generate, settings.candidates, settings.rounds)[: settings.candidates]
        return found[np.argsort(-self.predict(found), kind="stable")]

    def predict(self, cells: Cells) -> NDArray[np.float64]:
        """Return the surrogate's standardised accuracies, (N,), under the mean latent."""
        sequences = sequences_of(cells, self.space)
        with torch.inference_mode():
            state = self.decoder.read(torch.zeros(len(cells), self.settings.latent), sequences).state
            return np.asarray(self.surrogate(state).double().numpy())
