"""All that nadlab uses of MLflow beyond its documented interface; tests/test_mlflow_internals.py fails when it changes.

Switches of client and server, the tables of a new database, reserved tags, and links into the UI. A saved view of the UI
is what its *Share* button writes: an experiment's tag that a link names. `trials` shows every trial by itself, `levels`
the means over seeds. Links are relative to the server's address. tests/test_mlflow_ui.py opens them in a browser. What
our own server adds to the UI is in `nadlab.tracking.ui`.
"""

import getpass
import logging
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from nadlab.json_text import strict_json
from nadlab.network import exempt_loopback
from nadlab.sqlite import address
from nadlab.study.records import StudyRecord
from nadlab.tracking.names import OF_OUTCOMES, incumbent, reported

if TYPE_CHECKING:
    from mlflow import MlflowClient

CLIENT_SWITCHES = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # two lines a trial
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # a server that is down is noticed in seconds: undelivered records stay on disk
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
for name, value in CLIENT_SWITCHES.items():
    os.environ.setdefault(name, value)  # before MLflow is imported: the functions below import it late
exempt_loopback()
SERVER_SWITCHES = {
    # jobs start processes of their own, and nadlab uses none
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "PYTHONWARNINGS": "ignore",  # of its own packages
}
AUTH_SETTINGS = ("auth_cache_ttl_seconds = 300",)  # one request in five minutes computes the password's slow hash

LOGGERS = ("alembic", "mlflow.store.db.utils", "urllib3.connectionpool")
"""which report migrations and retries, one line each"""

PARENT = "mlflow.parentRunId"
DESCRIPTION = "mlflow.note.content"
ARTIFACTS = "mlflow.loggedArtifacts"
"""by this tag the UI shows a file as a table, and `mlflow.load_table` finds it"""
PRIMARY_METRIC = "mlflow.experiment.primaryMetric.name"
VIEW = "mlflow.sharedViewState."
VIEW_KEY, VIEW_MODE = "viewStateShareKey", "compareRunsMode"
TRAINING = {"workflowType": "machine_learning"}
"""without it the UI of another server than `nadlab mlflow` opens on its pages for language models"""
KIND = {"mlflow.experimentKind": "custom_model_development"}
"""by this tag an MLflow server whose UI has no switch to model training opens an experiment on its runs"""
WATCHED = ("regret", "predictor/val_tau")
"""columns of a saved view beside the incumbent's; the UI sorts them by name"""
LONGEST_DIGEST = 36
"""characters of a data set's digest"""
PICTURE = "get-artifact"
MAIN_PLOTS = ("accuracy_by_", "anytime_", "importance")
_SECTION = "study"


def quiet() -> None:
    """Silence what MLflow logs of every database and every retry."""
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)


def is_database(scheme: str) -> bool:
    """Return whether MLflow keeps runs in a database at an address of this scheme, such as `postgresql+psycopg`."""
    from mlflow.store.db.db_types import DATABASE_ENGINES

    return scheme.partition("+")[0] in DATABASE_ENGINES


def make_tables(database: Path) -> None:
    """Create the tables of this version of MLflow in a new SQLite file."""
    from mlflow.store.db.utils import _initialize_tables
    from sqlalchemy import create_engine

    engine = create_engine(address(database))
    _initialize_tables(engine)  # type: ignore[no-untyped-call]
    engine.dispose()


def has_tables(database: Path) -> bool:
    """Return whether an SQLite file that exists is intact and has MLflow's tables."""
    from mlflow.store.db.utils import _all_tables_exist
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import DatabaseError

    engine = create_engine(address(database))
    try:
        with engine.connect() as connection:
            intact = connection.scalar(text("PRAGMA quick_check")) == "ok"
        return intact and bool(_all_tables_exist(engine))  # type: ignore[no-untyped-call]
    except DatabaseError:
        return False
    finally:
        engine.dispose()


def move_artifacts(database: Path, artifacts: str) -> None:
    """Have experiments and runs that keep files below a store's first location, another folder, keep them at this URI.

    Nothing is written where that is so already, or where the location is not a folder.
    """
    from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlRun
    from mlflow.tracking._tracking_service import utils
    from sqlalchemy import create_engine, func, literal, select, update

    engine = create_engine(address(database))
    try:
        with engine.begin() as connection:
            first = connection.scalar(select(SqlExperiment.artifact_location).where(SqlExperiment.experiment_id == 0))
            former = (first or "").removesuffix("/0")
            if former == artifacts or not former.startswith("file:"):
                return
            for table, column in ((SqlExperiment, SqlExperiment.artifact_location), (SqlRun, SqlRun.artifact_uri)):
                below = func.substr(column.concat("/"), 1, len(former) + 1) == f"{former}/"
                moved = literal(artifacts).concat(func.substr(column, len(former) + 1))
                connection.execute(update(table).where(below).values({column: moved}))
        utils._artifact_repos_cache.clear()  # it remembers by run where this process wrote before
    finally:
        engine.dispose()


def make_default_experiment(database: Path, artifacts: str) -> None:
    """Complete a SQLite file with MLflow's tables: its default experiment keeps artifacts at this URI."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore(address(database), artifacts)  # type: ignore[no-untyped-call]
    store.engine.dispose()


def refuses_user(error: Exception) -> bool:
    """Return whether a server refused a request for its user name or password."""
    return getattr(error, "get_http_status_code", int)() in (401, 403)


def source_tags(revision: str) -> dict[str, str]:
    """Return who runs this process, what it runs and at which commit (`git_revision`), as the UI's columns read them."""
    program = Path(sys.argv[0])
    name = program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program
    tags = {"mlflow.source.name": str(name), "mlflow.source.type": "LOCAL"}
    commit = revision.partition("+")[0]
    if commit not in ("", "unknown"):
        tags["mlflow.source.git.commit"] = commit
    try:
        tags["mlflow.user"] = getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in some containers
        tags["mlflow.user"] = str(os.getuid())
    return tags


def log_benchmark(client: "MlflowClient", run: str, study: StudyRecord) -> None:
    """Name the benchmark, with the first digits of its digest, as a run's data set; raise STORE_ERRORS where that fails."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = strict_json({"benchmark": study.benchmark, "protocol": study.preset, "sha256": study.digest})
    data = Dataset(study.benchmark_text, study.digest[:LONGEST_DIGEST], "nadlab", source)
    inputs = [DatasetInput(data, [InputTag("mlflow.data.context", study.preset)])]
    tried_twice(lambda: client.log_inputs(run, datasets=inputs))


def tried_twice(write: Callable[[], object]) -> None:
    """Do what fails where another process does the same at once: of two that add one data set or tag, MLflow refuses one."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        write()
    except (MlflowException, SQLAlchemyError):
        write()


def artifacts_tag(path: str) -> str:
    """Return the value of the tag `ARTIFACTS` for one table."""
    return strict_json([{"path": path, "type": "table"}])


def experiment_tags(study: StudyRecord) -> dict[str, str]:
    """Return the tags of a study's experiment: its saved views and the metric that the UI shows first."""
    factors, answer = list(study.default), reported(study)
    curve = _chart("LINE", metricKey=answer, selectedMetricKeys=[answer], xAxisKey="step", range={})
    judged = [OF_OUTCOMES[study.outcomes[0]]] if study.outcomes[0] in OF_OUTCOMES else []
    bars = [_chart("BAR", name, metricKey=name, selectedMetricKeys=[name]) for name in (*judged, answer)]
    coordinates = _chart(
        "PARALLEL", selectedParams=[*factors, "seed"], selectedMetrics=[*judged, answer], showAllRuns=True
    )
    means = {"aggregateFunction": "average", "groupByKeys": [{"mode": "tag", "groupByData": "level"}]}
    views = {
        "trials": _view(study, [coordinates, *bars, curve], None),
        "levels": _view(study, [*bars, curve], means),
    }
    return KIND | {PRIMARY_METRIC: answer} | {f"{VIEW}{name}": strict_json(view) for name, view in views.items()}


def view_link(experiment: str, view: str, mode: str = "CHART") -> str:
    """Return the link that opens a saved view; mode is CHART or TABLE."""
    return f"#/experiments/{experiment}/runs?{urlencode(TRAINING | {VIEW_KEY: view, VIEW_MODE: mode})}"


def run_link(experiment: str, run: str, tab: str = "") -> str:
    """Return the link to a run's page, or to a tab of it, such as `/artifacts/ledger.json`."""
    return f"#/experiments/{experiment}/runs/{run}{tab}?{urlencode(TRAINING)}"


def plots(run: str, artifacts: str, folder: Path, files: Iterable[Path]) -> str:
    """Return Markdown that shows the main effects and the search by query: files of a folder, which are a run's artifacts below `artifacts`."""
    shown = [file for file in files if file.suffix == ".png" and file.stem.startswith(MAIN_PLOTS)]
    paths = [f"{artifacts}/{file.relative_to(folder).as_posix()}" for file in shown]
    return "\n\n".join(f"![plot]({PICTURE}?{urlencode({'path': path, 'run_uuid': run})})" for path in paths)


def _chart(kind: str, of: str = "", **own: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "uuid": f"{_SECTION}-{kind}{of}",
        "metricSectionId": _SECTION,
        "deleted": False,
        "isGenerated": False,
        **own,
    }


def _view(study: StudyRecord, charts: list[dict[str, Any]], groups: dict[str, Any] | None) -> dict[str, Any]:
    answers = [incumbent(split, study.measured) for split in dict.fromkeys((study.report_split, study.search_split))]
    columns = [f"metrics.`{name}`" for name in (*answers, *WATCHED)]
    columns += [f"params.`{name}`" for name in (*study.default, "seed")]
    return {
        "searchFilter": "tags.kind = 'trial'",
        "orderByKey": f"metrics.`{reported(study)}`",
        "orderByAsc": not study.measured.maximise,
        "selectedColumns": columns,
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": charts,
        "compareRunSections": [
            {"uuid": _SECTION, "name": "Study", "display": True, "isReordered": False, "deleted": False, "isGenerated": False}
        ],
        "isAccordionReordered": True,  # the losses' section comes after ours
        "groupBy": groups,
    }  # fmt: skip
