"""REINFORCE: a policy of independent choices, moved towards cells that beat a moving average (RL of Tables 1-2).

The reinforcement-learning baseline of the benchmarks' own papers (Ying et al. 2019, Section 4.1; Dong and Yang 2020):
Williams, Simple Statistical Gradient-Following Algorithms, 1992, with a softmax for every choice of a cell and an
exponential moving average of the rewards as baseline. As published for NAS-Bench-201: one cell a step, Adam with a
learning rate of 0.01, momentum 0.9, accuracy in percent as reward, logits that start near zero. As published for
NAS-Bench-101: samples that cannot be queried are drawn again without an update.

Choices: known cells are drawn again too, since they are free here. After 2,048 samples without a new cell, the nearest
cell to the last valid sample is queried (`Neighbourhood.child`) and learned from as if it was sampled.

Published on NAS-Bench-201 after 400 queries: 94.13 and 72.92, no better than random search; on NAS-Bench-101 far behind
evolution. The first is checked in tests/searchers/test_rivals_on_tables.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from nadlab.parameters.hyperparameters import at_least, between, positive, tunable
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.neighbourhood import Neighbourhood
from nadlab.queries.sampling import draw, first_cells
from nadlab.searchers.models.choices import Choices, Ints, choices_of
from nadlab.spaces import Cells
from nadlab.spaces.cells import is_valid


@dataclass(frozen=True, slots=True)
class Reinforce:
    """REINFORCE (Williams 1992; as a baseline, Dong and Yang, ICLR 2020)."""

    learning_rate: float = field(default=0.01, metadata=tunable(1e-3, 1.0, log=True))
    """of Adam; Dong and Yang"""
    momentum: float = field(default=0.9, metadata=tunable(0.0, 0.99))
    """decay of the moving average of rewards, a step; Dong and Yang"""
    spread: float = 1e-3
    """standard deviation of the first logits; Dong and Yang"""
    samples: int = 2048
    """drawn in growing batches until one of them can be queried; after so many, a near cell is queried; ours"""

    def __post_init__(self) -> None:
        positive(self, "learning_rate")
        between(0, 0.9999, self, "momentum")
        at_least(0, self, "spread")
        at_least(1, self, "samples")

    def __call__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        """Spend the whole budget."""
        first_cells(ledger, 1, rng)  # refuses a pool that is too small
        choices = choices_of(ledger.oracle.space)
        neighbourhood = Neighbourhood(ledger, rng)
        shape = (len(choices.sizes), int(choices.sizes.max()))
        logits = torch.from_numpy(rng.normal(0, self.spread, shape))
        logits[torch.arange(shape[1]) >= torch.from_numpy(choices.sizes)[:, None]] = -torch.inf
        optimizer = torch.optim.Adam([logits], self.learning_rate)
        weighted, weight = 0.0, 0.0
        while ledger.remaining:
            probabilities = logits.softmax(dim=1)
            sequence, cell = self._sample(probabilities.numpy(), choices, neighbourhood)
            reward = float(ledger.query(cell)[0])
            weighted = self.momentum * weighted + (1 - self.momentum) * reward
            weight = self.momentum * weight + (1 - self.momentum)
            logits.grad = _loss_gradient(probabilities, sequence, reward - weighted / weight)
            optimizer.step()

    def _sample(
        self, probabilities: NDArray[np.float64], choices: Choices, neighbourhood: Neighbourhood
    ) -> tuple[Ints, Cells]:
        """Return the policy's first sample that can be queried and is unqueried."""
        ledger, rng = neighbourhood.ledger, neighbourhood.rng
        last: Cells | None = None
        thresholds = np.cumsum(probabilities, axis=1)
        # the last choice takes the rounding error
        thresholds[np.arange(thresholds.shape[1]) >= choices.sizes[:, None] - 1] = np.inf
        for count in batches(self.samples):
            sequences = (rng.random((count, len(choices.sizes), 1)) >= thresholds).sum(axis=2)
            cells = choices.decode(sequences)
            valid = is_valid(cells, ledger.oracle.space)
            cells, sequences = cells[valid], sequences[valid]
            new = np.flatnonzero(ledger.oracle.queryable(cells) & ~ledger.known(cells))
            if len(new):
                return sequences[new[0]], cells[new[:1]]
            last = cells[-1:] if len(cells) else last
        child = draw(ledger, 1, rng) if last is None else neighbourhood.child(last)
        return choices.encode(child)[0], child


def batches(samples: int, first: int = 32, growth: int = 16) -> Iterator[int]:
    """Yield sizes of batches that grow from `first` by a factor and are `samples` together."""
    while samples:
        yield min(first, samples)
        samples -= min(first, samples)
        first *= growth


def _loss_gradient(probabilities: Tensor, sequence: Ints, advantage: float) -> Tensor:
    """Return the gradient of -advantage log p(sequence) with respect to the logits."""
    chosen = F.one_hot(torch.from_numpy(sequence), probabilities.shape[1])
    return advantage * (probabilities - chosen)
