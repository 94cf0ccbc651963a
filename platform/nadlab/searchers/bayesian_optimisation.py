"""Bayesian optimisation: a Gaussian process on the paths of a cell, expected improvement (BO of Tables 1-3).

Gaussian-process BO as Snoek et al., Practical Bayesian Optimization, NeurIPS 2012, and the baseline of White et al.
2021 (BANANAS) run it: random starts, a process on the distances between cells, one query a step by an acquisition
function, candidates from edits of the best cells. As published: a Matérn 5/2 kernel and expected improvement (Snoek),
ten starts, the five best cells edited and about a thousand candidates (White).

Choices: the process reads path encodings (`path_encoding`), which are alike for isomorphic cells of NAS-Bench-101; one
length scale. It learns normal scores of the accuracies, not the accuracies, since a few untrainable cells at 10 % would
else set its scale. Scale, noise and amplitude are fitted anew by maximum likelihood every `refit` queries, not at each:
a fit costs n^3. The process is scikit-learn's, which MLflow brings along; BoTorch would add a chain of packages for
gradients that a search over discrete cells does not use.

Published after 400 queries of NAS-Bench-201: 94.13 and 73.27; on NAS-Bench-101 93.72 after 1,000, which a sample of
12,000 cells cannot confirm.
"""

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from nadlab.parameters.hyperparameters import at_least, between, tunable, tunable_among
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.neighbourhood import Neighbourhood
from nadlab.queries.path_encoding import path_encoding
from nadlab.queries.sampling import first_cells, some_unqueried
from nadlab.searchers.arch2vec import expected_improvement
from nadlab.semigan.ranks import normal_scores
from nadlab.spaces import Cells
from nadlab.spaces.cells import concatenate

if TYPE_CHECKING:
    from sklearn.gaussian_process import GaussianProcessRegressor

Floats = NDArray[np.float64]
LENGTH_SCALES, NOISES = (0.3, 100.0), (1e-4, 1.0)
"""bounds of the fit"""


@dataclass(frozen=True, slots=True)
class BayesianOptimisation:
    """Gaussian-process optimisation with expected improvement (Snoek et al., NeurIPS 2012; White et al., AAAI 2021)."""

    starts: int = field(default=10, metadata=tunable(2, 20))
    """random cells queried first; White et al."""
    parents: int = field(default=5, metadata=tunable(1, 20))
    """best cells whose neighbourhoods are candidates; White et al."""
    candidates: int = field(default=1000, metadata=tunable(50, 2000, log=True))
    """random candidates of a step; White et al."""
    refit: int = field(default=10, metadata=tunable(1, 20))
    """queries from one fit of the kernel to the next; ours"""
    smoothness: float = field(default=2.5, metadata=tunable_among(0.5, 1.5, 2.5))
    """nu of the Matérn kernel; Snoek et al."""
    length_scale: float = field(default=3.0, metadata=tunable(0.5, 20.0, log=True))
    """where its first fit starts, as a distance of path encodings; ours"""
    noise: float = field(default=0.1, metadata=tunable(1e-3, 0.5, log=True))
    """where the first fit of the noise starts, a variance of normal scores; ours"""

    def __post_init__(self) -> None:
        at_least(1, self, "starts", "parents", "candidates", "refit")
        between(0.1, 10, self, "smoothness")
        between(*LENGTH_SCALES, self, "length_scale")
        between(*NOISES, self, "noise")

    def __call__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        """Spend the whole budget."""
        # late: scikit-learn takes a second, in every process that imports the methods
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        space, neighbourhood = ledger.oracle.space, Neighbourhood(ledger, rng)
        ledger.query(first_cells(ledger, self.starts, rng))
        matern = Matern(self.length_scale, LENGTH_SCALES, nu=self.smoothness)
        kernel = ConstantKernel(1.0, (1e-2, 1e2)) * matern + WhiteKernel(self.noise, NOISES)
        while ledger.remaining:
            cells, scores = ledger.cells, normal_scores(ledger.accuracies)
            fit = (len(cells) - self.starts) % self.refit == 0
            process = _fitted(kernel, path_encoding(cells, space).astype(float), scores, fit=fit)
            kernel = process.kernel_
            candidates = self._candidates(ledger.best_cells(self.parents), neighbourhood)
            with threadpool_limits(1):
                mean, deviation = process.predict(path_encoding(candidates, space).astype(float), return_std=True)
            improvement = expected_improvement(mean, deviation, float(scores.max()))
            ledger.query(candidates[[int(np.argmax(improvement))]])

    def _candidates(self, parents: Cells, neighbourhood: Neighbourhood) -> Cells:
        ledger = neighbourhood.ledger
        near = concatenate([neighbourhood.of(parent) for parent in parents])
        found = concatenate([near[~ledger.known(near)], some_unqueried(ledger, self.candidates, neighbourhood.rng)])
        return found if len(found) else neighbourhood.child(parents[:1])


def _fitted(kernel: object, features: Floats, scores: Floats, *, fit: bool) -> "GaussianProcessRegressor":
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor

    process = GaussianProcessRegressor(kernel, optimizer="fmin_l_bfgs_b" if fit else None)
    with threadpool_limits(1), warnings.catch_warnings():
        # a parameter at its bound, or a likelihood that is flat there, is as good a kernel as any
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(features, scores)
    return process
