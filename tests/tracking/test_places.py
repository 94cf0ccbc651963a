"""A study's own store lies in its folder, whatever the folder is called."""

import os
import shlex
import shutil
import sqlite3
from configparser import ConfigParser
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from nadlab.analysis.page import PAGE
from nadlab.benchmarks.registry import benchmark
from nadlab.cli.report import report_on_folder
from nadlab.cluster.execution import ExecutionConfig
from nadlab.engine.runner import run_study
from nadlab.study.folder import StudyFolder, read_owner
from nadlab.tracking import mlflow_internals as internals
from nadlab.tracking.server import STORE_VARIABLE, Server
from nadlab.tracking.store import check_store, default_store, follow_folder, made_store, make_database, unusable
from tests.conftest import TOY, Done, children, records_of, small

pytestmark = pytest.mark.usefixtures("runs_of_one_place")

UGLY = "what?now#1 50%20 'é' & \"q\";x+y"


def contents(folder: Path) -> set[str]:
    """Return the names in a folder."""
    return {path.name for path in folder.iterdir()}


@pytest.mark.usefixtures("local_ray")
def test_study_in_a_folder_of_any_name_keeps_everything_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    out = tmp_path / UGLY
    assert run_study(small(seeds=(0,)), benchmark(TOY), ExecutionConfig(out)) == 0
    assert contents(tmp_path) == {"here", UGLY}
    assert contents(tmp_path / "here") == set()
    runs = children(out)
    assert len(runs) == len(records_of(out)) > 0
    for run in runs:
        assert (out / "mlartifacts" / run.info.run_id / "artifacts" / "ledger.json").is_file()
        download_artifacts(f"runs:/{run.info.run_id}/ledger.json", tracking_uri=default_store(out)[0])
    assert (out / PAGE).is_file()
    assert f"--folder {shlex.quote(str(out))}" in capsys.readouterr().out


def test_server_of_a_folder_of_any_name_keeps_its_databases_there(tmp_path: Path) -> None:
    environment = Server(folder=tmp_path / UGLY, auth=True).environment()
    assert contents(tmp_path) == {UGLY}
    assert make_url(environment[STORE_VARIABLE]).database == str(tmp_path / UGLY / "mlflow.db")
    read = ConfigParser()  # as MLflow reads it
    read.read(tmp_path / UGLY / "auth.ini")
    assert make_url(read["mlflow"]["database_uri"]).database == str(tmp_path / UGLY / "users.db")


def test_store_that_cannot_be_used_is_named_in_a_command_that_a_shell_takes(tmp_path: Path) -> None:
    uri, _ = default_store(tmp_path / UGLY)
    command = str(unusable(uri, MlflowException("out of date"))).partition("`")[2].partition("`")[0]
    assert shlex.split(command) == ["mlflow", "db", "upgrade", uri]


def moved(smoke_study: Done, tmp_path: Path) -> tuple[Path, Path]:
    """Return the former and the present folder of a study that was copied and then moved."""
    former, present = tmp_path / "former", tmp_path / UGLY
    shutil.copytree(smoke_study.out, former)
    made_store(former)
    former.rename(present)
    return former, present


def locations(out: Path) -> list[str]:
    """Return where a study's store says that experiments and runs keep their files."""
    with closing(sqlite3.connect(out / "mlflow.db")) as database:
        return [
            location
            for question in ("select artifact_location from experiments", "select artifact_uri from runs")
            for (location,) in database.execute(question)
        ]


def test_moved_study_is_resumed_with_its_artifacts_and_writes_nothing_where_it_was(
    smoke_study: Done, tmp_path: Path
) -> None:
    former, present = moved(smoke_study, tmp_path)
    before = {run.info.run_id for run in children(present)}
    assert run_study(smoke_study.study, benchmark(TOY), ExecutionConfig(present)) == 0
    assert not former.exists()
    assert {run.info.run_id for run in children(present)} == before
    for run in before:
        download_artifacts(f"runs:/{run}/ledger.json", tracking_uri=default_store(present)[0])
    assert all(each.startswith((present / "mlartifacts").as_uri()) for each in locations(present))


def test_moved_study_is_served_and_reported_with_its_artifacts_where_they_are_now(
    smoke_study: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, present = moved(smoke_study, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "execve", lambda *_: None)
        patched.setattr(os, "umask", lambda _: 0)
        Server(folder=present).serve()
    assert all(each.startswith((present / "mlartifacts").as_uri()) for each in locations(present))
    again = present.rename(tmp_path / "again")
    report_on_folder(again, again, None)
    assert all(each.startswith((again / "mlartifacts").as_uri()) for each in locations(again))


def test_store_of_a_server_keeps_its_locations(tmp_path: Path) -> None:
    make_database(tmp_path, "mlflow-artifacts:/")
    follow_folder(tmp_path)
    assert locations(tmp_path) == ["mlflow-artifacts:/0"]


def test_moved_store_that_cannot_be_written_stays_as_it_is_and_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made_store(tmp_path)
    before = locations(tmp_path)

    def read_only(database: Path, artifacts: str) -> None:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as opened:
            try:
                opened.execute("update experiments set artifact_location = ?", (artifacts,))
            except sqlite3.OperationalError as error:
                raise OperationalError("update", {}, error) from error

    monkeypatch.setattr(internals, "move_artifacts", read_only)  # root may write to any file
    follow_folder(tmp_path)
    assert "can't be written" in caplog.text
    assert locations(tmp_path) == before


def test_checkpoints_of_a_moved_study_are_found_where_they_are_now(smoke_study: Done, tmp_path: Path) -> None:
    owner = read_owner(smoke_study.out)
    assert owner
    trial = records_of(smoke_study.out)[0].trial
    former, present = tmp_path / "former", tmp_path / "present"
    folder = StudyFolder(former, owner)
    (former / "tune" / "1").mkdir(parents=True)
    (former / "tune" / "1" / "weights").write_text("1")
    folder.trial_path(trial).mkdir(parents=True)
    folder.note_checkpoint(trial, former / "tune" / "1")
    former.rename(present)
    assert StudyFolder(present, owner).resume_point(trial) == present / "tune" / "1"


def test_damaged_template_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NADLAB_CACHE", str(tmp_path / "cache"))
    template = tmp_path / "cache" / "mlflow" / f"{mlflow.__version__}.db"
    template.parent.mkdir(parents=True)
    template.write_text("junk\n")
    (tmp_path / "out").mkdir()
    check_store(made_store(tmp_path / "out")[0])
    assert "is damaged: it will be recreated" in caplog.text
    assert internals.has_tables(template)


def test_damage_of_a_template_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    made_store(tmp_path / "out")
    whole = (tmp_path / "out" / "mlflow.db").read_bytes()
    for name, content in {"empty": b"", "cut": whole[: len(whole) // 2], "zeros": bytes(len(whole))}.items():
        (tmp_path / name).write_bytes(content)
        assert not internals.has_tables(tmp_path / name), name
    (tmp_path / "whole").write_bytes(whole)
    assert internals.has_tables(tmp_path / "whole")
