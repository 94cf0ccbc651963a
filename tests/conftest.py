"""What several tests share: a small synthetic table, one Ray, one finished smoke study."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mlflow.tracking._tracking_service import utils
from sqlalchemy import Engine, event

from nadlab.benchmarks.registry import benchmark, data_folder
from nadlab.cache import cache_folder
from nadlab.cli.study import command
from nadlab.cluster.execution import ExecutionConfig
from nadlab.engine.runner import run_study
from nadlab.spaces import space
from nadlab.study.folder import StudyFolder, read_owner
from nadlab.study.records import Record
from nadlab.study.smoke import smoke
from nadlab.study.study import Study
from nadlab.tracking.store import default_store, open_client
from studies.ablate_alpha import STUDY
from tests.postgresql import server

TOY = "nasbench201/toy"

torch.set_num_threads(1)  # as in the trials
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job: what it starts would ignore Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


@event.listens_for(Engine, "connect")
def no_fsync(connection: Any, _record: object) -> None:
    """Let SQLite leave the flush to the system: processes are killed in these tests, the machine is not."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that uses Ray; a file that starts a browser or a server marks itself."""
    for item in items:
        if isinstance(item, pytest.Function) and "local_ray" in item.fixturenames:
            item.add_marker("services")


def own_cache(folder: Path) -> str:
    """Return a new cache folder, with what takes long to make linked from the machine's: its kernel and MLflow's tables."""
    cache = folder / "cache"
    cache.mkdir()
    for name in ("compiled", "mlflow"):
        kept = cache_folder() / name
        kept.mkdir(parents=True, exist_ok=True)
        (cache / name).symlink_to(kept)
    return str(cache)


def toy_table() -> str:
    """300 NAS-Bench-201 classes whose accuracy grows with their convolutions; shorter trainings are noisier."""
    nasbench201 = space("nasbench201")
    cells = nasbench201.enumerate()
    rng = np.random.default_rng(0)
    _, first = np.unique(nasbench201.keys(cells), return_index=True)
    lines = ["arch_str,toy_valid_12,toy_test_12,toy_valid_4,toy_test_4"]
    short = np.random.default_rng(1)
    for row in rng.permutation(first)[:300]:
        convolutions = int(np.isin(cells.operations[row], (3, 4)).sum())
        valid, test = 40 + 8 * convolutions + rng.uniform(0, 5, 2)
        numbers = [valid, test, *(np.array([valid, test]) - short.uniform(0, 20, 2))]
        texts = ",".join(f"{number:.2f}" for number in numbers)
        lines.append(f"{nasbench201.format(cells[int(row) : int(row) + 1])},{texts}")
    return "\n".join(lines) + "\n"


def toy_101_table() -> str:
    """300 NAS-Bench-101 cells whose accuracy grows with their 3x3 convolutions, with seconds that differ."""
    nasbench101 = space("nasbench101")
    rng = np.random.default_rng(0)
    lines = [
        "module_hash,adjacency,operations,training_time_108_s,valid_accuracy_12,valid_accuracy_36,valid_accuracy_108"
    ]
    short = np.random.default_rng(1)
    for row, cell in enumerate(nasbench101.unlabelled(300, rng)):
        convolutions = int((cell.operations == 1).sum())
        adjacency, _, operations = nasbench101.format(cell).partition(";")
        last = 0.5 + 0.08 * convolutions + rng.uniform(0, 0.05)
        first, second = last - short.uniform(0, 0.2), last - short.uniform(0, 0.05)
        seconds = 540 * (1 + convolutions)
        lines.append(f"{row:032x},{adjacency},{operations},{seconds},{first:.6f},{second:.6f},{last:.6f}")
    return "\n".join(lines) + "\n"


# when the tests are collected: later $NADLAB_DATA names the toy tables
REAL_DATA = data_folder()


def real_data(name: str) -> Path:
    """Return a file of the real tables; skip the test where it is not here."""
    if REAL_DATA is None or not (REAL_DATA / name).exists():
        pytest.skip(f"{name} is neither in $NADLAB_DATA nor in ../shared/data")
    return REAL_DATA / name


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """$NADLAB_DATA with the benchmark `nasbench201/toy`; before Ray starts, so that its workers know it too."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "nasbench201.csv").write_text(toy_table())
    (folder / "nasbench101_sample.csv").write_text(toy_101_table())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NADLAB_DATA", str(folder))
        patch.setenv("NADLAB_CACHE", own_cache(folder))
        benchmark.cache_clear()
        yield folder
    benchmark.cache_clear()


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty: a command leaves its results there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def postgresql() -> Iterator[str]:
    """The address of a PostgreSQL server."""
    with server() as address:
        yield address


class LocalRay:
    """One Ray of this process, started anew only for a test that wants another number of CPUs."""

    def __init__(self) -> None:
        self.cpus = 0
        self.held = ExitStack()

    def start(self, cpus: int) -> None:
        from nadlab.cluster.connection import connected

        if cpus != self.cpus:
            self.held.close()
            self.held.enter_context(connected(None, cpus, STUDY.trainable))
            self.cpus = cpus


@pytest.fixture(scope="session")
def local_ray(data: Path) -> Iterator[LocalRay]:
    """The Ray of every test of the session."""
    assert os.environ["NADLAB_DATA"] == str(data)
    ray = LocalRay()
    with ray.held:
        yield ray


@pytest.fixture
def two_cpus(local_ray: LocalRay) -> None:
    """Two CPUs in the test's Ray, for two workers at once."""


@pytest.fixture(autouse=True)
def cpus_of_ray(request: pytest.FixtureRequest) -> None:
    """One CPU in a test's Ray: each more is a worker that imports torch for seconds, in each study. With `two_cpus`, two."""
    if "local_ray" in request.fixturenames:
        request.getfixturevalue("local_ray").start(2 if "two_cpus" in request.fixturenames else 1)


@dataclass(frozen=True)
class Done:
    """A study that was run to its end."""

    study: Study
    out: Path
    status: int

    @property
    def store(self) -> str:
        """URI of its MLflow store."""
        return default_store(self.out)[0]


def small(**changes: Any) -> Study:
    """ablate_alpha's smoke run on the toy table."""
    return replace(smoke(STUDY), benchmark=TOY, **changes)


@pytest.fixture(scope="session")
def smoke_study(local_ray: LocalRay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    """Two levels of alpha, two seeds; of many tests, so that one which changes its results fails the last."""
    local_ray.start(1)
    out = tmp_path_factory.mktemp("smoke") / "out"
    done = Done(small(), out, run_study(small(), benchmark(TOY), ExecutionConfig(out)))
    before = results_below(out)
    yield done
    after = results_below(out)  # a test may add a run
    changed = [file for file, content in before.items() if after.get(file) != content]
    assert not changed, "a test changed the smoke study: give it a copy"


def results_below(out: Path) -> dict[Path, bytes]:
    """Return the files of a study's trials and of their runs in MLflow."""
    return {
        file: file.read_bytes()
        for folder in ("trials", "mlartifacts")
        for file in sorted((out / folder).rglob("*"))
        if file.is_file()
    }


@pytest.fixture
def runs_of_one_place() -> Iterator[None]:
    """Lets MLflow forget where this process found a run's files: copies of a study have the same runs."""
    utils._artifact_repos_cache.clear()
    yield
    utils._artifact_repos_cache.clear()


def records_of(out: Path) -> list[Record]:
    """Return the records in a study's folder."""
    owner = read_owner(out)
    assert owner
    return StudyFolder(out, owner).records()


def same_results(one: list[Record], two: list[Record]) -> bool:
    """Say whether records agree bit for bit in all but times."""

    def results(records: list[Record]) -> dict[str, Any]:
        return {
            record.trial.id: (
                {key: value for key, value in record.metrics.items() if not key.endswith("seconds")},
                record.history,
                record.ledger,
            )
            for record in records
        }

    return results(one) == results(two)


def children(out: Path) -> list[Any]:
    """Return the runs of a study's trials in its own MLflow store."""
    client = open_client(default_store(out)[0])
    experiments = [each.experiment_id for each in client.search_experiments()]
    return list(client.search_runs(experiments, "tags.kind = 'trial'"))


def run_alpha(out: Path, *arguments: str) -> int:
    """Run ablate_alpha's command in this process."""
    found = command(STUDY).main([*arguments, "--out", str(out)], standalone_mode=False)
    assert isinstance(found, int)
    return found
