"""What nadlab uses of MLflow beyond its documented interface is as `nadlab.tracking.mlflow_internals` takes it to be."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import cache
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient, environment_variables
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED, RESOURCE_DOES_NOT_EXIST, UNAUTHENTICATED
from mlflow.utils import mlflow_tags

from nadlab.study.records import StudyRecord
from nadlab.tracking import mlflow_internals as internals
from nadlab.tracking.ui import PREFERENCES, VERSION

PACKAGE = Path(mlflow.__file__).parent


@cache
def ui() -> str:
    """Return the scripts of the UI."""
    scripts = list((PACKAGE / "server" / "js" / "build").rglob("*.js"))
    assert scripts, "MLflow has no UI where it used to be"
    return "\n".join(script.read_text(errors="replace") for script in scripts)


@pytest.mark.parametrize(
    "name", [name for name in (*internals.CLIENT_SWITCHES, *internals.SERVER_SWITCHES) if name.startswith("MLFLOW")]
)
def test_switch_is_one_of_mlflows_variables(name: str) -> None:
    assert getattr(environment_variables, name).name == name, f"MLflow no longer reads {name}: find what replaces it"


def test_switches_are_set_before_mlflow_is_imported_by_any_module_of_the_package() -> None:
    code = "import sys, nadlab.tracking.runs; print('mlflow' in sys.modules)"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert internals.CLIENT_SWITCHES.keys() <= os.environ.keys()


@pytest.mark.parametrize(
    "code",
    [
        "import nadlab.tracking",
        "import click; from nadlab.cli.command_line import run_command; run_command(click.Command('x', callback=int), [])",
    ],
    ids=["tracking", "command"],
)
def test_proxies_of_the_environment_are_never_sent_requests_to_loopback(code: str) -> None:
    code += "; import requests; print(requests.utils.get_environ_proxies('http://127.0.0.1:5000'))"
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    environment = {key: value for key, value in os.environ.items() if key.lower() != "no_proxy"} | proxies
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{}"


def test_settings_of_the_passwords_cache_are_read() -> None:
    sources = "\n".join(file.read_text() for file in (PACKAGE / "server" / "auth").rglob("*.py"))
    for line in internals.AUTH_SETTINGS:
        assert line.partition(" =")[0] in sources, f"MLflow's auth.ini no longer takes `{line}`"


def test_made_database_has_the_newest_tables_and_the_default_experiment(tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    internals.make_tables(database)
    with closing(sqlite3.connect(database)) as made:
        tables = {name for (name,) in made.execute("select name from sqlite_master where type = 'table'")}
    assert {"experiments", "runs", "metrics", "params", "tags", "alembic_version"} <= tables
    internals.make_default_experiment(database, "mlflow-artifacts:/")
    client = MlflowClient(tracking_uri=f"sqlite:///{database}")
    assert client.get_experiment("0").artifact_location == "mlflow-artifacts:/0"


def test_databases_are_told_from_servers_and_folders() -> None:
    assert internals.is_database("sqlite")
    assert internals.is_database("postgresql+psycopg")
    assert not internals.is_database("http")
    assert not internals.is_database("file")


def test_refused_user_is_told_from_other_errors() -> None:
    assert internals.refuses_user(MlflowException("", error_code=UNAUTHENTICATED))
    assert internals.refuses_user(MlflowException("", error_code=PERMISSION_DENIED))
    assert not internals.refuses_user(MlflowException("", error_code=RESOURCE_DOES_NOT_EXIST))
    assert not internals.refuses_user(OSError("down"))


def test_reserved_tags_are_mlflows() -> None:
    assert internals.PARENT == mlflow_tags.MLFLOW_PARENT_RUN_ID
    assert internals.DESCRIPTION == mlflow_tags.MLFLOW_RUN_NOTE
    assert internals.ARTIFACTS == mlflow_tags.MLFLOW_LOGGED_ARTIFACTS
    assert internals.PRIMARY_METRIC == mlflow_tags.MLFLOW_EXPERIMENT_PRIMARY_METRIC_NAME


def keys_of(value: object) -> set[str]:
    """Return the keys of nested mappings."""
    if isinstance(value, dict):
        return set(value) | {key for each in value.values() for key in keys_of(each)}
    return {key for each in value for key in keys_of(each)} if isinstance(value, list) else set()


def test_ui_reads_the_keys_of_saved_views_and_links() -> None:
    study = StudyRecord("s", "", "", "", "", "", "", "valid", "test", 0.0, {}, {"alpha": 0.5}, "")
    tags = internals.experiment_tags(study)
    views = [json.loads(text) for name, text in tags.items() if name.startswith(internals.VIEW)]
    assert len(views) == 2
    words = {
        internals.VIEW.rstrip("."),
        internals.VIEW_KEY,
        internals.VIEW_MODE,
        *internals.TRAINING,
        *internals.TRAINING.values(),
    }
    words |= {internals.PICTURE, *internals.KIND, *internals.KIND.values()} | {
        key for view in views for key in keys_of(view)
    }
    missing = sorted(word for word in words if word not in ui())
    assert not missing, f"MLflow's UI no longer knows {missing}: write a view by its Share button and compare"


def test_ui_keeps_our_preferences_by_these_names() -> None:
    missing = [name for name in PREFERENCES if f'key:"{name}",version:{VERSION.removeprefix("_v")}' not in ui()]
    assert not missing, f"MLflow's UI no longer keeps {missing} in the browser: see by which name it keeps the switch"
