"""Bootstrap intervals of means and of paired differences; the generator is an argument."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

CONFIDENCE = 0.95
RESAMPLES = 9_999
FEWEST_SEEDS = 6
"""With n pairs a two-sided sign-flip test cannot go below p = 2 / 2^n: under 6 pairs nothing is significant at 5 %."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over `n` seeds with the 95 % bootstrap interval; low and high are None when n < 2."""

    mean: float
    low: float | None
    high: float | None
    n: int

    @property
    def excludes_zero(self) -> bool:
        """The mean differs from zero at 95 %, and there are enough seeds for any method to say so."""
        if self.low is None or self.high is None or self.n < FEWEST_SEEDS:
            return False
        return self.low > 0 or self.high < 0


def mean_interval(values: NDArray[np.float64], rng: np.random.Generator) -> Interval:
    """Return the mean of values (n,) and its percentile bootstrap interval; n >= 1."""
    mean = float(values.mean())
    if len(values) < 2:
        return Interval(mean, None, None, len(values))
    low, high = band(values[:, None], rng)
    return Interval(mean, float(low[0]), float(high[0]), len(values))


def paired_difference(
    values: Mapping[int, float], reference: Mapping[int, float], rng: np.random.Generator
) -> Interval | None:
    """Return the mean of value - reference over the seeds that both have; None when they share none."""
    shared = sorted(values.keys() & reference.keys())
    if not shared:
        return None
    return mean_interval(np.array([values[seed] - reference[seed] for seed in shared]), rng)


def band(curves: NDArray[np.float64], rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lower and upper ends of the mean's interval at each point of curves (n, points); n >= 2."""
    found = bootstrap(
        (curves,), np.mean, axis=0, n_resamples=RESAMPLES, batch=500, confidence_level=CONFIDENCE,
        method="percentile", rng=rng,
    )  # fmt: skip
    return np.asarray(found.confidence_interval.low), np.asarray(found.confidence_interval.high)
