"""Compare a study that was killed with an uninterrupted one: what is lost, doubled or different, on disk and in MLflow."""

import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run

from nadlab.json_text import strict_json
from nadlab.study.folder import StudyFolder, fingerprints, read_owner
from nadlab.tracking.content import LEDGER, STUDY, TRIAL
from nadlab.tracking.mlflow_internals import PARENT

TENSORS = ("weights.safetensors", "optimizers.safetensors")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Trials of a killed study, counted against those of an uninterrupted one."""

    trials: int
    lost: int
    """without a finished record on disk, or without a finished run in MLflow"""
    doubled: int
    """with two runs in MLflow, in whatever state; and parent runs beyond the first"""
    differing: int
    """whose metrics, curves, ledger or weights differ by a bit"""

    @property
    def clean(self) -> bool:
        """Whether the kills left no trace."""
        return self.lost == self.doubled == self.differing == 0


@dataclass(frozen=True, slots=True)
class StudyLeft:
    """What a study left: on disk and in MLflow by trial, how many runs each trial has there, and the parents."""

    on_disk: dict[str, Any]
    in_mlflow: dict[str, Any]
    runs: Counter[str]
    parents: int


def verdict(killed: StudyLeft, whole: StudyLeft) -> Verdict:
    """Judge a killed study."""
    trials = whole.on_disk.keys()
    lost = [trial for trial in trials if trial not in killed.on_disk or trial not in killed.in_mlflow]
    doubled = sum(count > 1 for count in killed.runs.values()) + killed.parents - 1
    differing = [
        trial
        for trial in trials - set(lost)
        if _differ(killed.on_disk[trial], whole.on_disk[trial])
        or _differ(killed.in_mlflow[trial], whole.in_mlflow[trial])
    ]
    unasked = (killed.on_disk.keys() | killed.in_mlflow.keys()) - trials
    return Verdict(len(trials), len(lost), doubled, len(differing) + len(unasked))


def left_by(out: Path, uri: str) -> StudyLeft:
    """Read all that a study left in its folder and in MLflow, but for times and provenance."""
    owner = read_owner(out)
    assert owner
    folder = StudyFolder(out, owner)
    on_disk = {
        record.trial.id: (
            _numbers(record.metrics),
            record.history,
            record.ledger,
            _tensors(folder.trial_path(record.trial) / "checkpoint"),
        )
        for record in folder.records()
        if record.status == "FINISHED"
    }
    client = MlflowClient(tracking_uri=uri)
    (experiment,) = [each.experiment_id for each in client.search_experiments() if each.name == owner.study]
    parents = client.search_runs([experiment], f"tags.`{STUDY}` = '{owner.study_id}'")
    children = [
        run
        for parent in parents
        for run in client.search_runs([experiment], f"tags.`{PARENT}` = '{parent.info.run_id}'", max_results=10_000)
    ]
    finished = [run for run in children if run.info.status == "FINISHED"]
    return StudyLeft(
        on_disk,
        {run.data.tags[TRIAL]: _content(client, uri, run) for run in finished},
        Counter(run.data.tags[TRIAL] for run in children),
        len(parents),
    )


def _content(client: MlflowClient, uri: str, run: Run) -> Any:
    run_id = run.info.run_id
    curves = {
        key: [(metric.step, metric.value) for metric in client.get_metric_history(run_id, key)]
        for key in _numbers(run.data.metrics)
    }
    with tempfile.TemporaryDirectory() as folder:
        files = Path(download_artifacts(run_id=run_id, tracking_uri=uri, dst_path=folder))
        return run.data.params, curves, json.loads((files / LEDGER).read_text()), _tensors(files / "checkpoint")


def _differ(one: Any, other: Any) -> bool:
    return strict_json(one, sort_keys=True) != strict_json(other, sort_keys=True)


def _numbers(metrics: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metrics.items() if not key.endswith("seconds")}


def _tensors(checkpoint: Path) -> dict[str, str]:
    return {name: digest for name, digest in fingerprints(checkpoint).items() if name in TENSORS}
