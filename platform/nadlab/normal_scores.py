"""Accuracies as normal scores: a few untrainable cells at 10 % would else set the scale of every model."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri


def normal_scores(accuracies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard normal quantile of each accuracy's rank, ties alike."""
    # scipy.stats has a name for both steps, and takes a second to import before a trial's first epoch
    _, which, number = np.unique(accuracies, return_inverse=True, return_counts=True)
    ranks = np.cumsum(number) - (number - 1) / 2
    return np.asarray(ndtri((ranks[which] - 0.5) / len(accuracies)))
