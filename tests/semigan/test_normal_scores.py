"""Normal scores of accuracies are van der Waerden's, ties alike."""

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from nadlab.semigan.ranks import normal_scores


@pytest.mark.parametrize("distinct", [1, 7, 1000], ids=["all alike", "many ties", "few ties"])
def test_scores_are_scipys_quantiles_of_its_average_ranks(distinct: int) -> None:
    accuracies = np.random.default_rng(0).integers(distinct, size=160) / 10
    expected = norm.ppf((rankdata(accuracies) - 0.5) / len(accuracies))
    np.testing.assert_array_equal(normal_scores(accuracies), expected)
