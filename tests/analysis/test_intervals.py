"""Stratified bootstrap, interquartile mean and performance profile against rliable on the same scores.

rliable's metrics are called; its bootstrap and profiles, which its dependency arch keeps from being imported beside
pandas 3, are followed by hand.
"""

import numpy as np
import pytest
from rliable.metrics import aggregate_iqm as rliable_iqm
from rliable.metrics import aggregate_mean as rliable_mean

from nadlab.analysis.statistics.intervals import aggregate_iqm, aggregate_mean, iqm_interval, stratified_interval
from nadlab.analysis.statistics.rankings import performance_profile

LEVELS = np.array([0.0, 5.0, 9.0])
SCORES = np.random.default_rng(4).gamma(2.0, 1.0, (20, 3)) + LEVELS
"""20 seeds on 3 benchmarks"""
STRATA = list(SCORES.T)


@pytest.mark.parametrize(("ours", "reference"), [(aggregate_mean, rliable_mean), (aggregate_iqm, rliable_iqm)])
def test_aggregate_and_its_stratified_interval_are_rliables(ours, reference) -> None:  # type: ignore[no-untyped-def]
    found = stratified_interval(STRATA, ours, np.random.default_rng(0))
    assert found.mean == pytest.approx(reference(SCORES))
    rng = np.random.default_rng(1)
    # rliable's StratifiedBootstrap: a run is drawn anew for every cell of the matrix, within its benchmark
    drawn = [reference(SCORES[rng.integers(0, 20, SCORES.shape), np.arange(3)]) for _ in range(4000)]
    assert [found.low, found.high] == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.04)


def test_interval_of_several_benchmarks_leaves_out_what_lies_between_them() -> None:
    apart = stratified_interval(STRATA, aggregate_mean, np.random.default_rng(0))
    mixed = stratified_interval([SCORES.ravel()], aggregate_mean, np.random.default_rng(0))
    assert None not in (apart.low, apart.high, mixed.low, mixed.high)
    assert apart.high - apart.low < 0.5 * (mixed.high - mixed.low)  # type: ignore[operator]


def test_interquartile_mean_ignores_one_failed_run() -> None:
    values = np.array([1.0, 94.0, 94.1, 94.2, 94.2, 94.3, 94.3, 94.4])
    assert iqm_interval(values, np.random.default_rng(0)).mean == pytest.approx(94.2)


def test_profile_is_the_share_of_runs_above_each_threshold() -> None:
    thresholds = np.linspace(0, 14, 8)
    # rliable's run-score distribution: np.mean(scores > tau)
    assert performance_profile(STRATA, thresholds) == pytest.approx([np.mean(tau < SCORES) for tau in thresholds])
