"""PRE-NAS (Peng et al., GECCO 2022): evolution whose predictor selects the offspring to evaluate.

As published: a population of evaluated cells; representative selection of the parents; each parent has many offspring
that differ from it by one mutation (so that a predictor compares like with like); a predictor, trained on the
evaluated cells, ranks the offspring, and only the best are evaluated. The inheritance of weights between generations
has no meaning where a benchmark answers.

Choices: no code is public, and of arXiv 2204.12726 only the abstract could be read here, so the numbers are ours, and so is
the reading of representative selection: average-linkage clusters of the better half of the population, the best cell of each.
The predictor is a random forest on one-hot choices. Offspring that the benchmark lacks are skipped
(`nadlab.queries.neighbourhood.Neighbourhood`). Published: 94.38 and 73.24 at 500 queries on NAS-Bench-201.
"""

from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from nadlab.parameters.hyperparameters import at_least, between, tunable
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.neighbourhood import Neighbourhood
from nadlab.queries.sampling import first_cells, query_first
from nadlab.searchers.models.choices import choices_of, one_hot
from nadlab.spaces import Cells, SearchSpace
from nadlab.spaces.cells import concatenate

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PRENAS:
    """PRE-NAS (Peng et al., GECCO 2022); its settings are ours, as its code is not public."""

    initial: int = field(default=30, metadata=tunable(5, 80))
    """random cells queried first; ours"""
    parents: int = field(default=5, metadata=tunable(1, 20))
    """cells of a generation that have offspring; ours"""
    better: float = field(default=0.5, metadata=tunable(0.1, 1.0))
    """share of the population from whose clusters the parents come, the best cells; ours"""
    offspring: int = field(default=20, metadata=tunable(5, 60))
    """children of each parent that the predictor sees; ours"""
    batch: int = field(default=10, metadata=tunable(1, 20))
    """children evaluated a generation; ours"""
    trees: int = field(default=100, metadata=tunable(20, 200))
    """trees of the random forest; ours"""

    def __post_init__(self) -> None:
        at_least(1, self, "initial", "parents", "offspring", "batch", "trees")
        between(0, 1, self, "better")

    def __call__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        """Spend the budget; raise UserError when the benchmark has too few cells."""
        # late: scikit-learn takes a second, in every process that imports the methods
        from sklearn.ensemble import RandomForestRegressor

        space, neighbourhood = ledger.oracle.space, Neighbourhood(ledger, rng)
        ledger.query(first_cells(ledger, self.initial, rng))
        while ledger.remaining:
            cells, y = ledger.cells, ledger.accuracies
            features = encoded(cells, space)
            forest = RandomForestRegressor(self.trees, random_state=int(rng.integers(2**31))).fit(features, y)
            parents = representatives(features, y, self.parents, self.better)
            families = [islice(neighbourhood.around(cells[[parent]]), self.offspring) for parent in parents]
            children = [child for family in families for child in family]
            offspring = concatenate([cells[:0], *children])
            if children:
                offspring = offspring[np.argsort(-forest.predict(encoded(offspring, space)), kind="stable")]
            query_first(ledger, offspring, self.batch, rng)


def encoded(cells: Cells, space: SearchSpace) -> Floats:
    """Return the one-hot choices that make each cell, isomorphic cells alike, (N, F)."""
    choices = choices_of(space)
    return one_hot(choices.encode(space.canonical(cells)), choices.sizes)


def representatives(features: Floats, y: Floats, count: int, share: float = 0.5) -> list[int]:
    """Return the best row of each of `count` clusters of the better share, fewer where the cells are few."""
    from scipy.cluster.hierarchy import fcluster, linkage

    better = np.argsort(-y, kind="stable")[: max(1, int(share * len(y)))]
    if len(better) <= count:
        return [int(row) for row in better]
    clusters = fcluster(linkage(features[better], "average"), count, "maxclust")
    # `better` is in order of accuracy, so the first of a cluster is its best
    _, first = np.unique(clusters, return_index=True)
    return [int(row) for row in better[np.sort(first)]]
