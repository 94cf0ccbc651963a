"""Tests of paired differences: the exact signed-rank test, and equivalence within a margin."""

import numpy as np
from scipy.stats import rankdata, ttest_1samp, wilcoxon

from nadlab.analysis.statistics.intervals import Values

ROUNDING = 9
"""decimals to which differences are equal: 94.37 - 94.33 and 94.40 - 94.36 tie"""
MOST_EXACT = 300
"""non-zero differences up to which signs are enumerated; the normal approximation is as good beyond"""


def nonzero(differences: Values) -> int:
    """Return how many differences are not zero: a test of signs learns nothing from the others."""
    return int(np.count_nonzero(differences.round(ROUNDING)))


def signed_rank(differences: Values) -> float:
    """Return the two-sided p-value of the signed-rank test on paired differences (n,); 1 where all are zero.

    Zeros are dropped and ties share their mean rank (Wilcoxon 1945). The p-value is that of the permutation test: the
    statistic's distribution over all 2^n signs, given the ranks as they are (Pratt and Gibbons 1981), so that ties need no
    approximation.
    """
    left = differences.round(ROUNDING)
    left = left[left != 0]
    if not len(left):
        return 1.0
    if len(left) > MOST_EXACT:
        return float(wilcoxon(left, method="approx").pvalue)
    ranks = (2 * rankdata(np.abs(left))).astype(int)  # twice the mean ranks are whole
    chance = np.zeros(ranks.sum() + 1)  # of each sum of the ranks with a positive sign
    chance[0] = 1.0
    for rank in ranks:
        chance[rank:] = chance[rank:] + chance[:-rank]
        chance /= 2
    observed = int(ranks[left > 0].sum())
    least = min(observed, len(chance) - 1 - observed)
    return min(1.0, 2 * float(chance[: least + 1].sum()))


def equivalence(differences: Values, margin: float) -> float:
    """Return the p-value of two one-sided t-tests that the mean difference lies within -margin to +margin (Schuirmann 1987).

    differences: (n,). 1 where they have no spread: then nothing says how far another seed would be.
    """
    if len(differences) < 2 or not np.ptp(differences.round(ROUNDING)):
        return 1.0
    above = ttest_1samp(differences, -margin, alternative="greater").pvalue
    below = ttest_1samp(differences, margin, alternative="less").pvalue
    return float(max(above, below))
