"""Optuna's database lies in the study's folder, and a program that locks it is waited for."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.schedule import optuna_storage
from nadlab.schedule.optuna_schedule import OptunaSchedule
from nadlab.schedule.optuna_storage import DATABASE, open_study, wait_for_lock
from nadlab.sqlite import is_locked
from nadlab.study.folder import StudyFolder
from nadlab.study.tuning import smoke_tuning, tuning_record
from studies.tune_semigan import TUNING
from tests.conftest import TOY

HELD = 8.0
"""seconds, more than the five that sqlite3 waits by default"""
HOLD = f"""
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1])
database.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep({HELD})
"""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Another process locks the folder's database for `HELD` seconds, from the start of this context on."""
    with subprocess.Popen([sys.executable, "-c", HOLD, folder / DATABASE], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "locked\n"
        yield


def test_database_lies_in_a_folder_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "what?now#1 50%20 'é' & \"q\";x+y"
    folder.mkdir()
    open_study(folder, "search", ("accuracy",)).ask().suggest_float("alpha", 0, 1)
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    assert [path.name for path in folder.iterdir()] == ["optuna.db"]
    (again,) = open_study(folder, "search", ("accuracy",)).trials
    assert again.params.keys() == {"alpha"}


@pytest.mark.usefixtures("data")
def test_search_waits_for_a_program_that_locks_its_database_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optuna_storage, "SILENT_WAIT", 0.2)
    tuning = replace(smoke_tuning(TUNING), benchmark=TOY)
    schedule = OptunaSchedule(
        tuning, benchmark(TOY), StudyFolder(tmp_path, tuning_record(tuning, benchmark(TOY), "id"))
    )
    count = len(schedule.study.trials)
    with locked(tmp_path):
        start = time.monotonic()
        schedule._propose()
        assert time.monotonic() - start > HELD / 2
    assert [record.getMessage() for record in caplog.records] == [
        f"another program has locked {tmp_path / DATABASE}: waiting until it is free"
    ]
    assert len(schedule.study.trials) == count + 1


def test_study_is_opened_when_the_lock_is_gone(tmp_path: Path) -> None:
    open_study(tmp_path, "search", ("accuracy",))
    with locked(tmp_path):
        assert is_locked(tmp_path / DATABASE)
        assert open_study(tmp_path, "search", ("accuracy",)).trials == []
    assert not is_locked(tmp_path / DATABASE)


def test_lock_that_surprises_a_statement_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optuna_storage, "is_locked", lambda _: False)
    study = open_study(tmp_path, "search", ("accuracy",))
    with locked(tmp_path):
        study.ask()
    assert len(study.trials) == 1


def test_lock_that_stays_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optuna_storage, "LONGEST_WAIT", 0.1)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match="stop it and run this command again"):
            wait_for_lock(tmp_path)
