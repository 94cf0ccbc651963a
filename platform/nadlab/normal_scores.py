"""Accuracies as normal scores: a few untrainable cells at 10 % would else set the scale of every model."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata


def normal_scores(accuracies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard normal quantile of each accuracy's rank, ties alike."""
    return np.asarray(norm.ppf((rankdata(accuracies) - 0.5) / len(accuracies)))
