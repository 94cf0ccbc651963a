"""NAO: encode cells as points, ascend the predicted accuracy, decode (gradient descent of Tables 1-3).

Luo et al., Neural Architecture Optimization, NeurIPS 2018, Algorithm 1. As published: the encoder, predictor and decoder
are trained together for 1,000 epochs of batches of 100 on the queried cells alone (`encoder_decoder`), and the best
cells are improved by gradient steps (`latent_ascent`); the model goes on from round to round. The LSTM's sizes are
those of the authors' later code for NAS-Bench-101.

Published on NAS-Bench-101 only: 93.74 test accuracy after 1,000 queries, which a sample of 12,000 cells without test
accuracies cannot confirm. Its learning is checked in tests/searchers/test_rivals_on_tables.py.
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


@dataclass(frozen=True, slots=True)
class NAO:
    """NAO (Luo et al., NeurIPS 2018; its authors' later code for NAS-Bench-101)."""

    epochs: int = field(default=1000, metadata=tunable(50, 1000, log=True))
    """epochs of training a round; published"""
    layers: Layers = field(default_factory=Layers, metadata=INLINE)
    training: Training = field(default_factory=Training, metadata=INLINE)
    schedule: Schedule = field(default_factory=Schedule, metadata=INLINE)

    def __post_init__(self) -> None:
        at_least(1, self, "epochs")

    def __call__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        """Spend the whole budget."""

        def learn(model: EncoderDecoder, cells: Cells, scores: NDArray[np.float64], random: torch.Generator) -> Cells:
            targets = torch.from_numpy(scores).float()
            self.training.fit(model, sequences_of(cells, ledger.oracle.space), targets, self.epochs, random)
            return cells[np.argsort(-scores, kind="stable")]

        search(ledger, rng, self.schedule, self.layers, learn)
