"""Run a study: the missing trials go through Ray Tune to disk, and from there to MLflow and into the report.

What a trainable must give: see `trainables/biarch2perf.py`. It gets config["trial"] = benchmark, seed, settings,
epochs_per_step, resume, watch; each result holds `epoch` and numbers, the last one `done`, `history` and `ledger`.
"""

import signal
import uuid
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import click

from nadlab.analysis.page import Report
from nadlab.analysis.reports import show, write_report
from nadlab.benchmarks.oracle import Oracle
from nadlab.benchmarks.registry import benchmark
from nadlab.cluster.connection import check_address, connected
from nadlab.engine.delivery import Delivery
from nadlab.engine.execution import ExecutionConfig
from nadlab.engine.stopping import Stopped, Stopping
from nadlab.engine.tune import run_trials
from nadlab.engine.worker import check_tables, prepared
from nadlab.plugins import plugin_modules
from nadlab.schedule.packing import Packing, packed
from nadlab.schedule.trial_schedule import FixedSchedule, TrialSchedule
from nadlab.study.folder import StudyFolder
from nadlab.study.records import Record, StudyRecord
from nadlab.study.study import Study, plan, study_record
from nadlab.terminal import console
from nadlab.tracking.runs import Runs, without_password
from nadlab.tracking.tracker import STORE_ERRORS, Tracker, check_store, made_store


def run_study(study: Study, oracle: Oracle, execution: ExecutionConfig) -> int:
    """Run what is missing, deliver, report; return 0, 1 when something failed, or 128 + signal when stopped.

    Raises UserError before any trial when the request can't be met.
    """
    trials = plan(study, oracle)

    def schedule(folder: StudyFolder) -> TrialSchedule:
        records = [record for trial in trials if (record := folder.record(trial))]
        return FixedSchedule(trials, {record.trial.id for record in records if record.status != "FAILED"})

    names = {name for trial in trials for name in trial.settings.values()}
    return conduct(study_record(study, oracle, uuid.uuid4().hex), study.trainable, execution, schedule, names)


def conduct(
    study: StudyRecord,
    trainable: type,
    execution: ExecutionConfig,
    schedule: Callable[[StudyFolder], TrialSchedule],
    names: Collection[object] = (),
) -> int:
    """Run a schedule of trials in a study's folder, and report; returns as `run_study`.

    names: values of settings; the nodes of a cluster get the modules of those that are `module:object`.
    """
    own = plugin_modules([study.benchmark, *names])
    trainable, packing = packed(trainable, execution.pack)
    if execution.address:
        check_address(execution.address)
    if execution.tracking_uri:
        check_store(execution.tracking_uri)
    stopping = Stopping()
    with stopping.caught(), StudyFolder.claim(execution.out, study) as folder:
        uri, artifacts = (execution.tracking_uri, None) if execution.tracking_uri else made_store(execution.out)
        tracker = Tracker.connect(uri, folder.study, artifacts)
        try:
            return _run(trainable, packing, schedule(folder), folder, tracker, execution, stopping, own)
        except (Stopped, SystemExit) as stop:  # SystemExit: Ray's own answer to SIGTERM while it starts
            number = stop.number if isinstance(stop, Stopped) else signal.SIGTERM
            with suppress(*STORE_ERRORS):  # a store that is down keeps nobody from stopping
                tracker.close("KILLED")
            click.echo(
                f"Stopped. What is done is kept in {execution.out}: the same command goes on from here.", err=True
            )
            return 128 + number


def _run(
    trainable: type,
    packing: Packing,
    schedule: TrialSchedule,
    folder: StudyFolder,
    tracker: Tracker,
    execution: ExecutionConfig,
    stopping: Stopping,
    own: Sequence[ModuleType],
) -> int:
    screen = console()
    screen.print(
        f"{folder.study.study} on {folder.study.benchmark}: {schedule.total} trials, {schedule.total - schedule.trials} of them "
        f"done, in {folder.path}"
    )
    with Delivery(tracker, folder) as delivery:
        for record in folder.records():
            delivery.hand_in(record)
        if not schedule.over:
            with stopping.held(), connected(execution.address, execution.concurrent, trainable, own):
                stopping.install()  # again: Ray has put its own handler in place
                if execution.address:
                    check_tables(folder.study.benchmark, folder.study.digest)
                run_trials(
                    prepared(trainable, benchmark(folder.study.benchmark).space), schedule, folder, execution.concurrent,
                    execution.gpus_per_trial, delivery.hand_in, stopping.check, packing,
                )  # fmt: skip
        undelivered = delivery.wait()
    records = folder.records()
    report, files = write_report(folder.study, records, _runs(tracker), folder.path)
    show(report, screen)
    screen.print(f"Report: {files[0]}", soft_wrap=True)
    screen.print(f"Trials in MLflow: {_where(tracker, execution.tracking_uri, execution.out)}", soft_wrap=True)
    failed = [each for each in records if each.status == "FAILED" and each.trial.id in schedule.asked]
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
    tracker: Tracker, folder: StudyFolder, failed: list[Record], undelivered: int, report: Report, files: list[Path]
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
