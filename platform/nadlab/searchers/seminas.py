"""SemiNAS: NAO with pseudo-labelled cells (Tables 1-3).

Luo et al., Semi-Supervised Neural Architecture Search, NeurIPS 2020, Algorithm 1. As published: the model is trained on
the queried cells for 1,000 epochs, predicts unlabelled cells, and is trained on both, the queried ones repeated until
they are as many; the best of both are improved (`latent_ascent`). The model goes on from round to round.

Choices: 1,000 unlabelled cells and 100 epochs on both, where the published code has 10,000 and 500: its 55,000 steps a
round are ten minutes of a core, these 2,000 are seconds. `SemiNAS(unlabelled=10_000, epochs=500)` is as published.

Published: 93.24 on NAS-Bench-101 (110 queries), 93.68 and 72.20 on NAS-Bench-201 (160), by the authors of SemiGAN-NAD.
A sample of 12,000 cells without test accuracies cannot confirm the first; on NAS-Bench-201 this one does better.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from nadlab.parameters.hyperparameters import INLINE, at_least, tunable
from nadlab.queries.ledger import QueryLedger
from nadlab.searchers.models.encoder_decoder import EncoderDecoder, Layers, Training
from nadlab.searchers.models.graphs import sequences_of
from nadlab.searchers.models.latent_ascent import Schedule, search
from nadlab.spaces import Cells
from nadlab.spaces.cells import concatenate


@dataclass(frozen=True, slots=True)
class SemiNAS:
    """SemiNAS (Luo et al., NeurIPS 2020; the code of its authors)."""

    pretraining_epochs: int = field(default=1000, metadata=tunable(50, 1000, log=True))
    """epochs on the queried cells a round; published"""
    unlabelled: int = field(default=1000, metadata=tunable(100, 2000, log=True))
    """cells that get a predicted label a round; ours, published 10,000"""
    epochs: int = field(default=100, metadata=tunable(10, 200, log=True))
    """epochs on queried and predicted cells a round; ours, published 500"""
    layers: Layers = field(default_factory=Layers, metadata=INLINE)
    training: Training = field(default_factory=Training, metadata=INLINE)
    schedule: Schedule = field(default_factory=Schedule, metadata=INLINE)

    def __post_init__(self) -> None:
        at_least(1, self, "pretraining_epochs", "unlabelled", "epochs")

    def __call__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        """Spend the whole budget."""
        space = ledger.oracle.space

        def learn(model: EncoderDecoder, cells: Cells, scores: NDArray[np.float64], random: torch.Generator) -> Cells:
            labelled, targets = sequences_of(cells, space), torch.from_numpy(scores).float()
            self.training.fit(model, labelled, targets, self.pretraining_epochs, random)
            others = space.canonical(space.sample(self.unlabelled, rng))
            others = others[~ledger.known(others)]
            unlabelled = sequences_of(others, space)
            with torch.no_grad():
                predicted = model.predict(model.encode(unlabelled))
            repeats = max(1, round(len(others) / len(cells)))
            both = torch.cat([labelled.repeat(repeats, 1), unlabelled])
            self.training.fit(model, both, torch.cat([targets.repeat(repeats), predicted]), self.epochs, random)
            values = np.concatenate([scores, predicted.numpy()])
            return concatenate([cells, others])[np.argsort(-values, kind="stable")]

        search(ledger, rng, self.schedule, self.layers, learn)
