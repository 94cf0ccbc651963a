"""Levels against one reference on the same seeds: tests, correction, effect size, power."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log2
from typing import Any

import numpy as np
from scipy.stats import rankdata

from nadlab.analysis.statistics.intervals import Interval, Values, mean_interval, paired, stratified_interval
from nadlab.analysis.statistics.paired_tests import equivalence, nonzero, signed_rank

SIGNIFICANCE = 0.05
POWER = 0.8
WILCOXON_EFFICIENCY = 0.864
"""least asymptotic efficiency of the signed-rank test against the t-test (Hodges and Lehmann 1956), on any data"""

Accuracies = Mapping[int, float]
"""seed -> accuracy in percent, or another metric"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One level against the reference on the seeds that both have."""

    difference: Interval
    """mean of level - reference, in the metric's unit"""
    p_value: float
    """exact signed-rank test, two-sided, corrected by Holm over all levels that are compared"""
    p_alone: float
    """the same without a correction"""
    p_equivalent: float | None
    """equivalence within the margin, corrected by Holm over all levels; None without a margin"""
    superiority: Interval
    """probability of improvement, Vargha and Delaney's A: the chance that a run of the level beats one of the reference,
    ties half"""
    spread: float | None
    """standard deviation of the differences, in the metric's unit; None for one pair"""
    nonzero: int
    """pairs that differ: what the test can learn from"""

    @property
    def is_significant(self) -> bool:
        """The difference is significant at 5 % after the correction."""
        return self.p_value < SIGNIFICANCE

    @property
    def is_equivalent(self) -> bool:
        """The mean difference is within the margin at 5 % after the correction."""
        return self.p_equivalent is not None and self.p_equivalent < SIGNIFICANCE


def compare(
    levels: Mapping[str, Accuracies],
    reference: Accuracies,
    rng: np.random.Generator,
    maximise: bool = True,
    margin: float | None = None,
) -> dict[str, Comparison]:
    """Compare every level that shares a seed with the reference; all of them are one family for Holm's correction.

    maximise: whether a run with the larger value is the better one. margin: the smallest difference of interest.

    A is the effect size because accuracies pile up at a table's optimum: it needs no normality and no spread, where
    Cohen's d divides by one that is often zero.
    """
    differences = {level: found for level, values in levels.items() if len(found := paired(values, reference))}
    alone = [signed_rank(found) for found in differences.values()]
    equal: Sequence[float | None] = [None] * len(alone)
    if alone and margin is not None:
        # nothing is called equivalent where no difference could have been significant
        least = fewest_seeds(len(alone))
        equal = holm([equivalence(d, margin) if nonzero(d) >= least else 1.0 for d in differences.values()])
    return {
        level: Comparison(
            mean_interval(found, rng),
            p_value,
            p_alone,
            p_equivalent,
            superiority([_values(levels[level], maximise)], [_values(reference, maximise)], rng),
            float(found.std(ddof=1)) if len(found) > 1 else None,
            nonzero(found),
        )
        for (level, found), p_value, p_alone, p_equivalent in zip(
            differences.items(), holm(alone), alone, equal, strict=True
        )
    }


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected by Holm's step-down procedure, in their order."""
    # statsmodels has it too, and collects all garbage of the process at every call: half a minute of a large report
    order = np.argsort(p_values, kind="stable")
    steps = np.array(p_values)[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return [float(value) for value in corrected]


def superiority(values: Sequence[Values], others: Sequence[Values], rng: np.random.Generator) -> Interval:
    """Return P(value > other) + P(value = other) / 2, averaged over benchmarks, with its interval.

    values, others: one array a benchmark, (n,) and (m,). As in Agarwal et al. 2021, section 4.3, the runs of both are drawn
    anew, each on its own.
    """
    return stratified_interval([*values, *others], _superiority, rng)


def _superiority(*strata: Values, axis: int = -1) -> Any:
    """Return the same of resamples, (..., n) and (..., m): the first half of the arrays are the values."""
    assert axis == -1, axis  # where scipy's bootstrap puts the runs
    half = len(strata) // 2
    return np.mean([_better(mine, theirs) for mine, theirs in zip(strata[:half], strata[half:], strict=True)], axis=0)


def _better(values: Values, others: Values) -> Any:
    """Return the share of pairs that the values win, by the Mann-Whitney U of their ranks: no pair is ever formed."""
    n, m = values.shape[-1], others.shape[-1]
    ranks = rankdata(np.concatenate([values, others], axis=-1), axis=-1)[..., :n]
    return (ranks.sum(axis=-1) - n * (n + 1) / 2) / (n * m)


def fewest_seeds(comparisons: int) -> int:
    """Return the least number of pairs that differ with which the signed-rank test can reach 5 % in Holm's first step.

    With n such pairs its two-sided p-value is 2 / 2^n at the least, with ties or without.
    """
    return 1 + floor(log2(2 * comparisons / SIGNIFICANCE))


def seeds_needed(spread: float, comparisons: int, difference: float) -> int:
    """Return the paired seeds that detect a difference with 80 % power at 5 % over all comparisons.

    spread: standard deviation of this pair's differences, in the unit of the difference. Computed for the t-test at Bonferroni's level, and enlarged by
    the signed-rank test's least efficiency, so it is conservative.
    """
    from statsmodels.stats.power import TTestPower  # late: a second

    least = fewest_seeds(comparisons)
    # so clear that the test's own least number decides: statsmodels can't compute the power of much larger effects
    if difference >= 3 * spread:
        return least
    pairs = TTestPower().solve_power(difference / spread, power=POWER, alpha=SIGNIFICANCE / comparisons)
    return max(least, ceil(float(np.squeeze(pairs)) / WILCOXON_EFFICIENCY))


def visible_difference(spread: float, comparisons: int, seeds: int) -> float | None:
    """Return the difference that so many seeds detect, as in `seeds_needed`; None below its least."""
    from statsmodels.stats.power import TTestPower  # late: a second

    pairs = seeds * WILCOXON_EFFICIENCY
    if seeds < fewest_seeds(comparisons) or pairs <= 2:
        return None
    effect = TTestPower().solve_power(nobs=pairs, power=POWER, alpha=SIGNIFICANCE / comparisons)
    return spread * float(np.squeeze(effect))


def _values(accuracies: Accuracies, maximise: bool) -> Values:
    """Return the values as scores, of which the larger one is better."""
    values = np.array(list(accuracies.values()))
    return values if maximise else -values
