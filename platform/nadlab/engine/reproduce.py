"""Reproduce a trial from its run in MLflow, by its checkpoint or by training anew, bit for bit."""

import importlib
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from ray.tune import Trainable

from nadlab.benchmarks.files import short_digest
from nadlab.benchmarks.oracle import Oracle, accuracy, metric_of
from nadlab.benchmarks.registry import benchmark
from nadlab.engine.request import request
from nadlab.errors import UserError
from nadlab.provenance.code import Sources, origin
from nadlab.provenance.differences import differing, mismatches
from nadlab.provenance.hardware import hardware
from nadlab.queries.goals import Goals
from nadlab.queries.ledger import Query, best
from nadlab.semigan.checkpoint import STATE, redesigned
from nadlab.study.records import Trial
from nadlab.tracking.content import TRAINED
from nadlab.tracking.names import incumbent
from nadlab.tracking.recorded import recorded_trial
from nadlab.tracking.store import STORE_ERRORS

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True, slots=True)
class Reproduction:
    """The numbers of a run as recorded and as reproduced; answers in the metric's unit."""

    run: str
    recorded: float
    reproduced: float
    queries: int
    different_queries: int
    """that differ from the recorded ledger in cell or accuracy"""
    notes: tuple[str, ...]
    """accepted differences between the recorded machine and this one"""
    unit: str
    """of the benchmark's metric, empty where it has none"""

    @property
    def equal(self) -> bool:
        """Whether accuracy and ledger are the recorded ones, bit for bit."""
        return self.recorded == self.reproduced and not self.different_queries


def reproduce(run_id: str, tracking_uri: str, retrain: bool, anyway: bool) -> Reproduction:
    """Design anew from a run's checkpoint or, with `retrain`, run its trial from the start.

    Raises UserError when the run can't be read, its benchmark is another here or, but with `anyway`, code or packages
    that decide its numbers are.
    """
    recorded = recorded_trial(run_id, tracking_uri)
    client, run, trial, original = recorded.client, recorded.run, recorded.trial, recorded.ledger
    oracle = _same_benchmark(run, trial)
    trainable = _trainable(trial)
    unlike = _unlike_alone(run) if retrain else None
    if unlike and not anyway:
        raise UserError(f"run {run_id} {unlike}: leave out --retrain, or try --anyway")
    notes = [*([f"the run {unlike}"] if unlike else []), *_notes(client, run, trial, anyway)]
    reported = run.data.metrics.get(incumbent(oracle.report_split, metric_of(oracle)))
    if reported is None:
        raise UserError(f"no cell of run {run_id} keeps the trial's constraints: it has no number to reproduce")
    ledger = _retrained(trainable, trial) if retrain else _from_checkpoint(client, run, trial, oracle)
    again = [{name: query[name] for name in ("number", "key", "cell", "valid", "test")} for query in ledger]
    different = sum(not two.items() <= one.items() for one, two in zip(original, again, strict=False))
    different += abs(len(original) - len(ledger))
    return Reproduction(
        run_id, reported, _best(ledger, oracle, Goals.in_settings(trial.settings)), len(original),
        different, tuple(notes), metric_of(oracle).unit,
    )  # fmt: skip


def _unlike_alone(run: "Run") -> str | None:
    """Return why training a run's trial alone on one machine can't repeat it bit for bit; None where it can."""
    trained, packed = run.data.tags.get(TRAINED, ""), "packed" in run.data.tags
    ways = {trained[start : trained.find(")", start)] for start, sign in enumerate(trained) if sign == "("}
    if not packed and len(ways) <= 1:
        return None
    how = f"was trained in {trained}" if trained else "was trained in a pack"
    return f"{how}, and differs by rounding from a trial that is trained alone on one backend"


def _same_benchmark(run: "Run", trial: Trial) -> Oracle:
    oracle = benchmark(trial.benchmark, trial.protocol)
    if oracle.digest != trial.digest:
        raise UserError(
            f"run {run.info.run_id} queried another version of {trial.benchmark} (digest {short_digest(trial.digest)}, here "
            f"{short_digest(oracle.digest)}): put its file in $NADLAB_DATA or the cache"
        )
    return oracle


def _trainable(trial: Trial) -> type[Trainable]:
    module, _, name = trial.trainable.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"the trial ran {trial.trainable}, which is not installed here ({error})") from error
    if not (isinstance(found, type) and issubclass(found, Trainable)):
        raise UserError(f"the trial says that it ran {trial.trainable}, which is not a trainable")
    return found


def _notes(client: "MlflowClient", run: "Run", trial: Trial, anyway: bool) -> list[str]:
    here = origin(trial.trainable, [trial.benchmark, *trial.settings.values()])
    ran = _sources(client, run) if differing(run.data.tags, here.values) else {}
    others = mismatches(run.data.tags, here.values, ran, here.sources)
    if others and not anyway:
        revision = run.data.tags.get("git_revision", "unknown")
        raise UserError(
            f"run {run.info.run_id} may not be reproduced exactly: {'; '.join(others)}. Check out its code (git revision "
            f"{revision}) and install its packages, or try --anyway"
        )
    machine = hardware()
    return others + [
        f"{name} was {run.data.tags.get(name, 'not recorded')}, here it is {machine[name]}"
        for name in ("cpu", "gpus", "cpp_compiler")
        if run.data.tags.get(name) != machine[name]
    ]


def _sources(client: "MlflowClient", run: "Run") -> Sources:
    """Return what ran, as the study's run keeps it; empty where it does not, as in early versions."""
    tags = run.data.tags
    try:
        kept = client.download_artifacts(tags["mlflow.parentRunId"], f"provenance/{tags['sources']}")
        found: Sources = json.loads(Path(kept).read_text(encoding="utf-8"))
        return found
    except (KeyError, *STORE_ERRORS):
        return {}


def _from_checkpoint(client: "MlflowClient", run: "Run", trial: Trial, oracle: Oracle) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            checkpoint = Path(client.download_artifacts(run.info.run_id, "checkpoint", folder))
            (checkpoint / STATE).stat()
        except (*STORE_ERRORS, FileNotFoundError) as error:
            raise UserError(
                f"run {run.info.run_id} has no trained networks to go on from: {trial.trainable} runs again with --retrain"
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


def _best(ledger: list[dict[str, Any]], oracle: Oracle, goals: Goals) -> float:
    queries = [query for each in ledger if goals.feasible(query := Query(**each))]
    return accuracy(best(queries, oracle.search_split, metric_of(oracle)), oracle.report_split)
