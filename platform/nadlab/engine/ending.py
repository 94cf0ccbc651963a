"""What a study leaves beside its records: its runs in MLflow and its report."""

import shlex
from contextlib import suppress
from urllib.parse import urlsplit

import click

from nadlab.analysis.reports import show, write_report
from nadlab.cluster.execution import ExecutionConfig
from nadlab.schedule.trial_schedule import TrialSchedule
from nadlab.study.folder import StudyFolder
from nadlab.study.records import StudyRecord
from nadlab.terminal import console
from nadlab.tracking.names import run_name
from nadlab.tracking.runs import Runs, without_password
from nadlab.tracking.store import STORE_ERRORS, made_store
from nadlab.tracking.tracker import Tracker


def tracked(study: StudyRecord, execution: ExecutionConfig) -> Tracker:
    """Return the study's runs in the store of `--tracking-uri`, or in its own; UserError when that can't be used."""
    uri, artifacts = (execution.tracking_uri, None) if execution.tracking_uri else made_store(execution.out)
    return Tracker.connect(uri, study, artifacts)


def close(tracker: Tracker, status: str) -> None:
    """Say in MLflow how a study ended early; a store that is down must not prevent it."""
    with suppress(*STORE_ERRORS):
        tracker.close(status)


def conclude(
    schedule: TrialSchedule, folder: StudyFolder, tracker: Tracker, execution: ExecutionConfig, undelivered: int
) -> int:
    """Write the report to the folder and to MLflow, show it, name the failures; return the exit status."""
    screen, records = console(), folder.records()
    report, files = write_report(folder.study, records, _runs(tracker), folder.path)
    show(report, screen)
    screen.print(f"Report: {files[0]}", soft_wrap=True)
    screen.print(f"Trials in MLflow: {_where(tracker, execution)}", soft_wrap=True)
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


def _where(tracker: Tracker, execution: ExecutionConfig) -> str:
    uri = execution.tracking_uri
    if uri and urlsplit(uri).scheme in ("http", "https"):
        return f"{without_password(uri).rstrip('/')}/{tracker.comparison}"
    served = f"--store {shlex.quote(without_password(uri))}" if uri else f"--folder {shlex.quote(str(execution.out))}"
    return f"start nadlab mlflow {served} and open http://127.0.0.1:5000/{tracker.comparison}"
