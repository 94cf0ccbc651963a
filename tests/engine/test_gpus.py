"""Trials on logical GPUs: each sees its own device, devices are shared by fractions and never oversubscribed."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from nadlab.cluster.resources import Resources, resources_per_trial, slots, trials_at_once
from nadlab.errors import UserError
from tests.conftest import TOY
from trainables.biarch2perf import BiArch2PerfTrainable

pytestmark = pytest.mark.services

ROOT = Path(__file__).parents[2]
FOUR = Resources(cpus=16, gpus=4)


def placed(folder: Path, gpus: str, trials: int) -> list[dict[str, Any]]:
    """Run trials on two nodes with two logical GPUs each; return where and when each ran."""
    command = [sys.executable, "tests/engine/logical_gpus.py", str(folder / "out"), gpus, str(trials)]
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
    return placed(tmp_path_factory.mktemp("halves"), "0.5", 10)


def test_trial_of_half_a_gpu_sees_one_device(halves: list[dict[str, Any]]) -> None:
    assert {row["devices"] for row in halves} == {"0", "1"}


def test_no_device_ever_has_more_than_two_halves(halves: list[dict[str, Any]]) -> None:
    by_device = {key: [row for row in halves if device(row) == key] for key in map(device, halves)}
    assert max(map(most_at_once, by_device.values())) == 2


def test_trials_use_the_devices_of_both_nodes(halves: list[dict[str, Any]]) -> None:
    assert len(Counter(row["node"] for row in halves)) == 2


def test_default_shares_place_as_many_trials_as_the_forecast_says() -> None:
    for cpus in range(1, 17):
        for gpus in range(1, 17):
            cluster = Resources(cpus, gpus)
            asked = trials_at_once(None, None, cluster)
            share = resources_per_trial(asked, None, cluster)["gpu"]
            placed = 0
            free = [1.0] * gpus  # Ray never joins what is left of two devices
            while placed < asked and max(free) >= share - 1e-9:
                free[free.index(max(free))] -= share
                placed += 1
            assert placed == asked == cpus, (cpus, gpus, share)


def test_trials_share_the_gpus_evenly_where_no_share_is_named() -> None:
    for trials, share in ((4, 1.0), (8, 0.5), (16, 0.25), (2, 1.0)):
        assert resources_per_trial(trials, None, FOUR) == {"cpu": 1.0, "gpu": share}


@pytest.mark.parametrize(
    ("gpus", "held"), [(None, 16), (0.0, 16), (0.25, 16), (0.3, 12), (0.5, 8), (0.75, 4), (1.0, 4), (2.0, 2), (3.0, 1)]
)
def test_a_fraction_counts_per_device(gpus: float | None, held: int) -> None:
    assert slots(gpus, FOUR) == held


@pytest.mark.parametrize(
    ("gpus", "words"), [(-1.0, "can't have -1 GPUs"), (1.5, "can't have 1.5 GPUs"), (5.0, "there are 4 GPUs, too few")]
)
def test_share_that_no_cluster_can_give_is_one_sentence(gpus: float, words: str) -> None:
    with pytest.raises(UserError, match=words):
        slots(gpus, FOUR)


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
