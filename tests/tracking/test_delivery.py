"""Records reach MLflow once, whether the server is there or not."""

from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from nadlab.study.folder import StudyFolder, read_owner
from nadlab.study.records import Record
from nadlab.tracking.content import TRIAL
from nadlab.tracking.delivery import Delivery
from nadlab.tracking.mlflow_internals import PARENT
from nadlab.tracking.tracker import Tracker
from perf.mlflow_server import Server

pytestmark = pytest.mark.services


@pytest.fixture
def folder(smoke_study: Any) -> StudyFolder:
    owner = read_owner(smoke_study.out)
    assert owner
    return StudyFolder(smoke_study.out, owner)


def children(tracker: Tracker) -> list[Run]:
    return list(tracker.client.search_runs([tracker.experiment], f"tags.`{PARENT}` = '{tracker.parent}'"))


def test_records_submitted_while_the_server_is_down_are_delivered_once_when_it_is_back(
    folder: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    first, *others = folder.records()
    server = Server(tmp_path, ("--workers", "1"))
    try:
        server.start()
        server.wait()
        tracker = Tracker.connect(server.address, folder.study, None)
        with Delivery(tracker, folder) as delivery:
            delivery.submit(first)
            assert delivery.wait() == 0
            server.kill()
            for record in others:
                delivery.submit(record)
            assert delivery.wait() == len(others)
            server.start()
            server.wait()
            delivery.submit(first)
            assert delivery.wait() == 0
        found = children(tracker)
        assert sorted(run.data.tags[TRIAL] for run in found) == sorted(each.trial.id for each in [first, *others])
        assert {run.info.status for run in found} == {"FINISHED"}
    finally:
        server.kill()


def test_store_that_hangs_is_not_asked_once_a_record(folder: StudyFolder) -> None:
    asked, released = [], Event()

    class Hanging:
        at_once = 1

        def deliver(self, batch: list[Any]) -> None:
            asked.append(batch)
            released.wait(60)
            raise ConnectionError("no answer")

    with Delivery(Hanging(), folder) as delivery:  # type: ignore[arg-type]
        for record in folder.records() * 10:
            delivery.submit(record)
        released.set()
        assert delivery.wait() == 10 * len(folder.records())
    assert len(asked) <= 3


def test_records_of_several_trials_are_on_their_way_at_once_and_of_one_trial_the_last_stays(
    folder: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = folder.records()
    write, together = Tracker._write, Barrier(len(records), timeout=60)

    def meeting(tracker: Tracker, record: Record, checkpoint: Path) -> None:
        if record.status == "FINISHED":
            together.wait()
        write(tracker, record, checkpoint)

    monkeypatch.setattr(Tracker, "_write", meeting)
    monkeypatch.setattr(Tracker, "at_once", 2 * len(records))
    tracker = Tracker.connect(f"sqlite:///{tmp_path / 'mlflow.db'}", folder.study, tmp_path / "artifacts")
    with Delivery(tracker, folder) as delivery:
        delivery._queue.extend([*records, replace(records[0], status="FAILED", error="later")])
        assert delivery.wait() == 0
    status = {run.data.tags[TRIAL]: run.info.status for run in children(tracker)}
    assert len(children(tracker)) == len(records) == len(status)
    assert status.pop(records[0].trial.id) == "FAILED"
    assert set(status.values()) == {"FINISHED"}


def test_runs_that_a_repeated_request_made_twice_are_gone_when_a_study_ends(
    folder: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_run = MlflowClient.create_run

    def twice(client: MlflowClient, *arguments: Any, **options: Any) -> Run:
        create_run(client, *arguments, **options)
        return create_run(client, *arguments, **options)

    monkeypatch.setattr(MlflowClient, "create_run", twice)
    tracker = Tracker.connect(f"sqlite:///{tmp_path / 'mlflow.db'}", folder.study, tmp_path / "artifacts")
    with Delivery(tracker, folder) as delivery:
        for record in folder.records():
            delivery.submit(record)
        assert delivery.wait() == 0
    assert len(children(tracker)) == len(folder.records())
    assert {run.info.status for run in children(tracker)} == {"FINISHED"}
    again = Tracker.connect(tracker.uri, folder.study, None)
    assert again.parent == tracker.parent


def test_trial_that_goes_on_shows_what_it_has_found_and_ends_as_the_same_run(
    folder: StudyFolder, tmp_path: Path
) -> None:
    record, other, *_ = folder.records()
    tracker = Tracker.connect(f"sqlite:///{tmp_path / 'mlflow.db'}", folder.study, tmp_path / "artifacts")
    with Delivery(tracker, folder) as delivery:
        for epoch in (1, 2):
            delivery.going_on(record.trial, {"epoch": epoch, "queries": 20, "best_test": 90.0 + epoch, "regret": None})
        delivery.submit(other)  # which cleans up what is incomplete, but no run of a trial that goes on
        delivery._thread.submit(int).result()
        (going,) = [run for run in children(tracker) if run.info.status == "RUNNING"]
        assert going.data.metrics == {"incumbent/test_accuracy": 92.0}
        assert (going.data.tags["epoch"], going.data.params["seed"]) == ("2", str(record.trial.seed))
        delivery.submit(record)
        assert delivery.wait() == 0
    found = {run.data.tags[TRIAL]: run for run in children(tracker)}
    assert len(children(tracker)) == len(found) == 2
    ended = found[record.trial.id]
    assert (ended.info.run_id, ended.info.status) == (going.info.run_id, "FINISHED")
    assert ended.data.metrics["incumbent/test_accuracy"] == record.metrics["best_reported"]
    assert ended.inputs
    assert (ended.info.run_name, len(ended.inputs.dataset_inputs)) == (going.info.run_name, 1)


def test_trial_that_is_run_again_ends_as_one_run(folder: StudyFolder, tmp_path: Path) -> None:
    record, *_ = folder.records()
    tracker = Tracker.connect(f"sqlite:///{tmp_path / 'mlflow.db'}", folder.study, tmp_path / "artifacts")
    with Delivery(tracker, folder) as delivery:
        delivery.submit(replace(record, status="FAILED", error="no memory"))
        delivery._thread.submit(int).result()
        delivery.going_on(record.trial, {"epoch": 1, "queries": 20})
        delivery._thread.submit(int).result()
        delivery.submit(record)
        assert delivery.wait() == 0
    assert [run.info.status for run in children(tracker)] == ["FINISHED"]
