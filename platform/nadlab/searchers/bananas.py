"""BANANAS: an ensemble of perceptrons on path encodings, independent Thompson sampling over mutations of the best.

White, Neiswanger and Savani, BANANAS: Bayesian Optimization with Neural Architectures for Neural Architecture Search,
AAAI 2021. As published, from the paper and its code: ten random cells, then ten queries a round; five networks of ten
layers of 20 units trained anew each round for 150 epochs by Adam (0.01) on the mean absolute error; path encodings
truncated to the shortest paths (3 operations in NAS-Bench-101, 40 features; 2 in NAS-Bench-201); up to 100 candidates
mutated from the best cells, of which the ten with the best independent draws from N(mean, spread) are queried.

Choices: a candidate is one or two changes away from one of the five best cells (the published code changes each edge
and operation with a probability that makes about one and a half), within the part of the space that can be queried
(`Neighbourhood`); accuracies are standardized; paths have at most half the operations of a space's longest path,
rounded up, which gives the published 3 and 2, and 2 in DARTS.

Published: ahead of regularized evolution and Gaussian-process BO on NAS-Bench-101 after 150 queries, by test errors that
a sample without test accuracies cannot confirm. On NAS-Bench-201 it is checked against random search in
tests/searchers/test_rivals_on_tables.py.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import torch

from nadlab.parameters.hyperparameters import INLINE, at_least, between, tunable
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.neighbourhood import Neighbourhood
from nadlab.queries.path_encoding import path_encoding, paths_of
from nadlab.queries.sampling import first_cells, unqueried
from nadlab.searchers.models.ensemble import Perceptrons
from nadlab.searchers.models.training import torch_generator
from nadlab.spaces import Cells
from nadlab.spaces.cells import concatenate


@dataclass(frozen=True, slots=True)
class BANANAS:
    """BANANAS (White, Neiswanger and Savani, AAAI 2021; the code of its authors)."""

    starts: int = field(default=10, metadata=tunable(2, 20))
    """random cells queried first; published"""
    batch: int = field(default=10, metadata=tunable(1, 20))
    """queries of a round; published"""
    candidates: int = field(default=100, metadata=tunable(20, 400, log=True))
    """new cells of a round among which the ensemble chooses; published"""
    parents: int = field(default=5, metadata=tunable(1, 20))
    """best cells that candidates are mutated from; ours"""
    second_change: float = field(default=0.5, metadata=tunable(0.0, 1.0))
    """probability that a candidate is two changes away from its parent instead of one; ours, from the published mutation rate"""
    longest_path: int | None = None
    """operations on the longest path that is encoded; None takes the published number of the space, 3 or 2"""
    perceptrons: Perceptrons = field(default_factory=Perceptrons, metadata=INLINE)

    def __post_init__(self) -> None:
        at_least(1, self, "starts", "batch", "candidates", "parents")
        between(0, 1, self, "second_change")
        if self.longest_path is not None:
            at_least(0, self, "longest_path")

    def __call__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        """Spend the whole budget."""
        space, neighbourhood = ledger.oracle.space, Neighbourhood(ledger, rng)
        generator = torch_generator(rng)
        longest = math.ceil(paths_of(space).longest / 2) if self.longest_path is None else self.longest_path
        ledger.query(first_cells(ledger, self.starts, rng))
        while ledger.remaining:
            cells, accuracies = ledger.cells, ledger.accuracies
            candidates = mutants(ledger.best_cells(self.parents), self.candidates, neighbourhood, self.second_change)
            features, new = (torch.from_numpy(path_encoding(c, space, longest)).float() for c in (cells, candidates))
            targets = torch.from_numpy((accuracies - accuracies.mean()) / (accuracies.std() + 1e-9)).float()
            predicted = self.perceptrons.fit(features, targets, generator).predict(new).numpy()
            drawn = rng.normal(predicted.mean(axis=0), predicted.std(axis=0))
            chosen = candidates[np.argsort(-drawn)[: min(self.batch, ledger.remaining)]]
            ledger.query(chosen)


def mutants(parents: Cells, count: int, neighbourhood: Neighbourhood, second_change: float = 0.5) -> Cells:
    """Return up to `count` distinct unqueried cells one or two changes away from the parents, at least one.

    second_change: the probability of two.

    The best parent comes first: the next ones are mutated only when its children are too few.
    """
    rng, ledger = neighbourhood.rng, neighbourhood.ledger
    found: list[Cells] = []
    for parent in parents:
        drawn = [neighbourhood.step(parent) for _ in range(count)]
        again = rng.random(count) < second_change
        found.append(
            concatenate([neighbourhood.step(cell) if twice else cell for cell, twice in zip(drawn, again, strict=True)])
        )
        # a step from the cell of a single edge may leave the benchmark
        fresh = unqueried(ledger, concatenate(found))
        fresh = fresh[ledger.oracle.queryable(fresh)]
        if len(fresh) >= count:
            break
    return fresh[:count] if len(fresh) else neighbourhood.child(parents[:1])
