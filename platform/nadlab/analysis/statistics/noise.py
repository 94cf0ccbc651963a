"""Regret that noise alone leaves: that of an oracle that knows every cell's true mean, evaluated by single trainings.

An accuracy is y = mu + e with e ~ N(0, deviation^2). The prior of mu is estimated from all accuracies by nonparametric
maximum likelihood (Kiefer and Wolfowitz 1956) on a grid; each posterior draw of all mu is a world that is consistent
with the table. In each world the oracle queries the cells with the highest mu.
"""

import numpy as np
from numpy.typing import NDArray

REACH = 12
"""deviations below the best accuracy past which the oracle queries no cell"""
GRID_A_DEVIATION = 4
EM_STEPS = 500

Floats = NDArray[np.float64]


def oracle_regrets(y: Floats, deviation: float, queries: int, draws: int, rng: np.random.Generator) -> Floats:
    """Return the oracle's regret in each world, in the unit of y, (draws,): best accuracy less the best that it queries.

    y: one accuracy for each cell, (N,). deviation: of a single training around its cell's mean.
    """
    accuracies = y[y > y.max() - REACH * deviation]
    means, weights = posterior(accuracies, deviation)
    below = np.cumsum(weights, axis=1)
    regrets = np.empty(draws)
    for draw in range(draws):
        place = (rng.random(len(accuracies))[:, None] > below).sum(axis=1)
        mu = means[np.minimum(place, len(means) - 1)]
        queried = np.lexsort((rng.random(len(mu)), -mu))[:queries]
        regrets[draw] = accuracies.max() - accuracies[queried].max()
    return regrets


def posterior(y: Floats, deviation: float) -> tuple[Floats, Floats]:
    """Return a grid of means, (G,), and each cell's posterior weights on it, (N, G)."""
    step = deviation / GRID_A_DEVIATION
    grid = np.arange(y.min() - 3 * deviation, y.max() + 3 * deviation, step)
    likelihood = np.exp(-0.5 * ((y[:, None] - grid) / deviation) ** 2)
    prior = np.full(len(grid), 1 / len(grid))
    for _ in range(EM_STEPS):
        weights = likelihood * prior
        weights /= weights.sum(axis=1, keepdims=True)
        prior = weights.mean(axis=0)
    return grid, weights


def pooled_deviation(runs: Floats) -> float:
    """Return the deviation of single trainings around their cells' means, runs (N, R) with NaN where there is none."""
    known = (~np.isnan(runs)).sum(axis=1)
    several = known > 1
    variances = np.nanvar(runs[several], axis=1, ddof=1)
    return float(np.sqrt(np.average(variances, weights=known[several] - 1)))
