"""MLflow: one parent a study, one FINISHED child a trial, whatever happened to the driver."""

import getpass
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from nadlab.benchmarks.registry import benchmark
from nadlab.cluster.execution import ExecutionConfig
from nadlab.engine.runner import run_study
from nadlab.errors import UserError
from nadlab.study.folder import StudyFolder, read_owner
from nadlab.tracking.content import TRIAL
from nadlab.tracking.mlflow_internals import PARENT
from nadlab.tracking.store import DRAFT, check_store, default_store, made_store, open_client
from nadlab.tracking.tracker import Tracker
from tests.conftest import TOY, records_of, small

pytestmark = pytest.mark.services


@pytest.fixture
def client(smoke_study: Any) -> MlflowClient:
    return MlflowClient(tracking_uri=smoke_study.store)


def runs_of(client: MlflowClient, kind: str) -> list[Any]:
    experiments = [each.experiment_id for each in client.search_experiments() if each.name == "ablate_alpha"]
    return list(client.search_runs(experiments, f"tags.kind = '{kind}'"))


def test_every_trial_is_one_finished_child_of_one_parent(client: MlflowClient) -> None:
    (parent,) = runs_of(client, "study")
    children = runs_of(client, "trial")
    assert [run.info.status for run in [parent, *children]] == ["FINISHED"] * 5
    assert {run.data.tags[PARENT] for run in children} == {parent.info.run_id}
    assert len({run.data.tags[TRIAL] for run in children}) == 4


def test_child_holds_parameters_metrics_tags_ledger_and_checkpoint(smoke_study: Any, client: MlflowClient) -> None:
    records = {record.trial.id: record for record in records_of(smoke_study.out)}
    for run in runs_of(client, "trial"):
        record = records[run.data.tags[TRIAL]]
        assert run.data.params["alpha"] == run.data.tags["level"] == str(record.trial.settings["alpha"])
        assert run.data.params["seed"] == run.data.tags["seed"] == str(record.trial.seed)
        assert {"study", "factor", "git_revision", "benchmark_digest", "torch", "ray"} <= run.data.tags.keys()
        settings = record.trial.settings
        assert run.data.tags["queries"] == str(settings["labels"] + settings["final_k"])
        assert run.info.run_name == f"alpha = {settings['alpha']}, seed {record.trial.seed}"
        assert run.data.tags["mlflow.user"] == getpass.getuser()
        assert run.data.tags["mlflow.source.type"] == "LOCAL"
        assert run.data.tags.get("mlflow.source.git.commit", "unknown") in run.data.tags["git_revision"]
        (data,) = [each.dataset for each in run.inputs.dataset_inputs]
        assert data.name == record.trial.benchmark
        assert record.trial.digest.startswith(data.digest)
        assert {name for name in run.data.metrics if not name.startswith("loss/")} == {
            *("incumbent/val_accuracy", "incumbent/test_accuracy", "regret", "time/train_seconds"),
            *("predictor/val_tau", "predictor/val_tau_top", "predictor/calibration_error"),
            *("generator/rank_fidelity", "generator/rank0_lift"),
            *("generator/valid_share", "generator/unique_share", "generator/novel_share", "generator/generated"),
            *("generator/candidates", "generator/pool_fallback"),
        }
        assert len(client.get_metric_history(run.info.run_id, "loss/predictor")) == record.trial.settings["epochs"]
        curve = client.get_metric_history(run.info.run_id, "incumbent/test_accuracy")
        assert [each.step for each in curve] == list(range(1, len(record.ledger) + 1))
        assert curve[-1].value == record.metrics["best_reported"]
        table = json.loads(
            Path(download_artifacts(f"runs:/{run.info.run_id}/ledger.json", tracking_uri=smoke_study.store)).read_text()
        )
        assert len(table["data"]) == len(record.ledger)
        origins = [row[table["columns"].index("origin")] for row in table["data"]]
        assert origins[: settings["labels"]] == ["initial"] * settings["labels"]
        fallback = int(run.data.metrics["generator/pool_fallback"])
        generated = ["generated"] * (settings["final_k"] - fallback)
        assert origins[settings["labels"] :] == generated + ["fallback"] * fallback
        assert {file.path for file in client.list_artifacts(run.info.run_id, "checkpoint")} >= {"checkpoint/state.json"}


def test_parent_holds_report_and_plots(smoke_study: Any, client: MlflowClient) -> None:
    (parent,) = runs_of(client, "study")
    files = {
        file.path
        for folder in ("report", "report/figures", "report/tables")
        for file in client.list_artifacts(parent.info.run_id, folder)
        if not file.is_dir
    }
    assert {f"report/{name}" for name in ("report.html", "report.md", "levels.csv", "trials.csv")} <= files
    assert {f"report/figures/accuracy_by_alpha.{kind}" for kind in ("png", "svg")} <= files
    assert "report/tables/levels.tex" in files
    page = download_artifacts(f"runs:/{parent.info.run_id}/report/report.html", tracking_uri=smoke_study.store)
    assert Path(page).read_text() == (smoke_study.out / "report.html").read_text()
    assert "| alpha |" in parent.data.tags["mlflow.note.content"]


def test_torn_delivery_is_deleted_and_made_again(smoke_study: Any, tmp_path: Path) -> None:
    owner = read_owner(smoke_study.out)
    assert owner
    shutil.copy(smoke_study.out / "mlflow.db", tmp_path)  # other tests read the study's own
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=store)
    record, *_ = records_of(smoke_study.out)
    (whole,) = [run for run in runs_of(client, "trial") if run.data.tags[TRIAL] == record.trial.id]
    client.update_run(whole.info.run_id, "RUNNING")
    checkpoint = StudyFolder(smoke_study.out, owner).trial_path(record.trial) / "checkpoint"
    for _ in range(2):
        tracker = Tracker.connect(store, owner, None)
        tracker.deliver([(record, checkpoint)])
        tracker.close("FINISHED")
    (again,) = [run for run in runs_of(client, "trial") if run.data.tags[TRIAL] == record.trial.id]
    assert again.info.run_id != whole.info.run_id
    assert again.info.status == "FINISHED"
    assert again.data.metrics == whole.data.metrics


def test_store_that_a_kill_cut_short_is_made_anew(tmp_path: Path) -> None:
    killed = """
        import os, pathlib, signal
        from nadlab.tracking import mlflow_internals, store
        mlflow_internals.make_default_experiment = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        store.made_store(pathlib.Path())
    """
    done = subprocess.run([sys.executable, "-c", dedent(killed)], cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == [DRAFT]
    uri, _ = made_store(tmp_path)
    check_store(uri)
    assert {path.name for path in tmp_path.iterdir()} <= {"mlflow.db", "mlartifacts"}


def test_tables_that_a_kill_cut_short_are_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("NADLAB_CACHE", str(cache))
    killed = """
        import os, pathlib, signal, sqlite3
        from nadlab.tracking import mlflow_internals, store
        def torn(database):
            with sqlite3.connect(database) as connection:
                connection.execute("create table experiments (experiment_id integer)")
            os.kill(os.getpid(), signal.SIGKILL)
        mlflow_internals.make_tables = torn
        store.made_store(pathlib.Path())
    """
    done = subprocess.run([sys.executable, "-c", dedent(killed)], cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(cache.rglob("*.partial"))
    check_store(made_store(tmp_path)[0])
    assert len(list(cache.glob("mlflow/*.db"))) == 1


def test_store_is_made_where_the_cache_folder_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NADLAB_CACHE", "/dev/null/cache")
    check_store(made_store(tmp_path)[0])
    assert "set $NADLAB_CACHE to another folder" in caplog.text


BEFORE = "update alembic_version set version_num = 'b7e2c1a4d9f3'"  # the version before spans lost dimension_attributes
NEW_TABLE = "sql_trace_rollup_rebuild_queue"


@pytest.mark.parametrize(
    ("broken", "cause"),
    [
        ((BEFORE,), "out-of-date database schema"),
        ((BEFORE, f"drop table {NEW_TABLE}"), "dimension_attributes"),
        (("update alembic_version set version_num = 'later'", f"drop table {NEW_TABLE}"), "'later'"),
        (("drop table experiments",), "experiments"),
    ],
)
def test_database_of_another_mlflow_is_named_with_the_cause_and_what_to_do(
    broken: tuple[str, ...], cause: str, tmp_path: Path
) -> None:
    whole, _ = made_store(tmp_path)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        for statement in broken:
            database.execute(statement)
        database.commit()
    shutil.copy(tmp_path / "mlflow.db", tmp_path / "broken.db")  # under a name that no store of this process has open
    uri = whole.replace("mlflow.db", "broken.db")
    with pytest.raises(UserError) as said:
        check_store(uri)
    assert f"the tracking store {uri} can't be used" in str(said.value)
    assert cause in str(said.value)
    assert f"`mlflow db upgrade {uri}`" in str(said.value)


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "nonsense:store"])
def test_store_that_does_not_answer_is_one_sentence(uri: str) -> None:
    with pytest.raises(UserError, match="--tracking-uri"):
        check_store(uri)


@pytest.mark.usefixtures("local_ray")
def test_study_that_ends_with_an_error_is_failed_in_its_store(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="GPUs"):
        run_study(small(), benchmark(TOY), ExecutionConfig(tmp_path, gpus_per_trial=2))
    client = open_client(default_store(tmp_path)[0])
    (parent,) = client.search_runs([each.experiment_id for each in client.search_experiments()], "tags.kind = 'study'")
    assert parent.info.status == "FAILED"
