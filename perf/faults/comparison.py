"""Compare a study that was killed with an uninterrupted one: what is lost, doubled, different or incomplete.

Records are compared field by field, on disk and in MLflow, but for times and what is not a result (`OUTSIDE`).
"""

import json
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run

from nadlab.json_text import strict_json
from nadlab.study.checkpoints import fingerprints
from nadlab.study.folder import StudyFolder, read_owner
from nadlab.study.records import Record
from nadlab.tracking.content import LEDGER, RECORD, STUDY, TRIAL
from nadlab.tracking.mlflow_internals import PARENT

TENSORS = ("weights.safetensors", "optimizers.safetensors")
OUTSIDE = ("mlflow.", "git_", "cluster")
"""beginnings of tags and provenance: MLflow's own, git, which sees the campaign's files, memory free when Ray started"""
TIMES = ("started", "ended")
"""fields of a record"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Trials of a killed study, counted against those of an uninterrupted one."""

    trials: int
    lost: int
    """without a finished record on disk, or without a finished run in MLflow"""
    doubled: int
    """with two runs in MLflow, in whatever state; and parent runs beyond the first"""
    differing: int
    """of which a field of the record or of the run, a weight or the state of the checkpoint differs by a bit"""
    incomplete: int
    """whose run in MLflow is of another record than the disk's, or that left notes of an unfinished trial behind"""

    @property
    def clean(self) -> bool:
        """Whether the kills left no trace."""
        return self.lost == self.doubled == self.differing == self.incomplete == 0


@dataclass(frozen=True, slots=True)
class StudyLeft:
    """What a study left: on disk and in MLflow by trial, how many runs each trial has there, and the parents.

    unlike: trials whose run carries another record than the disk. noted: trials with notes of an unfinished one.
    """

    on_disk: dict[str, Any]
    in_mlflow: dict[str, Any]
    runs: Counter[str]
    parents: int
    unlike: set[str]
    noted: set[str]


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
    return Verdict(len(trials), len(lost), doubled, len(differing) + len(unasked), len(killed.unlike | killed.noted))


def left_by(out: Path, uri: str) -> StudyLeft:
    """Read all that a study left in its folder and in MLflow, but for times and provenance."""
    owner = read_owner(out)
    assert owner
    folder = StudyFolder(out, owner)
    records = [record for record in folder.records() if record.status == "FINISHED"]
    on_disk = {
        each.trial.id: (content(each), _checkpoint(folder.trial_path(each.trial) / "checkpoint")) for each in records
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
        {record.trial.id for record in records}
        - {
            record.trial.id
            for record in records
            for run in finished
            if (run.data.tags[TRIAL], run.data.tags[RECORD]) == (record.trial.id, record.digest)
        },
        {path.parent.name for path in out.glob("trials/*/progress.json")},
    )


def _content(client: MlflowClient, uri: str, run: Run) -> Any:
    run_id = run.info.run_id
    curves = {
        # once: a trial that goes on has shown some values before
        key: sorted({(metric.step, metric.value) for metric in client.get_metric_history(run_id, key)})
        for key in _numbers(run.data.metrics)
    }
    with tempfile.TemporaryDirectory() as folder:
        files = Path(download_artifacts(run_id=run_id, tracking_uri=uri, dst_path=folder))
        ledger = json.loads((files / LEDGER).read_text(encoding="utf-8"))
        return run.data.params, _tags(run.data.tags), curves, ledger, _checkpoint(files / "checkpoint")


def content(record: Record) -> dict[str, Any]:
    """Return every field of a record but times, in metrics too, and what is not a result."""
    fields = {key: value for key, value in asdict(record).items() if key not in TIMES}
    return fields | {"metrics": _numbers(record.metrics), "provenance": _tags(record.provenance)}


def _tags(tags: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if not key.startswith(OUTSIDE) and key != RECORD}


def _differ(one: Any, other: Any) -> bool:
    return strict_json(one, sort_keys=True) != strict_json(other, sort_keys=True)


def _numbers(metrics: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metrics.items() if not key.endswith("seconds")}


def _checkpoint(folder: Path) -> dict[str, Any]:
    """Return the digests of a checkpoint's tensors, and its state without seconds; empty of a search, which has none."""
    if not (folder / "state.json").exists():
        return {}
    tensors = {name: digest for name, digest in fingerprints(folder).items() if name in TENSORS}
    state = _numbers(json.loads((folder / "state.json").read_text(encoding="utf-8")))
    return tensors | {"state": state | {"report": _numbers(state["report"])}}
