"""The engine: trials are planned one by one, so that ten times as many take ten times as long."""

from collections.abc import Iterator
from typing import Any

from ray.tune.search import Searcher

from nadlab.tune import InOrder


def test_a_trial_is_planned_when_its_turn_comes() -> None:
    planned = []

    def requests() -> Iterator[dict[str, Any]]:
        for number in range(3):
            planned.append(number)
            yield {"id": number}

    trials = InOrder(requests())
    assert trials.suggest("first") == {"trial": {"id": 0}}
    assert planned == [0]
    assert [trials.suggest("later"), trials.suggest("later")] == [{"trial": {"id": 1}}, {"trial": {"id": 2}}]
    assert trials.suggest("after the last") == Searcher.FINISHED
