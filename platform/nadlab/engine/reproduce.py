"""Reproduce a trial from its run in MLflow, by its checkpoint or by training anew, bit for bit."""

import importlib
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from ray.tune import Trainable

from nadlab.benchmarks.oracle import Oracle, accuracy, metric_of
from nadlab.benchmarks.registry import benchmark
from nadlab.engine.request import request
from nadlab.errors import UserError
from nadlab.provenance.code import mismatches
from nadlab.provenance.hardware import hardware
from nadlab.queries.ledger import Query, best
from nadlab.semigan.checkpoint import redesigned
from nadlab.study.records import Trial
from nadlab.tracking.content import LEDGER, TRIAL_CONTENT
from nadlab.tracking.runs import without_password
from nadlab.tracking.store import STORE_ERRORS, check_store, open_client

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True, slots=True)
class Reproduction:
    """The numbers of a run as recorded and as reproduced; accuracies in percent."""

    run: str
    recorded: float
    reproduced: float
    queries: int
    different_queries: int
    """that differ from the recorded ledger in cell or accuracy"""
    notes: tuple[str, ...]
    """accepted differences between the recorded machine and this one"""

    @property
    def equal(self) -> bool:
        """Whether accuracy and ledger are the recorded ones, bit for bit."""
        return self.recorded == self.reproduced and not self.different_queries


def reproduce(run_id: str, tracking_uri: str, retrain: bool, anyway: bool) -> Reproduction:
    """Design anew from a run's checkpoint or, with `retrain`, run its trial from the start.

    Raises UserError when the run can't be read, its benchmark is another here or, but with `anyway`, code or packages
    that decide its numbers are.
    """
    check_store(tracking_uri)
    client = open_client(tracking_uri)
    try:
        run = client.get_run(run_id)
        trial = _trial(run)
        recorded = json.loads(Path(client.download_artifacts(run_id, LEDGER)).read_text())
    except STORE_ERRORS as error:
        raise UserError(
            f"run {run_id} can't be read from {without_password(tracking_uri)}: check it and --tracking-uri"
        ) from error
    oracle = _same_benchmark(run, trial)
    trainable = _trainable(trial)
    packed = int(run.data.metrics.get("packed", 1))
    if retrain and packed > 1 and not anyway:
        raise UserError(
            f"run {run_id} was trained in one program with {packed - 1} others, and alone differs by rounding: leave out "
            "--retrain, or try --anyway"
        )
    notes = _notes(run, trainable.__module__.partition(".")[0], anyway)
    ledger = _retrained(trainable, trial) if retrain else _from_checkpoint(client, run, trial, oracle)
    original = [dict(zip(recorded["columns"], row, strict=True)) for row in recorded["data"]]
    different = sum(one != two for one, two in zip(original, ledger, strict=False)) + abs(len(original) - len(ledger))
    return Reproduction(
        run_id, run.data.metrics["best_reported"], _best(ledger, oracle), len(original), different, tuple(notes)
    )  # fmt: skip


def _trial(run: "Run") -> Trial:
    content = run.data.tags.get(TRIAL_CONTENT)
    if not content:
        raise UserError(f"run {run.info.run_id} is no trial of a study, or older than this command: name another")
    if run.info.status != "FINISHED":
        raise UserError(f"run {run.info.run_id} is {run.info.status}: only a finished trial has numbers to reproduce")
    return Trial(**json.loads(content))


def _same_benchmark(run: "Run", trial: Trial) -> Oracle:
    oracle = benchmark(trial.benchmark)
    if oracle.digest != trial.digest:
        raise UserError(
            f"run {run.info.run_id} queried another version of {trial.benchmark} (digest {trial.digest[:12]}, here "
            f"{oracle.digest[:12]}): put its file in $NADLAB_DATA or the cache"
        )
    if oracle.preset != run.data.tags["preset"]:
        raise UserError(
            f"run {run.info.run_id} queried {trial.benchmark} by the preset {run.data.tags['preset']}, here its preset is "
            f"{oracle.preset}"
        )
    return oracle


def _trainable(trial: Trial) -> type[Trainable]:
    module, _, name = trial.trainable.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"the trial ran {trial.trainable}, which is not installed here ({error})") from error
    if not (isinstance(found, type) and issubclass(found, Trainable)):
        raise UserError(f"the trial names {trial.trainable} as what it ran, which is no trainable")
    return found


def _notes(run: "Run", package: str, anyway: bool) -> list[str]:
    others = mismatches(run.data.tags, package)
    if others and not anyway:
        revision = run.data.tags.get("git_revision", "unknown")
        raise UserError(
            f"run {run.info.run_id} can't be reproduced for sure: {'; '.join(others)}. Take its code (git revision "
            f"{revision}) and packages, or try --anyway"
        )
    here = hardware()
    return others + [
        f"{name} was {run.data.tags.get(name, 'not recorded')}, here it is {here[name]}"
        for name in ("cpu", "gpus")
        if run.data.tags.get(name) != here[name]
    ]


def _from_checkpoint(client: "MlflowClient", run: "Run", trial: Trial, oracle: Oracle) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            checkpoint = Path(client.download_artifacts(run.info.run_id, "checkpoint", folder))
        except STORE_ERRORS as error:
            raise UserError(
                f"run {run.info.run_id} has no checkpoint: {trial.trainable} runs again with --retrain"
            ) from error
        torch.set_num_threads(1)  # as in the trial
        return [asdict(query) for query in redesigned(checkpoint, oracle).queries]


def _retrained(trainable: type[Trainable], trial: Trial) -> list[dict[str, Any]]:
    running = trainable({"trial": request(trial)})
    try:
        while not (result := running.train())["done"]:
            pass
    finally:
        running.stop()
    ledger: list[dict[str, Any]] = result["ledger"]
    return ledger


def _best(ledger: list[dict[str, Any]], oracle: Oracle) -> float:
    return accuracy(
        best([Query(**query) for query in ledger], oracle.search_split, metric_of(oracle)), oracle.report_split
    )
