"""Run a study: the missing trials go through Ray Tune to disk, and from there to MLflow and into the report.

What a trainable must give: see `trainables/biarch2perf.py`. It gets config["trial"] = benchmark, seed, settings,
epochs_per_step, resume, watch; each result holds `epoch` and numbers, the last one `done`, `history` and `ledger`.
"""

import signal
import uuid
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import click

from nadlab.analysis.reports import AnyReport, show, write_report
from nadlab.benchmarks.oracle import Oracle
from nadlab.benchmarks.registry import benchmark
from nadlab.cluster import check_address, connected
from nadlab.course import Course, Listed
from nadlab.delivery import Delivery
from nadlab.folder import StudyFolder
from nadlab.own_code import own_packages
from nadlab.packs import Packing, packed
from nadlab.records import Record, StudyRecord
from nadlab.runs import Runs, without_password
from nadlab.stopping import Stopped, Stopping
from nadlab.study import Study, described, plan
from nadlab.terminal import console
from nadlab.tracking import STORE_ERRORS, Tracker, check_store, made_store
from nadlab.tune import run_trials
from nadlab.worker import check_tables, prepared


@dataclass(frozen=True)
class Place:
    """Where and how a study runs."""

    out: Path
    tracking_uri: str | None = None
    """None: a SQLite store in `out`"""
    address: str | None = None
    """None: a Ray cluster of this process"""
    concurrent: int | None = None
    """None: one trial a CPU"""
    gpus_per_trial: float | None = None
    """a fraction or a number; None: an even share of what the cluster has"""
    pack: int = 1
    """trials that are trained at once in one process, at most, where the trainable can"""


def run_study(study: Study, oracle: Oracle, place: Place) -> int:
    """Run what is missing, deliver, report; return 0, 1 when something failed, or 128 + signal when stopped.

    Raises UserError before any trial when the request can't be met.
    """
    trials = plan(study, oracle)

    def course(folder: StudyFolder) -> Course:
        records = [record for trial in trials if (record := folder.record(trial))]
        return Listed(trials, {record.trial.id for record in records if record.status != "FAILED"})

    names = {name for trial in trials for name in trial.settings.values()}
    return conduct(described(study, oracle, uuid.uuid4().hex), study.trainable, place, course, names)


def conduct(
    study: StudyRecord,
    trainable: type,
    place: Place,
    course: Callable[[StudyFolder], Course],
    names: Collection[object] = (),
) -> int:
    """Run a course of trials in a study's folder, and report; returns as `run_study`.

    names: values of settings; the nodes of a cluster get the modules of those that are `module:object`.
    """
    own = own_packages([study.benchmark, *names])
    trainable, packing = packed(trainable, place.pack)
    if place.address:
        check_address(place.address)
    if place.tracking_uri:
        check_store(place.tracking_uri)
    stopping = Stopping()
    with stopping.caught(), StudyFolder.claim(place.out, study) as folder:
        uri, artifacts = (place.tracking_uri, None) if place.tracking_uri else made_store(place.out)
        tracker = Tracker.connect(uri, folder.study, artifacts)
        try:
            return _run(trainable, packing, course(folder), folder, tracker, place, stopping, own)
        except (Stopped, SystemExit) as stop:  # SystemExit: Ray's own answer to SIGTERM while it starts
            number = stop.number if isinstance(stop, Stopped) else signal.SIGTERM
            with suppress(*STORE_ERRORS):  # a store that is down keeps nobody from stopping
                tracker.close("KILLED")
            click.echo(f"Stopped. What is done is kept in {place.out}: the same command goes on from here.", err=True)
            return 128 + number


def _run(
    trainable: type,
    packing: Packing,
    course: Course,
    folder: StudyFolder,
    tracker: Tracker,
    place: Place,
    stopping: Stopping,
    own: Sequence[ModuleType],
) -> int:
    screen = console()
    screen.print(
        f"{folder.study.study} on {folder.study.benchmark}: {course.total} trials, {course.total - course.trials} of them "
        f"done, in {folder.path}"
    )
    with Delivery(tracker, folder) as delivery:
        for record in folder.records():
            delivery.hand_in(record)
        if not course.over:
            with stopping.held(), connected(place.address, place.concurrent, trainable, own):
                stopping.install()  # again: Ray has put its own handler in place
                if place.address:
                    check_tables(folder.study.benchmark, folder.study.digest)
                run_trials(
                    prepared(trainable, benchmark(folder.study.benchmark).space), course, folder, place.concurrent,
                    place.gpus_per_trial, delivery.hand_in, stopping.check, packing,
                )  # fmt: skip
        undelivered = delivery.wait()
    records = folder.records()
    report, files = write_report(folder.study, records, _runs(tracker), folder.path)
    show(report, screen)
    screen.print(f"Report: {files[0]}", soft_wrap=True)
    screen.print(f"Trials in MLflow: {_where(tracker, place.tracking_uri, place.out)}", soft_wrap=True)
    failed = [each for each in records if each.status == "FAILED" and each.trial.id in course.asked]
    return _conclude(tracker, folder, failed, undelivered, report, files)


def _runs(tracker: Tracker) -> Runs | None:
    try:
        return tracker.runs()
    except STORE_ERRORS as error:
        click.echo(f"error: the report names no MLflow runs: {error}", err=True)
        return None


def _where(tracker: Tracker, uri: str | None, out: Path) -> str:
    if uri and urlsplit(uri).scheme in ("http", "https"):
        return f"{without_password(uri).rstrip('/')}/{tracker.comparison}"
    served = f"--store {without_password(uri)}" if uri else f"--folder {out}"
    return f"start nadlab mlflow {served} and open http://127.0.0.1:5000/{tracker.comparison}"


def _conclude(
    tracker: Tracker, folder: StudyFolder, failed: list[Record], undelivered: int, report: AnyReport, files: list[Path]
) -> int:
    for record in failed:
        last = (record.error or "").strip().splitlines()[-1]
        name = f"{folder.study.factor} {folder.study.level(record.trial)}, seed {record.trial.seed}"
        click.echo(f"error: trial {name} failed: {last}; traceback in {folder.trial_path(record.trial)}", err=True)
    if not failed:
        folder.clear_engine()
    try:
        tracker.report(report.markdown(), folder.path, files, report.metrics())
        tracker.attach(folder.attached(), "provenance")
        tracker.close("FAILED" if failed else "FINISHED")
    except STORE_ERRORS as error:
        undelivered += 1
        click.echo(f"error: the report did not reach MLflow: {error}", err=True)
    if undelivered:
        click.echo("error: MLflow did not take everything: the same command delivers what is missing", err=True)
    return 1 if failed or undelivered else 0
