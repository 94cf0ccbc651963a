"""A study in MLflow: one parent run, one child a trial, written by the driver alone.

A child is delivered from its record on disk and ends only when it is complete. A child that still runs is therefore
incomplete: it is deleted and delivered again. Trials are found by the tag `nadlab.trial_id`.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from mlflow import MlflowClient
from mlflow.entities import Metric, Run, RunTag
from mlflow.exceptions import MlflowException

from nadlab.study.records import Record, StudyRecord
from nadlab.tracking import mlflow_internals as internals
from nadlab.tracking.content import (
    LEDGER,
    RECORD,
    STUDY,
    TRIAL,
    experiment_description,
    ledger_text,
    study_params,
    study_tags,
    trial_description,
    trial_metrics,
    trial_params,
    trial_tags,
)
from nadlab.tracking.live import LiveRuns
from nadlab.tracking.mlflow_internals import DESCRIPTION, PARENT
from nadlab.tracking.names import run_name
from nadlab.tracking.runs import Runs, without_password
from nadlab.tracking.store import STORE_ERRORS, existing_client, open_client, unusable

VALUES_A_CALL = 1000
"""metrics and parameters together, as MLflow's servers allow"""
SERVED_AT_ONCE = 8
"""deliveries to a server at once: network, database and file store each take their time"""


class Tracker:
    """One study's runs in one MLflow store. Methods raise STORE_ERRORS when the store is gone."""

    def __init__(self, uri: str, client: MlflowClient, experiment: str, parent: str, study: StudyRecord) -> None:
        self.uri = uri
        self.client = client
        self.experiment = experiment
        self.parent = parent
        self.study = study
        self.live = LiveRuns(client, experiment, parent, study)
        self._delivered: dict[str, str] | None = None
        self._threads = ThreadPoolExecutor(self.at_once, thread_name_prefix="mlflow")

    @classmethod
    def connect(cls, uri: str, study: StudyRecord, artifacts: Path | None) -> "Tracker":
        """Open the study's experiment and parent run, made where absent; UserError when the store can't be used.

        artifacts: where a new experiment keeps its files; None leaves that to the server.
        """
        client = open_client(uri)
        try:
            experiment = _experiment(client, study, artifacts)
            run = _parent(client, experiment, study)
            parent = run.info.run_id
            # every time: a kill may have come between the run and its content; a report stays until the next one
            tags = [tag for tag in study_tags(study) if tag.key != DESCRIPTION or DESCRIPTION not in run.data.tags]
            client.log_batch(parent, params=study_params(study), tags=tags)
            internals.log_benchmark(client, parent, study)
            client.update_run(parent, "RUNNING")
        except STORE_ERRORS as error:
            raise unusable(uri, error) from error
        return cls(uri, client, experiment, parent, study)

    @property
    def at_once(self) -> int:
        """Deliveries that may be on their way at once: a server takes several, a SQLite file one."""
        return 1 if urlsplit(self.uri).scheme.startswith("sqlite") else SERVED_AT_ONCE

    @property
    def comparison(self) -> str:
        """The link to all trials side by side, relative to the address of the UI."""
        return internals.view_link(self.experiment, "trials")

    def deliver(self, records: Sequence[tuple[Record, Path]]) -> None:
        """Write these records of different trials, with their checkpoints, to child runs; runs that hold them already stay.

        All are written at once; when this returns or raises, none is being written.
        """
        delivered = self.clean_up() if self._delivered is None else self._delivered
        self._delivered = None  # until this delivery is complete: after a failure the runs are read again

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

    def clean_up(self) -> dict[str, str]:
        """Delete incomplete and duplicate children, but those of trials that go on; return trial -> record digest of the others.

        MLflow's client repeats requests whose answers are lost, also those to make a run.
        """
        complete: dict[str, str] = {}
        for run in _children(self.client, self.experiment, self.parent, ""):
            trial = run.data.tags.get(TRIAL, "")
            if run.info.run_id == self.live.ids.get(trial):
                continue
            if run.info.status == "RUNNING" or trial in complete:
                self.client.delete_run(run.info.run_id)
            else:
                complete[trial] = run.data.tags[RECORD]
        self._delivered = complete
        return complete

    def _delete(self, record: Record) -> None:
        for run in _children(self.client, self.experiment, self.parent, f" and tags.`{TRIAL}` = '{record.trial.id}'"):
            if run.info.run_id != self.live.ids.get(record.trial.id):
                self.client.delete_run(run.info.run_id)

    def _write(self, record: Record, checkpoint: Path) -> None:
        name = run_name(self.study, record.trial)
        parent = internals.run_link(self.experiment, self.parent)
        description = trial_description(record, self.study, parent, self.comparison)
        tags = trial_tags(record, self.study) | {PARENT: self.parent, DESCRIPTION: description}
        # no longer among those that go on: should this fail, it is incomplete as any other
        if run_id := self.live.ids.pop(record.trial.id, ""):
            self.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
        else:
            run_id = self.client.create_run(self.experiment, int(record.started * 1000), tags, name).info.run_id
            internals.log_benchmark(self.client, run_id, self.study)
        params, metrics = trial_params(record.trial), trial_metrics(record, self.study)
        first = VALUES_A_CALL - len(params)
        self.client.log_batch(run_id, metrics[:first], params)
        for start in range(first, len(metrics), VALUES_A_CALL):
            self.client.log_batch(run_id, metrics[start : start + VALUES_A_CALL])
        if record.ledger:
            self.client.log_text(run_id, ledger_text(record), LEDGER)
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
        means = internals.view_link(self.experiment, "levels")
        page = internals.run_link(self.experiment, self.parent, f"/artifacts/report/{files[0].name}")
        links = f"Read [the whole report]({page}), compare [the trials]({self.comparison}) or [the means of the levels]({means})."
        shown = internals.plots(self.parent, "report", folder, files)
        self.client.set_tag(self.parent, DESCRIPTION, f"{links}\n\n{markdown}\n\n{shown}")
        for file in files:
            self.attach([file], str("report" / file.parent.relative_to(folder)))
        self.client.log_batch(self.parent, [Metric(*each, int(time.time() * 1000), 0) for each in metrics.items()])

    def attach(self, files: Sequence[Path], folder: str) -> None:
        """Put files into a folder of the parent run."""
        for file in files:
            self.client.log_artifact(self.parent, str(file), folder)

    def close(self, status: str) -> None:
        """End the parent run as FINISHED, FAILED or KILLED."""
        self.client.set_terminated(self.parent, status)


def find_runs(uri: str, study: StudyRecord) -> Runs | None:
    """Return a study's runs in a store that is only read; None where it holds none. UserError when it can't be used."""
    client = existing_client(uri)
    try:
        found = client.get_experiment_by_name(study.study)
        if not found:
            return None
        parent = next(_search(client, found.experiment_id, f"tags.`{STUDY}` = '{study.study_id}'"), None)
        return _runs(client, uri, found.experiment_id, parent.info.run_id) if parent else None
    except STORE_ERRORS as error:
        raise unusable(uri, error) from error


def _experiment(client: MlflowClient, study: StudyRecord, artifacts: Path | None) -> str:
    """Return the id of a study's experiment, made where absent, with its tags."""
    tags, location = internals.experiment_tags(study), artifacts.absolute().as_uri() if artifacts else None
    found = client.get_experiment_by_name(study.study)
    if not found:
        try:
            found = client.get_experiment(client.create_experiment(study.study, location, tags))
        except MlflowException:  # another study, or a first request whose answer was lost, has just made it
            found = client.get_experiment_by_name(study.study)
            if not found:
                raise
    tags[DESCRIPTION] = experiment_description(found.experiment_id, study)
    for key, value in tags.items():
        if found.tags.get(key) != value:
            internals.tried_twice(partial(client.set_experiment_tag, found.experiment_id, key, value))
    return str(found.experiment_id)


def _parent(client: MlflowClient, experiment: str, study: StudyRecord) -> Run:
    """Return the study's one parent run, made where absent."""
    condition = f"tags.`{STUDY}` = '{study.study_id}'"
    if not list(_search(client, experiment, condition)):
        client.create_run(experiment, tags={STUDY: study.study_id}, run_name=f"{study.study} on {study.benchmark_text}")
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
