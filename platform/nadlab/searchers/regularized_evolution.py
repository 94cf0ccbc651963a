"""Regularized (aging) evolution: mutate the winner of a tournament, remove the oldest (RE of Tables 1-3).

Real et al., Regularized Evolution for Image Classifier Architecture Search, AAAI 2019, Algorithm 1. As published: the
tournament is drawn with replacement, a child is one mutation away, only age decides which cell is removed. Population and
tournament are those of the NAS-Bench-201 baselines (Dong and Yang 2020; 10 and 3 in their NATS-Bench scripts); the
NAS-Bench-101 baselines have 100 and 10 (Ying et al. 2019), which would leave no generations within 110 queries.

Choices: a child is always new (`Neighbourhood.child`), since an isomorphic cell is free here and would only age the
population.

On NAS-Bench-201, published: 94.27 (CIFAR-10) and 73.41 (CIFAR-100) after 400 queries; checked in
tests/searchers/test_rivals_on_tables.py. NAS-Bench-101's curve cannot be checked on a sample of 12,000 cells.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from nadlab.parameters.hyperparameters import at_least, tunable
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.neighbourhood import Neighbourhood
from nadlab.queries.sampling import first_cells
from nadlab.spaces import Cells


@dataclass(frozen=True, slots=True)
class RegularizedEvolution:
    """Regularized evolution (Real et al., AAAI 2019; sizes of NATS-Bench's scripts, Dong et al. 2021)."""

    population: int = field(default=10, metadata=tunable(2, 40))
    """cells alive, the first of them random; NATS-Bench's scripts"""
    tournament: int = field(default=3, metadata=tunable(1, 10))
    """tournament size: the best of so many cells of the population is mutated; NATS-Bench's scripts"""

    def __post_init__(self) -> None:
        at_least(1, self, "population", "tournament")

    def __call__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        """Spend the whole budget."""
        neighbourhood = Neighbourhood(ledger, rng)
        population: deque[tuple[Cells, float]] = deque(maxlen=self.population)
        for cell in first_cells(ledger, self.population, rng):
            population.append((cell, float(ledger.query(cell)[0])))
        while ledger.remaining:
            contestants = rng.integers(len(population), size=self.tournament).tolist()
            parent, _ = max((population[i] for i in contestants), key=lambda member: member[1])
            child = neighbourhood.child(parent)
            # a full deque drops its oldest member
            population.append((child, float(ledger.query(child)[0])))
