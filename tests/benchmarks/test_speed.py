"""How fast an archive of NAS-Bench-101's full size answers; `perf/benchmarks/tables.py` measures the official format too."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nadlab.benchmarks.archive import Archive, write_archive
from nadlab.benchmarks.tabular import open_benchmark
from nadlab.spaces import space
from perf.benchmarks.tables import OPEN

CELLS = 423_624


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("full") / "nasbench101.safetensors"
    arrays: dict[str, NDArray[Any]] = {"keys": np.sort(space("nasbench101").all_keys())}
    rng = np.random.default_rng(0)
    for split in ("train", "valid", "test"):
        arrays[f"cifar10/108/{split}/epochs"] = np.array([54, 108], np.int32)
        arrays[f"cifar10/108/{split}/accuracy"] = 100 * rng.random((CELLS, 3, 2), np.float32)
    answers = {"cifar10": {"108": {split: f"cifar10/108/{split}" for split in ("valid", "test")}}}
    write_archive(Archive("nasbench101", answers, {}, arrays), path)
    return path


def test_a_fresh_process_opens_it_and_answers_within_50_milliseconds(archive: Path) -> None:
    seconds = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", OPEN, archive], capture_output=True, text=True, check=True)
        seconds.append(float(done.stdout.split('"open_to_first_answer_s": ')[1].split(",")[0]))
    assert min(seconds) < 0.05


def test_a_million_look_ups_take_less_than_a_second(archive: Path) -> None:
    oracle = open_benchmark(archive, "cifar10", "nasbench101")
    keys = np.random.default_rng(1).choice(oracle.identities, 1_000_000)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        answers = oracle.accuracies(oracle.rows(keys), "test")
        seconds.append(time.perf_counter() - start)
    assert np.isfinite(answers).all()
    assert min(seconds) < 1
