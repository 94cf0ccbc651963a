"""Bootstrap intervals of means, interquartile means and paired differences; the generator is an argument."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap, trim_mean

Values = NDArray[np.float64]

CONFIDENCE = 0.95
RESAMPLES = 9_999
BAND_RESAMPLES = 999
"""for the bands in plots, where two digits suffice"""


@dataclass(frozen=True, slots=True)
class Interval:
    """A statistic over `n` seeds with the 95 % bootstrap interval; low and high are None when n < 2."""

    mean: float
    """a mean, or another statistic where named"""
    low: float | None
    high: float | None
    n: int


def interval_columns(prefix: str, interval: Interval | None, *fields: str) -> dict[str, float | None]:
    """Return fields of an interval as the columns `prefix` + field; None without an interval."""
    return {f"{prefix}{name}": getattr(interval, name, None) for name in fields}


def mean_interval(values: Values, rng: np.random.Generator) -> Interval:
    """Return the mean of values (n,) and its percentile bootstrap interval; n >= 1."""
    return stratified_interval([values], aggregate_mean, rng)


def iqm_interval(values: Values, rng: np.random.Generator) -> Interval:
    """Return the interquartile mean of values (n,) and its percentile bootstrap interval; n >= 1."""
    return stratified_interval([values], aggregate_iqm, rng)


def stratified_interval(strata: list[Values], statistic: Callable[..., Any], rng: np.random.Generator) -> Interval:
    """Return a statistic of several benchmarks' values, each (n,), with its stratified percentile bootstrap interval.

    Seeds are drawn within each benchmark, never across (Agarwal et al. 2021, section 4.1). `statistic` takes one array
    a benchmark and `axis`. The interval is absent where a benchmark has one seed.
    """
    n = min(map(len, strata))
    value = float(statistic(*strata, axis=-1))
    if n < 2:
        return Interval(value, None, None, n)
    found = bootstrap(
        tuple(strata), statistic, n_resamples=RESAMPLES, batch=1000, vectorized=True, confidence_level=CONFIDENCE,
        method="percentile", rng=rng,
    )  # fmt: skip
    return Interval(value, float(found.confidence_interval.low), float(found.confidence_interval.high), n)


def aggregate_mean(*strata: Values, axis: int = -1) -> Any:
    """Return the mean over benchmarks of the mean over seeds."""
    return np.mean([values.mean(axis=axis) for values in strata], axis=0)


def aggregate_iqm(*strata: Values, axis: int = -1) -> Any:
    """Return the mean of the middle half of all values, benchmarks taken together."""
    return trim_mean(np.concatenate(strata, axis=axis), 0.25, axis=axis)


def paired_difference(
    values: Mapping[int, float], reference: Mapping[int, float], rng: np.random.Generator
) -> Interval | None:
    """Return the mean of value - reference over the seeds that both have; None when they share none."""
    differences = paired(values, reference)
    return mean_interval(differences, rng) if len(differences) else None


def paired(values: Mapping[int, float], reference: Mapping[int, float]) -> Values:
    """Return value - reference of each seed that both have, in the order of the seeds."""
    return np.array([values[seed] - reference[seed] for seed in sorted(values.keys() & reference.keys())])


def band(curves: Values, rng: np.random.Generator) -> tuple[Values, Values]:
    """Return the lower and upper ends of the mean's interval at each point of curves (n, points); n >= 2.

    They are NaN where a curve is: before a search has an incumbent.
    """
    whole = np.asarray(~np.isnan(curves).any(axis=0))
    if not whole.all():
        low, high = np.full((2, len(whole)), np.nan)
        if whole.any():
            low[whole], high[whole] = band(curves[:, whole], rng)
        return low, high
    found = bootstrap(
        (curves,), np.mean, axis=0, n_resamples=BAND_RESAMPLES, batch=100, confidence_level=CONFIDENCE,
        method="percentile", rng=rng,
    )  # fmt: skip
    return np.asarray(found.confidence_interval.low), np.asarray(found.confidence_interval.high)
