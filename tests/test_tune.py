"""The engine: what a study of many trials costs before its first one."""

from collections.abc import Callable
from time import process_time
from typing import Any

from ray import tune
from ray.tune.search.variant_generator import generate_variants

from nadlab.tune import Uncopied


def cpu_seconds(function: Callable[[], Any]) -> float:
    start = process_time()
    function()
    return process_time() - start


def test_ten_times_the_trials_take_not_a_hundred_times_as_long_to_plan() -> None:
    def planned(number: int) -> list[Any]:
        requests = Uncopied({"id": str(each), "settings": {"alpha": 0.5}} for each in range(number))
        found = list(generate_variants({"config": {"trial": tune.grid_search(requests)}}))
        assert [spec["config"]["trial"] for _, spec in found] == requests
        return found

    few, many = cpu_seconds(lambda: planned(200)), cpu_seconds(lambda: planned(2000))
    assert many < 40 * few
