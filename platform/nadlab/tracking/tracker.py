"""MLflow: one parent run a study, one child a trial, written by the driver alone.

A child is delivered from its record on disk and ends only when it is complete, so a child that still runs was torn:
it is deleted and delivered again. Trials are found by the tag `nadlab.trial_id`.
"""

import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from urllib.parse import urlsplit

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines a trial
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# a server that is down is noticed in seconds: what is not delivered stays on disk
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Run
from mlflow.exceptions import MlflowException
from mlflow.store.db.db_types import DATABASE_ENGINES
from mlflow.store.db.utils import _initialize_tables
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from nadlab.cache import cache_folder, made_once
from nadlab.errors import UserError
from nadlab.study.records import Record, StudyRecord
from nadlab.tracking.content import (
    DESCRIPTION,
    LEDGER,
    PARENT,
    RECORD,
    STUDY,
    TRIAL,
    study_params,
    study_tags,
    trial_description,
    trial_metrics,
    trial_params,
    trial_tags,
)
from nadlab.tracking.runs import Runs, without_password
from nadlab.tracking.views import experiment_tags, plots, run_link, view_link

logger = logging.getLogger(__name__)

VALUES_A_CALL = 1000
"""metrics and parameters together, as MLflow's servers allow"""
SERVED_AT_ONCE = 8
"""deliveries to a server, whose answers take their way through a network, a database and a store of files"""
DRAFT = ".mlflow.db"
STORE_ERRORS = (MlflowException, SQLAlchemyError, OSError)


class Tracker:
    """One study's runs in one MLflow store. Methods raise STORE_ERRORS when the store is gone."""

    def __init__(self, uri: str, client: MlflowClient, experiment: str, parent: str, study: StudyRecord) -> None:
        self.uri = uri
        self.client = client
        self.experiment = experiment
        self.parent = parent
        self.study = study
        self._delivered: dict[str, str] | None = None
        self._threads = ThreadPoolExecutor(self.at_once, thread_name_prefix="mlflow")

    @classmethod
    def connect(cls, uri: str, study: StudyRecord, artifacts: Path | None) -> "Tracker":
        """Open the study's experiment and parent run, made where absent; UserError when the store can't be used.

        artifacts: where a new experiment keeps its files; None leaves that to the server.
        """
        client = _client(uri)
        try:
            experiment = _experiment(client, study, artifacts)
            run = _parent(client, experiment, study)
            parent = run.info.run_id
            # every time, as a kill may have come between the run and its content; a report stays until the next one
            tags = [tag for tag in study_tags(study) if tag.key != DESCRIPTION or DESCRIPTION not in run.data.tags]
            client.log_batch(parent, params=study_params(study), tags=tags)
            client.update_run(parent, "RUNNING")
        except STORE_ERRORS as error:
            raise _unusable(uri, error) from error
        return cls(uri, client, experiment, parent, study)

    @property
    def at_once(self) -> int:
        """Deliveries that may be on their way at once: a server takes several, a SQLite file one."""
        return 1 if urlsplit(self.uri).scheme.startswith("sqlite") else SERVED_AT_ONCE

    @property
    def comparison(self) -> str:
        """The link to all trials side by side, relative to the address of the UI."""
        return view_link(self.experiment, "trials")

    def deliver(self, records: Sequence[tuple[Record, Path]]) -> None:
        """Make the child runs of different trials hold these records, with their checkpoints; those that do are left alone.

        All are on their way at once; when this returns or raises, none is.
        """
        delivered = dict(self._sweep()) if self._delivered is None else self._delivered
        self._delivered = None  # until this delivery is complete: after a failure the store is swept anew

        def deliver(record: Record, checkpoint: Path) -> None:
            known = delivered.get(record.trial.id)
            if known != record.digest:
                if known:
                    self._delete(record)
                self._write(record, checkpoint)

        ended = [self._threads.submit(deliver, *each) for each in records]
        wait(ended)
        for each in ended:
            each.result()
        self._delivered = delivered | {record.trial.id: record.digest for record, _ in records}

    def settle(self) -> None:
        """Delete torn and doubled children: MLflow's client asks again when an answer is lost, also to make a run."""
        self._delivered = dict(self._sweep())

    def _delete(self, record: Record) -> None:
        for run in self._children(f" and tags.`{TRIAL}` = '{record.trial.id}'"):
            self.client.delete_run(run.info.run_id)

    def _write(self, record: Record, checkpoint: Path) -> None:
        name = f"{self.study.factor} {self.study.level(record.trial)}, seed {record.trial.seed}"
        parent = run_link(self.experiment, self.parent)
        description = trial_description(record, self.study, parent, self.comparison)
        tags = trial_tags(record, self.study) | {PARENT: self.parent, DESCRIPTION: description}
        run_id = self.client.create_run(self.experiment, int(record.started * 1000), tags, name).info.run_id
        params, metrics = trial_params(record), trial_metrics(record, self.study)
        first = VALUES_A_CALL - len(params)
        self.client.log_batch(run_id, metrics[:first], params)
        for start in range(first, len(metrics), VALUES_A_CALL):
            self.client.log_batch(run_id, metrics[start : start + VALUES_A_CALL])
        if record.ledger:
            columns = list(record.ledger[0])
            rows = [[query[column] for column in columns] for query in record.ledger]
            self.client.log_dict(run_id, {"columns": columns, "data": rows}, LEDGER)
        if checkpoint.is_dir():
            self.client.log_artifacts(run_id, str(checkpoint), "checkpoint")
        if record.error:
            self.client.log_text(run_id, record.error, "traceback.txt")
        self.client.set_terminated(run_id, record.status, int(record.ended * 1000))

    def runs(self) -> Runs:
        """Return the parent run and the complete run of every trial."""
        return _runs(self.client, self.uri, self.experiment, self.parent)

    def report(self, markdown: str, folder: Path, files: Sequence[Path], metrics: Mapping[str, float]) -> None:
        """Attach files of the study's folder to the parent run as `report`, and show the text, with its plots, as the run's description."""
        means = view_link(self.experiment, "levels")
        page = run_link(self.experiment, self.parent, f"/artifacts/report/{files[0].name}")
        links = f"Read [the whole report]({page}), compare [the trials]({self.comparison}) or [the means of the levels]({means})."
        shown = plots(self.parent, "report", folder, files)
        self.client.set_tag(self.parent, DESCRIPTION, f"{links}\n\n{markdown}\n\n{shown}")
        for file in files:
            self.attach([file], str("report" / file.parent.relative_to(folder)))
        now = int(time.time() * 1000)
        self.client.log_batch(self.parent, [Metric(key, value, now, 0) for key, value in metrics.items()])

    def attach(self, files: Sequence[Path], folder: str) -> None:
        """Put files into a folder of the parent run."""
        for file in files:
            self.client.log_artifact(self.parent, str(file), folder)

    def close(self, status: str) -> None:
        """End the parent run as FINISHED, FAILED or KILLED."""
        self.client.set_terminated(self.parent, status)

    def _sweep(self) -> Iterator[tuple[str, str]]:
        """Delete torn and doubled children; yield (trial, record digest) of the others."""
        seen: set[str] = set()
        for run in self._children(""):
            trial = run.data.tags.get(TRIAL, "")
            if run.info.status == "RUNNING" or trial in seen:
                self.client.delete_run(run.info.run_id)
            else:
                seen.add(trial)
                yield trial, run.data.tags[RECORD]

    def _children(self, condition: str) -> list[Run]:
        return _children(self.client, self.experiment, self.parent, condition)


def find_runs(uri: str, study: StudyRecord) -> Runs | None:
    """Return a study's runs in a store that is only read; None where it holds none. UserError when it can't be used."""
    client = _client(uri)
    try:
        found = client.get_experiment_by_name(study.study)
        if not found:
            return None
        parent = next(_search(client, found.experiment_id, f"tags.`{STUDY}` = '{study.study_id}'"), None)
        return _runs(client, uri, found.experiment_id, parent.info.run_id) if parent else None
    except STORE_ERRORS as error:
        raise _unusable(uri, error) from error


def default_store(out: Path) -> tuple[str, Path]:
    """Return the URI of a study's own SQLite store and the folder of its artifacts, both in the output folder."""
    return f"sqlite:///{(out / 'mlflow.db').absolute()}", out / "mlartifacts"


def made_store(out: Path) -> tuple[str, Path]:
    """Return a study's own store, made where absent."""
    uri, artifacts = default_store(out)
    make_database(out, artifacts.absolute().as_uri())
    return uri, artifacts


def make_database(folder: Path, artifacts: str) -> None:
    """Make mlflow.db in a folder where absent, whole or not at all: MLflow can't open what a kill leaves of one."""
    if (folder / "mlflow.db").exists():
        return
    for torn in folder.glob(f"{DRAFT}*"):
        torn.unlink()
    _quiet()
    try:
        shutil.copyfile(_empty_database(), folder / DRAFT)
    except UserError as error:
        logger.warning("%s: MLflow makes its tables anew for each study, which takes seconds", error)
    store = SqlAlchemyStore(f"sqlite:///{(folder / DRAFT).absolute()}", artifacts)  # type: ignore[no-untyped-call]
    store.engine.dispose()
    (folder / DRAFT).replace(folder / "mlflow.db")


def _empty_database() -> Path:
    """Return a database with this MLflow's tables, made once for a machine: it takes seconds, table by table, of each study."""
    return made_once(cache_folder() / "mlflow" / f"{mlflow.__version__}.db", _make_tables)


def _make_tables(database: Path) -> None:
    engine = create_engine(f"sqlite:///{database}")
    _initialize_tables(engine)  # type: ignore[no-untyped-call]
    engine.dispose()


def check_store(uri: str) -> None:
    """Raise UserError when a store can't be used, before anything is written for it."""
    try:
        _client(uri).search_experiments(max_results=1)
    except STORE_ERRORS as error:
        raise _unusable(uri, error) from error


def _client(uri: str) -> MlflowClient:
    _quiet()
    try:
        return MlflowClient(tracking_uri=uri)
    except Exception as error:  # a database is migrated here, which raises whatever it meets
        raise _unusable(uri, error) from error


def _quiet() -> None:
    for name in ("alembic", "mlflow.store.db.utils", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _experiment(client: MlflowClient, study: StudyRecord, artifacts: Path | None) -> str:
    """Return the id of a study's experiment, made with its tags where absent."""
    tags, place = experiment_tags(study), artifacts.absolute().as_uri() if artifacts else None
    found = client.get_experiment_by_name(study.study)
    if not found:
        try:
            return str(client.create_experiment(study.study, place, tags))
        except MlflowException:  # another study, or a first request whose answer was lost, has just made it
            found = client.get_experiment_by_name(study.study)
            if not found:
                raise
    # no more than differ: of two studies that add the same tag at once, MLflow refuses one
    for key, value in tags.items():
        if found.tags.get(key) != value:
            client.set_experiment_tag(found.experiment_id, key, value)
    return str(found.experiment_id)


def _parent(client: MlflowClient, experiment: str, study: StudyRecord) -> Run:
    """Return the study's one parent run, made where absent."""
    condition = f"tags.`{STUDY}` = '{study.study_id}'"
    if not list(_search(client, experiment, condition)):
        client.create_run(experiment, tags={STUDY: study.study_id}, run_name=f"{study.study} on {study.benchmark}")
    # two where the answer to the first request was lost; the newest is the one that children may have
    newest, *others = _search(client, experiment, condition)
    for run in others:
        client.delete_run(run.info.run_id)
    return newest


def _search(client: MlflowClient, experiment: str, condition: str) -> Iterator[Run]:
    token: str | None = None
    while True:
        page = client.search_runs([experiment], condition, max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _children(client: MlflowClient, experiment: str, parent: str, condition: str) -> list[Run]:
    return list(_search(client, experiment, f"tags.`{PARENT}` = '{parent}'{condition}"))


def _runs(client: MlflowClient, uri: str, experiment: str, parent: str) -> Runs:
    children = {
        run.data.tags[TRIAL]: run.info.run_id
        for run in _children(client, experiment, parent, f" and tags.`{TRIAL}` != ''")
        if run.info.status != "RUNNING"
    }
    return Runs(without_password(uri), experiment, parent, children)


def _unusable(uri: str, error: Exception) -> UserError:
    """Say which store, why, and what to do."""
    shown, scheme = without_password(uri), urlsplit(uri).scheme
    cause, advice = _first_sentence(error), "check --tracking-uri"
    if getattr(error, "get_http_status_code", int)() in (401, 403):
        cause = "it wants a user name and password"
        advice = "set $MLFLOW_TRACKING_USERNAME and $MLFLOW_TRACKING_PASSWORD"
    elif scheme in ("http", "https"):
        cause = "nothing answers there" if isinstance(error.__context__, OSError) else cause
    elif scheme.partition("+")[0] in DATABASE_ENGINES and not isinstance(error, OSError):
        advice = (
            f"if another version of MLflow made this database, install that one or run `mlflow db upgrade {shown}`; if it is "
            "torn, move it away, and the study's command fills a new one from its folder"
        )
    return UserError(f"the tracking store {shown} can't be used ({cause.replace(uri, shown)}): {advice}")


def _first_sentence(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0].partition(". ")[0].strip(" .")[:200]
    return text if isinstance(error, STORE_ERRORS) and text else f"{type(error).__name__}: {text}"
