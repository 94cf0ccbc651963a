"""Workers of a real Ray: they share one listing of a large space, refuse another table, and may be lost."""

import hashlib
import json
import os
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nadlab.benchmarks.registry import benchmark
from nadlab.cluster.execution import ExecutionConfig
from nadlab.engine.request import request
from nadlab.engine.runner import run_study
from nadlab.engine.worker import check_table, check_tables
from nadlab.errors import UserError
from nadlab.spaces import space
from nadlab.spaces.cells import Cells
from nadlab.spaces.classes import classes
from nadlab.spaces.listings import hand, take
from nadlab.study.study import Study
from tests.conftest import TOY, records_of, same_results, small
from tests.counting import Counting
from trainables.biarch2perf import BiArch2PerfTrainable

LARGE = "nasbench101"
"""the toy table of this space: the space itself has 423,624 cells"""

pytestmark = pytest.mark.usefixtures("local_ray")


def study_of(trainable: type, seeds: Sequence[int], name: str = TOY) -> Study:
    study = small(name="ablate_worker", trainable=trainable, vary={"alpha": (0.5,)}, seeds=seeds)
    return replace(study, benchmark=name)


def place_in_memory(address: int) -> tuple[str, int]:
    """Return the file that an address of this process is mapped from, and the place in it."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, _, offset, device, inode, *_ = line.split()
        start, end = (int(each, 16) for each in span.split("-"))
        if start <= address < end:
            return f"{device} {inode}", int(offset, 16) + address - start
    raise AssertionError(address)


def digest(cells: Cells) -> str:
    return hashlib.sha256(cells.adjacency.tobytes() + cells.operations.tobytes()).hexdigest()


def looking(notes: Path) -> type:
    """Return a trainable that notes, while another worker lives, what it has of the space."""

    class Looking(Counting):
        def step(self) -> dict[str, Any]:
            note = notes / f"{self.trial['seed']}.json"
            if not note.exists():
                hand(LARGE, handed := take(LARGE))
                cells, _ = classes(space(LARGE))
                seen = {
                    "process": os.getpid(),
                    "handed": sorted(handed),
                    "place": place_in_memory(cells.adjacency.ctypes.data),
                    "digest": digest(cells),
                    "writeable": cells.adjacency.flags.writeable,
                }
                note.write_text(json.dumps(seen))
            deadline = time.monotonic() + 60
            while len(list(notes.iterdir())) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            return super().step()

    return Looking


@pytest.mark.usefixtures("two_cpus")
def test_two_workers_read_one_copy_of_the_drivers_listing_and_make_none(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    study = study_of(looking(notes), (0, 1), LARGE)
    assert run_study(study, benchmark(LARGE), ExecutionConfig(tmp_path / "out")) == 0
    one, other = (json.loads(note.read_text()) for note in notes.iterdir())
    assert one["process"] != other["process"]
    assert one["handed"] == other["handed"] == ["classes", "keys"]
    assert one["place"] == other["place"]
    assert one["digest"] == other["digest"] == digest(classes(space(LARGE))[0])
    assert not one["writeable"]


def test_trial_on_the_shared_listing_ends_as_one_on_its_own(tmp_path: Path) -> None:
    assert (
        run_study(study_of(BiArch2PerfTrainable, (0,), LARGE), benchmark(LARGE), ExecutionConfig(tmp_path / "out")) == 0
    )
    shared = records_of(tmp_path / "out")[0]
    alone = BiArch2PerfTrainable({"trial": request(shared.trial)})
    result: dict[str, Any] = {"done": False}
    while not result["done"]:
        result = alone.step()
    metrics = {key: result[key] for key in shared.metrics if key in result}
    assert "best_reported" in metrics
    own = replace(shared, metrics=shared.metrics | metrics, history=result["history"], ledger=result["ledger"])
    assert same_results([shared], [own])


def test_worker_with_another_table_of_the_name_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table: Any = benchmark(TOY)
    planned_on = replace(table, digest="f" * 64)
    assert run_study(study_of(Counting, (0,)), planned_on, ExecutionConfig(tmp_path / "out")) == 1
    words = f"has another version of the table {TOY} (digest {table.digest[:12]}, the study's ffffffffffff)"
    assert words in capsys.readouterr().err
    with pytest.raises(UserError, match="copy the study's to it"):
        check_table({"benchmark": TOY, "digest": "f" * 64, "protocol": "paper"})


def test_nodes_are_asked_for_their_table_before_any_trial() -> None:
    table = benchmark(TOY)
    check_tables(TOY, table.digest)
    with pytest.raises(UserError, match=f"{socket.gethostname()} has another version of the table {TOY}"):
        check_tables(TOY, "f" * 64)
    with pytest.raises(UserError, match=f"on {socket.gethostname()}: unknown benchmark 'nowhere/else'"):
        check_tables("nowhere/else", table.digest)


def dying(notes: Path, deaths: int, raises: int = 0, starts: bool = True) -> type:
    """Return a trainable whose process dies so often at its second step, which then raises so often; or that never starts."""

    class Dying(Counting):
        def setup(self, config: dict[str, Any]) -> None:
            super().setup(config)
            if not starts:
                self.note("start")
                raise RuntimeError("it can't start")

        def step(self) -> dict[str, Any]:
            if self.epoch == 1 and self.note("step") <= deaths:
                os.kill(os.getpid(), signal.SIGKILL)
            if self.epoch == 1 and self.note("survived") <= raises:
                raise RuntimeError("it breaks")
            return super().step()

        def note(self, name: str) -> int:
            with (notes / name).open("a") as file:
                file.write(f"{self.epoch}\n")
            return len((notes / name).read_text().splitlines())

    return Dying


def test_lost_workers_are_none_of_the_trials_failures(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run_study(study_of(dying(tmp_path, deaths=2, raises=1), (0,)), benchmark(TOY), ExecutionConfig(out)) == 0
    assert records_of(out)[0].status == "FINISHED"
    assert len((tmp_path / "step").read_text().splitlines()) == 2 + 1 + 1  # each time from the checkpoint


@pytest.mark.parametrize(
    ("trainable", "tries", "words"),
    [
        ({"deaths": 0, "raises": 9}, {"survived": 2}, "RuntimeError: it breaks"),
        ({"deaths": 0, "starts": False}, {"start": 2}, "RuntimeError: it can't start"),
        ({"deaths": 9}, {"step": 2}, "The actor died unexpectedly"),
    ],
)
def test_trial_that_raises_twice_or_loses_its_worker_too_often_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trainable: dict[str, Any], tries: dict[str, int], words: str
) -> None:
    monkeypatch.setattr("nadlab.engine.record_writer.LOSSES", 1)
    out = tmp_path / "out"
    assert run_study(study_of(dying(tmp_path, **trainable), (0,)), benchmark(TOY), ExecutionConfig(out)) == 1
    failed = records_of(out)[0]
    assert failed.status == "FAILED"
    assert words in str(failed.error)
    assert {name: len((tmp_path / name).read_text().splitlines()) for name in tries} == tries
