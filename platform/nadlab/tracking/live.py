"""The runs of trials that go on: they show in MLflow what their trials have found so far.

Such a run is RUNNING. Its trial's record completes it; without one it is deleted, by the study's next run at the latest.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import RunTag

from nadlab.study.records import StudyRecord, Trial
from nadlab.tracking.content import identity_tags, live_metrics, trial_params
from nadlab.tracking.mlflow_internals import PARENT, log_benchmark
from nadlab.tracking.names import run_name


@dataclass
class LiveRuns:
    """The incomplete runs of one study that this process made."""

    client: MlflowClient
    experiment: str
    parent: str
    study: StudyRecord
    ids: dict[str, str] = field(default_factory=dict)
    """trial id -> run id"""

    def update(self, trial: Trial, report: Mapping[str, Any]) -> None:
        """Write what a trial reported to its run, made where absent; raise STORE_ERRORS when the store is gone."""
        metrics = live_metrics(report, self.study)
        run = self.ids.get(trial.id) or self._made(trial)
        self.client.log_batch(run, metrics, tags=[RunTag("epoch", str(report.get("epoch", "")))])

    def _made(self, trial: Trial) -> str:
        tags, now = identity_tags(trial, self.study) | {PARENT: self.parent}, int(time.time() * 1000)
        run: str = self.client.create_run(self.experiment, now, tags, run_name(self.study, trial)).info.run_id
        self.client.log_batch(run, params=trial_params(trial))
        log_benchmark(self.client, run, self.study)
        self.ids[trial.id] = run  # last: where the store was gone before, the run is incomplete as any other
        return run
