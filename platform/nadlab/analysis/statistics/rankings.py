"""Several methods over several blocks, benchmarks or seeds: Friedman's test, Nemenyi's test, profiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare, studentized_range

from nadlab.analysis.statistics.comparisons import SIGNIFICANCE
from nadlab.analysis.statistics.intervals import Values


@dataclass(frozen=True)
class Ranking:
    """Mean ranks of k methods over N blocks, 1 the best."""

    ranks: Mapping[str, float]
    p_value: float
    """of Friedman's test; 1 where every block ties all methods"""
    critical_difference: float
    """Nemenyi: mean ranks that differ by more are significantly different at 5 %"""
    pairwise: pd.DataFrame
    """Nemenyi's p-value of every pair"""
    blocks: int

    @property
    def is_significant(self) -> bool:
        """Some methods differ at 5 %: the condition for Nemenyi's test."""
        return self.p_value < SIGNIFICANCE


def rank(scores: pd.DataFrame) -> Ranking | None:
    """Rank the columns (methods) of scores within every row (block), higher is better (Demsar 2006).

    Rows with a missing score are left out. None for fewer than three methods or two blocks, where the tests are undefined.
    """
    scores = scores.dropna()
    count, methods = scores.shape
    if methods < 3 or count < 2:
        return None
    from scikit_posthocs import posthoc_nemenyi_friedman  # late: seconds

    alike = bool((scores.nunique(axis=1) == 1).all())
    p_value = 1.0 if alike else float(friedmanchisquare(*(scores[name] for name in scores)).pvalue)
    quantile = float(studentized_range.ppf(1 - SIGNIFICANCE, methods, np.inf)) / sqrt(2)
    return Ranking(
        ranks={str(name): float(value) for name, value in scores.rank(axis=1, ascending=False).mean().items()},
        p_value=p_value,
        critical_difference=quantile * sqrt(methods * (methods + 1) / (6 * count)),
        pairwise=posthoc_nemenyi_friedman(scores),
        blocks=count,
    )


def performance_profile(strata: Sequence[Values], thresholds: Values) -> Values:
    """Return the share of runs above each threshold, averaged over benchmarks, (thresholds,) (Agarwal et al. 2021)."""
    return np.asarray(np.mean([(values[:, None] > thresholds).mean(axis=0) for values in strata], axis=0))
