"""NSGA-II: an elitist genetic algorithm for several objectives.

Deb et al., A fast and elitist multiobjective genetic algorithm: NSGA-II, IEEE Transactions on Evolutionary Computation 6(2),
2002. Parents are chosen by binary tournaments on (rank, crowding distance); of parents and children together the best by
the same order are kept. Ranks are moocore's, dominance with constraints is the ledger's (`QueryLedger.objectives`).

Choices: a child is an unqueried neighbour of its parent (mutation); there is no crossover, since cells of different
graphs have no common positions to exchange. The paper's 100 to 500 individuals would spend the whole budget on random
cells, so that a population is 20 here. With a single objective it is an elitist evolution.
"""

from dataclasses import dataclass, field

import moocore
import numpy as np
from numpy.typing import NDArray

from nadlab.parameters.hyperparameters import at_least, tunable
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.neighbourhood import Neighbourhood
from nadlab.queries.sampling import first_cells


@dataclass(frozen=True, slots=True)
class NSGA2:
    """NSGA-II (Deb et al. 2002)."""

    population: int = field(default=20, metadata=tunable(4, 60))
    """individuals, the first of them random, and children of a generation; ours, for budgets of hundreds"""
    tournament: int = field(default=2, metadata=tunable(1, 8))
    """individuals drawn, of which the best is a parent; published"""

    def __post_init__(self) -> None:
        at_least(1, self, "population", "tournament")

    def __call__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        """Spend the whole budget."""
        neighbourhood = Neighbourhood(ledger, rng)
        ledger.query(first_cells(ledger, self.population, rng))
        alive = np.arange(len(ledger.queries))
        while ledger.remaining:
            order, cells = survivors(ledger.objectives[alive], self.population), ledger.cells
            alive = alive[order]  # best first: the least place wins a tournament
            for _ in range(min(self.population, ledger.remaining)):
                parent = alive[rng.integers(len(alive), size=self.tournament).min()]
                ledger.query(neighbourhood.child(cells[parent : parent + 1]))
            alive = np.concatenate([alive, np.arange(len(cells), len(ledger.queries))])


def survivors(objectives: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Return the rows of the best `count` of objectives (N, M) to be minimised, best first.

    A lower rank is better, then a larger crowding distance within the rank (the crowded-comparison operator, section III-B).
    """
    ranks = moocore.pareto_rank(objectives)
    distance = np.zeros(len(objectives))
    for rank in np.unique(ranks):
        distance[ranks == rank] = crowding_distance(objectives[ranks == rank])
    return np.lexsort((-distance, ranks))[:count]


def crowding_distance(objectives: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return half the perimeter of the box between the neighbours of each point of a front (N, M), shape (N,).

    Each objective is divided by its range in the front; its extreme points are infinitely far (section III-B).
    """
    found = np.zeros(len(objectives))
    for values in objectives.T:
        order = np.argsort(values, kind="stable")
        spread = values[order[-1]] - values[order[0]]
        found[order[[0, -1]]] = np.inf
        if spread > 0:
            found[order[1:-1]] += (values[order[2:]] - values[order[:-2]]) / spread
    return found
