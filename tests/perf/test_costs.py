"""The cost model: coefficients found again from runs that they made, and the slowest part setting the pace."""

import numpy as np
import pytest

from perf.scale.costs import PARTS, Load, cost, fit, limits, per_trial

MADE = {part: np.array([0.02, 0.004, 0.0001]) for part in PARTS}
LOADS = [Load(100, 4, 1.0, epochs, queries) for epochs, queries in ((1, 1), (10, 1), (1, 300), (60, 160))]


def test_fit_finds_the_coefficients_that_made_the_runs() -> None:
    found = fit(LOADS, [per_trial(load, MADE) for load in LOADS])
    for part in PARTS:
        np.testing.assert_allclose(found[part], MADE[part], rtol=1e-6)


def test_part_that_took_nothing_is_no_limit() -> None:
    found = fit(LOADS, [per_trial(load, MADE) | {"server_cpu": 0.0} for load in LOADS])
    assert "MLflow's server" not in limits(LOADS[0], found)


@pytest.mark.parametrize(("workers", "hours"), [(64, 10_000 * 60 / 64 / 3600), (10**6, 10_000 * 2 * 0.112 / 3600)])
def test_workers_set_the_pace_until_the_driver_does(workers: int, hours: float) -> None:
    load = Load(10_000, workers, 60.0, 60, 160)
    assert per_trial(load, MADE)["driver_cpu"] == pytest.approx(0.02 + 10 * 0.004 + 520 * 0.0001)
    found = cost(load, MADE)
    assert found.hours == pytest.approx(hours)
    assert found.first_limit == "driver"
    assert found.worker_hours == pytest.approx(10_000 / 60)
    assert found.workers_at_limit == pytest.approx(60 / (2 * 0.112))
