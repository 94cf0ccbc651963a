"""Measured batches of evaluations take as long as their trainings side by side need."""

import numpy as np
import pytest

from nadlab.benchmarks.oracle import Oracle
from perf.faults.trainings import SleepingTrainings
from perf.scale.evaluations import SLEEPING, batch_seconds


@pytest.mark.usefixtures("two_cpus")
def test_two_workers_sleep_side_by_side() -> None:
    oracle: Oracle = SleepingTrainings(SLEEPING)
    cells = oracle.space.sample(6, np.random.default_rng(0))
    batch_seconds(oracle, cells[:2])
    assert 2 <= batch_seconds(oracle, cells[2:]) < 3.9
