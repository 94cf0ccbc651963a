"""A tau that is undefined is None in a history: the worst for pruners, left out by metrics."""

import math
from dataclasses import replace
from typing import Any

from nadlab.schedule.pruning import taus
from nadlab.study.folder import read_owner
from nadlab.tracking.content import trial_metrics
from tests.conftest import records_of


def test_pruner_sees_an_undefined_one_as_the_worst() -> None:
    found = taus([{"D": 1.0, "predictor_tau": None}, {"D": 1.0}, {"predictor_tau": 0.5}])
    assert (list(found), math.isnan(found[1]), found[3]) == ([1, 3], True, 0.5)


def test_metrics_leave_it_out(smoke_study: Any) -> None:
    one, *_ = records_of(smoke_study.out)
    without = [{**row, "predictor_tau": None} for row in one.history]
    owner = read_owner(smoke_study.out)
    assert owner
    assert "predictor/val_tau" not in {
        metric.key for metric in trial_metrics(replace(one, history=without, metrics={}), owner)
    }
