"""The search that NAO and SemiNAS share: rounds of training on queried cells and ascent of the best in latent space.

The published code starts from 1,100 random cells, queries 300 new ones in each of 3 rounds and improves the 100 best;
here the same shares of the budget. In a round the best cells are moved up the predictor's gradient by one
step and decoded; the step grows from 1 to 100 until there are enough new cells.

Choices: a decoded cell that cannot be queried is replaced by one of its neighbourhood that can (`Neighbourhood`); when all
steps together bring too few, mutants of the best cells fill the round, and random cells where these are too few.
Accuracies enter as normal scores: the published code drops bad cells without counting their queries, and standardizes by
constants of NAS-Bench-101.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from nadlab.parameters.hyperparameters import at_least, between, positive, tunable
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.neighbourhood import WALK, Neighbourhood
from nadlab.queries.sampling import draw, first_cells
from nadlab.searchers.models.choices import choices_of
from nadlab.searchers.models.encoder_decoder import EncoderDecoder, Layers
from nadlab.searchers.models.training import seeded
from nadlab.semigan.ranks import normal_scores
from nadlab.spaces import Cells
from nadlab.spaces.cells import concatenate, is_valid


@dataclass(frozen=True, slots=True)
class Schedule:
    """How the budget is spent."""

    first: float = field(default=0.55, metadata=tunable(0.1, 0.8))
    """share of the budget that goes to random cells; published, as 1,100 of 2,000"""
    rounds: int = field(default=3, metadata=tunable(1, 8))
    """rounds of training that share the rest of the budget; published"""
    best: float = field(default=1 / 11, metadata=tunable(0.02, 0.5, log=True))
    """share of the cells learned from that are improved in a round, the best ones; published, as 100 of 1,100"""
    largest_step: int = 100
    """steps up the gradient after which mutants must do, in units of the predictor's gradient; ours"""

    def __post_init__(self) -> None:
        between(0, 1, self, "first", "best")
        positive(self, "best")
        at_least(1, self, "rounds", "largest_step")


Learn = Callable[[EncoderDecoder, Cells, NDArray[np.float64], torch.Generator], Cells]
"""Train a model on queried cells and their normal scores; return cells to improve, best first."""


def search(ledger: QueryLedger, rng: np.random.Generator, schedule: Schedule, layers: Layers, learn: Learn) -> None:
    """Spend the whole budget."""
    seed = int(rng.integers(2**31))
    random = torch.Generator().manual_seed(seed)
    with seeded(seed):
        # modules and dropout draw from the global generator alone
        model = EncoderDecoder(choices_of(ledger.oracle.space).sizes, layers)
        neighbourhood = Neighbourhood(ledger, rng)
        ledger.query(first_cells(ledger, max(1, round(schedule.first * ledger.budget)), rng))
        for left in range(schedule.rounds, 0, -1):
            count = -(-ledger.remaining // left)
            if not count:
                return
            seeds = learn(model, ledger.oracle.space.canonical(ledger.cells), normal_scores(ledger.accuracies), random)
            seeds = seeds[: math.ceil(schedule.best * len(seeds))]
            ledger.query(improved(model, seeds, count, neighbourhood, schedule.largest_step))


def improved(model: EncoderDecoder, seeds: Cells, count: int, neighbourhood: Neighbourhood, largest_step: int) -> Cells:
    """Return `count` distinct cells to query, from the seeds moved up the prediction."""
    space = neighbourhood.ledger.oracle.space
    choices = choices_of(space)
    sequences = torch.from_numpy(choices.encode(seeds))
    found: dict[int, Cells] = {}
    tried: set[int] = set()
    for step in range(1, largest_step + 1):
        decoded = choices.decode(model.improve(sequences, float(step)).numpy())
        decoded = decoded[is_valid(decoded, space)]
        for cell, key in zip(decoded, space.keys(decoded).tolist(), strict=True):
            if key not in tried:
                tried.add(key)
                _take(cell, neighbourhood, found)
            if len(found) == count:
                return concatenate(list(found.values()))
    fruitless = 0
    while len(found) < count and fruitless < WALK:
        before = len(found)
        _take(neighbourhood.child(seeds[[int(neighbourhood.rng.integers(len(seeds)))]]), neighbourhood, found)
        fruitless = 0 if len(found) > before else fruitless + 1
    parts = list(found.values())
    if missing := count - len(found):
        # few seeds have few children: as many random cells as asked for hold enough others
        drawn = draw(neighbourhood.ledger, count, neighbourhood.rng)
        parts.append(drawn[~np.isin(space.keys(drawn), list(found))][:missing])
    return concatenate(parts)


def _take(cell: Cells, neighbourhood: Neighbourhood, found: dict[int, Cells]) -> None:
    """Add a decoded cell, or its replacement from the neighbourhood, unless it was queried."""
    ledger = neighbourhood.ledger
    if not ledger.oracle.queryable(cell)[0]:
        cell = neighbourhood.child(cell)
    if not ledger.known(cell)[0]:
        found.setdefault(int(ledger.oracle.space.keys(cell)[0]), cell)
