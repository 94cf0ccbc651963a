"""A study's own store lies in its folder, whatever the folder is called."""

import shlex
from configparser import ConfigParser
from pathlib import Path

import pytest
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException
from sqlalchemy.engine import make_url

from nadlab.analysis.page import PAGE
from nadlab.benchmarks.registry import benchmark
from nadlab.cluster.execution import ExecutionConfig
from nadlab.engine.runner import run_study
from nadlab.tracking.server import STORE_VARIABLE, Server
from nadlab.tracking.store import default_store, unusable
from tests.conftest import TOY, children, records_of, small

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
