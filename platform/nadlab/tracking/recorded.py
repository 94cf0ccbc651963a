"""A trial as its run in MLflow holds it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nadlab.errors import UserError
from nadlab.study.records import Trial
from nadlab.tracking.content import LEDGER, TRIAL_CONTENT
from nadlab.tracking.runs import without_password
from nadlab.tracking.store import STORE_ERRORS, check_store, existing_client

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class RecordedTrial:
    """A finished trial, its run, and the client that read it."""

    client: "MlflowClient"
    run: "Run"
    trial: Trial
    ledger: list[dict[str, Any]]
    """a row a query"""


def recorded_trial(run_id: str, tracking_uri: str) -> RecordedTrial:
    """Return the trial of a run; raise UserError when it can't be read or is not a finished trial."""
    client = existing_client(tracking_uri)
    check_store(tracking_uri)
    try:
        run = client.get_run(run_id)
    except STORE_ERRORS as error:
        raise UserError(
            f"run {run_id} can't be read from {without_password(tracking_uri)}: check it, a run's id in MLflow, and --tracking-uri"
        ) from error
    trial = _trial(run)
    try:
        ledger = json.loads(Path(client.download_artifacts(run_id, LEDGER)).read_text(encoding="utf-8"))
        rows = [dict(zip(ledger["columns"], row, strict=True)) for row in ledger["data"]]
    except (*STORE_ERRORS, ValueError, LookupError, TypeError) as error:
        raise UserError(
            f"the ledger of run {run_id} is missing or damaged ({error!r:.200}): name another run"
        ) from error
    return RecordedTrial(client, run, trial, rows)


def _trial(run: "Run") -> Trial:
    content = run.data.tags.get(TRIAL_CONTENT)
    if not content:
        raise UserError(f"run {run.info.run_id} is not a trial of a study, or older than this command: name another")
    if run.info.status != "FINISHED":
        raise UserError(f"run {run.info.run_id} is {run.info.status}: only a finished trial has numbers to reproduce")
    return Trial(**json.loads(content))
