"""Run a study: missing trials run on Ray Tune, their records go to disk, from there to MLflow and into the report.

A trainable (see `trainables/biarch2perf.py`) takes `nadlab.engine.request.request` as config["trial"]. Each of its
results holds `epoch` and numbers, the last one also `done`, `history` and `ledger`, and where it has them `trained` (how,
by segments) and `diverged` (why the trial failed, a sentence).
"""

import shlex
import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import click

from nadlab.analysis.reports import show, write_report
from nadlab.benchmarks.oracle import Oracle, cost_of
from nadlab.benchmarks.registry import benchmark
from nadlab.cluster.connection import check_address, connected
from nadlab.cluster.execution import ExecutionConfig
from nadlab.cluster.resources import check_room
from nadlab.engine.plans import StudyPlan, on_device, plan_study, without_gpus
from nadlab.engine.tune import run_trials
from nadlab.engine.worker import check_tables, prepared
from nadlab.errors import UserError
from nadlab.evaluations.store import EvaluationStore
from nadlab.interrupts import Stopped, Stopping
from nadlab.plugins import plugin_names
from nadlab.provenance.hardware import has_bfloat16
from nadlab.queries.opening import is_kept
from nadlab.schedule.packing import packed
from nadlab.schedule.trial_schedule import TrialSchedule
from nadlab.study.folder import StudyFolder
from nadlab.study.study import Study
from nadlab.terminal import console
from nadlab.tracking.delivery import Delivery
from nadlab.tracking.names import run_name
from nadlab.tracking.runs import Runs, without_password
from nadlab.tracking.store import STORE_ERRORS, check_store, made_store
from nadlab.tracking.tracker import Tracker


def run_study(study: Study, oracle: Oracle, execution: ExecutionConfig) -> int:
    """Run a study; see `run`."""
    gpus = execution.gpus_per_trial if cost_of(oracle) is None else 0
    bfloat16 = has_bfloat16(execution.address, gpus)
    return run(plan_study(study, oracle, bfloat16), execution)


def run(plan: StudyPlan, execution: ExecutionConfig) -> int:
    """Run what is missing, deliver, report; return 0, 1 when something failed, or 128 + signal when stopped.

    Raises UserError before any trial when the study can't run with these options.
    """
    check_packing(plan, execution)
    execution = without_gpus(plan, execution)
    if execution.address:
        check_address(execution.address)
    if execution.tracking_uri:
        check_store(execution.tracking_uri)
    stopping = Stopping(f"Stopped. The records are in {execution.out}: the same command resumes the study.")
    study = on_device(plan.record, execution.gpus_per_trial)
    with stopping.caught(), StudyFolder.claim(execution.out, study, execution.anyway) as folder:
        tracker = None
        try:
            uri, artifacts = (execution.tracking_uri, None) if execution.tracking_uri else made_store(execution.out)
            tracker = Tracker.connect(uri, folder.study, artifacts)
            schedule = plan.schedule(folder)
            undelivered = _run_trials(plan, schedule, folder, tracker, execution, stopping)
            return _conclude(schedule, folder, tracker, execution, undelivered)
        except (Stopped, SystemExit) as stop:  # SystemExit: Ray's own answer to SIGTERM while it starts
            number = stop.number if isinstance(stop, Stopped) else signal.SIGTERM
            if tracker:
                with suppress(*STORE_ERRORS):  # a store that is down must not prevent stopping
                    tracker.close("KILLED")
            stopping.say()
            return 128 + number


def check_packing(plan: StudyPlan, execution: ExecutionConfig) -> None:
    """Raise UserError when the trials can't share processes as `--pack` requires, or a plugin can't be loaded."""
    plugin_names([plan.record.benchmark, *plan.plugins])
    packed(plan.study.trainable, execution.pack)
    if execution.pack > 1 and plan.prunes:
        raise UserError("trials that share a process (--pack) can't be pruned: leave out --pack or --pruner")


def _run_trials(
    plan: StudyPlan,
    schedule: TrialSchedule,
    folder: StudyFolder,
    tracker: Tracker,
    execution: ExecutionConfig,
    stopping: Stopping,
) -> int:
    """Run the schedule and deliver all records; return how many MLflow did not take."""
    study = folder.study
    console().print(
        f"{study.study} on {study.benchmark_text}: {schedule.total} trials, {schedule.total - schedule.remaining} of them done, "
        f"in {folder.path}"
    )
    trainable, packing = packed(plan.study.trainable, execution.pack)
    plugins = plugin_names([study.benchmark, *plan.plugins])
    for sentence in plan.said(folder.records()):
        console().print(sentence, soft_wrap=True)
    with Delivery(tracker, folder) as delivery:
        for record in folder.records():
            delivery.submit(record)
        if not schedule.over:
            cost, config, store = cost_of(plan.oracle), execution.evaluation, None
            if is_kept(plan.oracle):
                config = replace(config, store=config.store or str(folder.evaluations.absolute()))
                store = EvaluationStore.opened(str(config.store), plan.oracle)
            trainings = store.progress if store and cost else None
            cpus = execution.concurrent if cost is None else None  # trainings use all, however many trials wait
            with stopping.deferred(), connected(execution.address, cpus, trainable, plugins):
                stopping.install()  # again: Ray replaced the handlers
                if cost:
                    check_room(config.granted(cost))
                if execution.address:
                    check_tables(study.benchmark, study.digest, study.preset)
                run_trials(
                    prepared(trainable, benchmark(study.benchmark, study.preset).space), schedule, folder, execution.concurrent,
                    execution.gpus_per_trial, delivery.submit, stopping.check, packing, config, trainings,
                    delivery.going_on,
                )  # fmt: skip
        return delivery.wait()


def _conclude(
    schedule: TrialSchedule, folder: StudyFolder, tracker: Tracker, execution: ExecutionConfig, undelivered: int
) -> int:
    """Write the report to the folder and to MLflow, show it, name the failures; return the exit status."""
    screen, records = console(), folder.records()
    report, files = write_report(folder.study, records, _runs(tracker), folder.path)
    show(report, screen)
    screen.print(f"Report: {files[0]}", soft_wrap=True)
    screen.print(f"Trials in MLflow: {_where(tracker, execution.tracking_uri, execution.out)}", soft_wrap=True)
    failed = [each for each in records if each.status == "FAILED" and each.trial.id in schedule.trial_ids]
    for record in failed:
        last = (record.error or "").strip().splitlines()[-1]
        name = run_name(folder.study, record.trial)
        where = "" if record.diverged else f"; traceback in {folder.trial_path(record.trial)}"
        click.echo(f"error: trial {name} failed: {last}{where}", err=True)
    if all(record.is_final for record in failed):
        folder.clear_engine()
    try:
        tracker.report(report.markdown(), folder.path, files, report.metrics())
        tracker.attach(folder.attached(), "provenance")
        tracker.close("FAILED" if failed else "FINISHED")
    except STORE_ERRORS as error:
        undelivered += 1
        click.echo(f"error: the report did not reach MLflow: {error}", err=True)
    if undelivered:
        click.echo("error: MLflow did not accept everything: the same command delivers what is missing", err=True)
    return 1 if failed or undelivered else 0


def _runs(tracker: Tracker) -> Runs | None:
    try:
        return tracker.runs()
    except STORE_ERRORS as error:
        click.echo(f"error: the report names no MLflow runs: {error}", err=True)
        return None


def _where(tracker: Tracker, uri: str | None, out: Path) -> str:
    if uri and urlsplit(uri).scheme in ("http", "https"):
        return f"{without_password(uri).rstrip('/')}/{tracker.comparison}"
    served = f"--store {shlex.quote(without_password(uri))}" if uri else f"--folder {shlex.quote(str(out))}"
    return f"start nadlab mlflow {served} and open http://127.0.0.1:5000/{tracker.comparison}"
