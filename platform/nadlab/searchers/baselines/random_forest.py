"""A random forest in rounds: the plain predictor baseline, without a network, unlabelled cells or mutation.

Random cells first; then each round a forest (Breiman, Random Forests, Machine Learning 2001) is fitted to all queried
cells, and of a random sample of the cells that were not queried those with the best predictions are queried. Nothing of
it is published as a method, so every setting is ours; none was chosen by results.
"""

from dataclasses import dataclass, field

import numpy as np

from nadlab.parameters.hyperparameters import at_least, between, tunable
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.sampling import first_cells, query_first, some_unqueried
from nadlab.searchers.pre_nas import encoded


@dataclass(frozen=True, kw_only=True)
class RandomForest:
    """A random forest on one-hot choices, in rounds (no publication: the plain baseline of predictors)."""

    initial: int = field(default=20, metadata=tunable(5, 80))
    """random cells queried first; ours"""
    batch: int = field(default=10, metadata=tunable(1, 20))
    """cells of the best predictions queried a round; ours"""
    candidates: int = field(default=10_000, metadata=tunable(100, 50_000, log=True))
    """random unqueried cells of the benchmark among which the forest chooses a round; ours"""
    trees: int = field(default=100, metadata=tunable(20, 200))
    """trees of the forest; scikit-learn's default"""
    features: float = field(default=1 / 3, metadata=tunable(0.1, 1.0))
    """share of the features that a split looks at; Breiman's for regression"""

    def __post_init__(self) -> None:
        at_least(1, self, "initial", "batch", "candidates", "trees")
        between(0.01, 1, self, "features")

    def __call__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        """Spend the budget; raise UserError when the benchmark has too few cells."""
        # late: scikit-learn takes a second, in every process that imports the methods
        from sklearn.ensemble import RandomForestRegressor

        space = ledger.oracle.space
        ledger.query(first_cells(ledger, self.initial, rng))
        while ledger.remaining:
            seed = int(rng.integers(2**31))
            forest = RandomForestRegressor(self.trees, max_features=self.features, random_state=seed, n_jobs=1)
            forest.fit(encoded(ledger.cells, space), ledger.accuracies)
            candidates = some_unqueried(ledger, self.candidates, rng)
            if len(candidates):
                best = np.argsort(-forest.predict(encoded(candidates, space)), kind="stable")
                candidates = candidates[best[: self.batch]]
            query_first(ledger, candidates, self.batch, rng)
