"""Trials on logical GPUs: each sees its own device, devices are shared by fractions and never oversubscribed."""

import json
import os
import subprocess
import sys
import textwrap
from collections import Counter
from itertools import product
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from nadlab.cluster.resources import Resources, resources_per_trial, slots, trials_at_once
from nadlab.errors import UserError
from tests.conftest import TOY
from trainables.biarch2perf import BiArch2PerfTrainable

pytestmark = pytest.mark.services

ROOT = Path(__file__).parents[2]
FOUR = Resources(cpus=16, gpus_by_node=(4,))


def placed(
    folder: Path, gpus: str, trials: int, nodes: int, node: tuple[int, int], together: int
) -> list[dict[str, Any]]:
    """Run trials on nodes with so many CPUs and logical GPUs each; return where and when each ran.

    together: trials of which each waits for the others.
    """
    numbers = map(str, (trials, nodes, *node, together))
    command = [sys.executable, "tests/engine/logical_gpus.py", str(folder / "out"), gpus, *numbers]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "platform"), str(ROOT)])
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rows: list[dict[str, Any]] = json.loads(done.stdout.strip().splitlines()[-1])
    assert len(rows) == trials
    return rows


def device(row: dict[str, Any]) -> tuple[str, str]:
    return row["node"], row["devices"]


def most_at_once(rows: list[dict[str, Any]]) -> int:
    """Return the largest number of rows that overlap in time."""
    return max(len([row for row in rows if row["start"] <= moment["start"] < row["end"]]) for moment in rows)


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Ten trials of half a GPU each on four GPUs."""
    return placed(tmp_path_factory.mktemp("halves"), "0.5", 10, nodes=2, node=(4, 2), together=1)


def test_trial_of_half_a_gpu_sees_one_device(halves: list[dict[str, Any]]) -> None:
    assert {row["devices"] for row in halves} == {"0", "1"}


def test_no_device_ever_has_more_than_two_halves(halves: list[dict[str, Any]]) -> None:
    by_device = {key: [row for row in halves if device(row) == key] for key in map(device, halves)}
    assert max(map(most_at_once, by_device.values())) == 2


def test_trials_use_the_devices_of_both_nodes(halves: list[dict[str, Any]]) -> None:
    assert len(Counter(row["node"] for row in halves)) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("cpus", "gpus"), [(6, 4), (8, 3)])
def test_default_share_runs_as_many_trials_at_once_as_the_forecast_says(cpus: int, gpus: int, tmp_path: Path) -> None:
    forecast = trials_at_once(None, None, Resources(cpus, (gpus,)))
    rows = placed(tmp_path, "none", forecast, nodes=1, node=(cpus, gpus), together=forecast)
    assert most_at_once(rows) == forecast == cpus
    assert max(Counter(row["devices"] for row in rows).values()) == ceil(cpus / gpus)


def counted(amount: float) -> int:
    """Return a resource in Ray's units (src/ray/common/scheduling/fixed_point.h)."""
    return round(amount * 10_000)


def fitted(share: float, cpus: int, gpus: int) -> int:
    """Return how many trials Ray places: by its count of units, a fraction on the fullest device that has room for it."""
    trials, free = 0, [counted(1)] * gpus
    while trials < cpus:
        if share > 1:
            whole = [device for device, units in enumerate(free) if units == counted(1)][: int(share)]
            if len(whole) < share:
                break
            for device in whole:
                free[device] = 0
        else:
            room = [units for units in free if units >= counted(share)]
            if not room:
                break
            free[free.index(min(room))] -= counted(share)
        trials += 1
    return trials


def test_forecast_is_what_ray_places_for_all_numbers_up_to_16() -> None:
    shares = [None, *(1 / n for n in range(1, 17)), *map(float, range(2, 17)), 0.3, 0.7, 0.9999, 0.33333, 0.0001]
    for cpus, gpus, asked in product(range(1, 17), range(1, 17), shares):
        if asked is None or asked <= gpus:
            at_once = trials_at_once(None, asked, cluster := Resources(cpus, (gpus,)))
            assert fitted(resources_per_trial(at_once, asked, cluster)["gpu"], cpus, gpus) == at_once, (
                cpus,
                gpus,
                asked,
            )


@pytest.mark.slow
def test_ray_itself_places_the_default_shares() -> None:
    code = """
        import ray
        from nadlab.cluster.resources import Resources, resources_per_trial

        def group(bundle):
            return ray.util.placement_group([{key: amount for key, amount in bundle.items() if amount}])

        ray.init(address="local", num_cpus=17, num_gpus=17, include_dashboard=False, object_store_memory=80 * 2**20)
        for cpus in (6, 8, 11):  # a few: Ray takes its time, and the test before this one has them all
            for gpus in range(1, cpus):
                share = resources_per_trial(cpus, None, Resources(cpus, (gpus,)))
                rest = group({"CPU": 17 - cpus, "GPU": 17 - gpus})  # so that the node has what is tested
                assert rest.wait(30)
                trials = [group({"CPU": 1, "GPU": share["gpu"]}) for _ in range(cpus)]
                assert all(each.wait(30) for each in trials), (cpus, gpus, share)
                for each in [rest, *trials]:
                    ray.util.remove_placement_group(each)
        print("placed")
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT / "platform")}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["placed"], done.stderr[-2000:]


def test_trials_share_the_gpus_evenly_where_no_share_is_named() -> None:
    for trials, share in ((4, 1.0), (8, 0.5), (16, 0.25), (2, 1.0)):
        assert resources_per_trial(trials, None, FOUR) == {"cpu": 1.0, "gpu": share}


@pytest.mark.parametrize(
    ("gpus", "held"), [(None, 16), (0.0, 16), (0.25, 16), (0.3, 12), (0.5, 8), (0.75, 4), (1.0, 4), (2.0, 2), (3.0, 1)]
)
def test_a_fraction_counts_per_device(gpus: float | None, held: int) -> None:
    assert slots(gpus, FOUR) == held


@pytest.mark.parametrize(
    ("gpus", "words"),
    [
        *(
            (gpus, f"{gpus:g} GPUs cannot be assigned")
            for gpus in (-1.0, 1.5, 1e-5, -1e-9, float("nan"), float("inf"), -float("inf"))
        ),
        (5.0, "there are 4 GPUs on a node, too few"),
    ],
)
def test_share_that_no_cluster_can_give_is_one_sentence(gpus: float, words: str) -> None:
    with pytest.raises(UserError, match=words):
        slots(gpus, FOUR)
    if "too few" not in words:
        with pytest.raises(UserError, match=words):
            trials_at_once(100, gpus, FOUR)  # more than there are CPUs
        with pytest.raises(UserError, match=words):
            resources_per_trial(100, gpus, FOUR)


def test_share_is_at_least_what_ray_can_count_and_none_where_none_is_asked_for() -> None:
    assert resources_per_trial(10**9, None, FOUR) == {"cpu": 1.0, "gpu": 0.0001}
    assert resources_per_trial(4, 0.0, FOUR) == {"cpu": 1.0}
    assert resources_per_trial(4, 0.57, FOUR) == {"cpu": 1.0, "gpu": 0.57}


def test_trial_with_a_logical_gpu_runs_on_the_cpu_where_cuda_is_absent(
    data: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # as Ray sets it
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    settings = {"labels": 20, "final_k": 2, "epochs": 1, "width": 16, "unlabelled_per_epoch": 512, "generated": 200}
    trial = {"benchmark": TOY, "seed": 0, "settings": settings, "epochs_per_step": 1, "resume": None}
    trained = BiArch2PerfTrainable({"trial": trial})
    assert trained.train()["done"]
    assert trained.run.model.device.type == "cpu"
