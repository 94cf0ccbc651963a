"""Trials on Ray Tune: missing trials in, records out. The study's folder, not Tune, remembers the state of a study."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import ceil
from typing import Any

from ray import tune
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from nadlab.cluster.resources import cluster_resources, resources_per_trial, trials_at_once
from nadlab.engine import tune_internals as internals
from nadlab.engine.progress import Progress
from nadlab.engine.record_writer import RecordWriter
from nadlab.engine.request import name_of, request
from nadlab.evaluations.config import EvaluationConfig
from nadlab.schedule.packing import UNPACKED, Packing, TrialPacks
from nadlab.schedule.trial_schedule import TrialSchedule
from nadlab.study.checkpoints import processes
from nadlab.study.folder import StudyFolder
from nadlab.study.records import Record, Trial

NOTHING = {"cpu": 0.0, "memory": 1.0}
"""one byte: Ray places no trial that takes nothing at all"""


def run_trials(
    trainable: type,
    schedule: TrialSchedule,
    folder: StudyFolder,
    concurrent: int | None,
    gpus: float | None,
    deliver: Callable[[Record], None],
    check: Callable[[], None],
    packing: Packing = UNPACKED,
    evaluation: EvaluationConfig = EvaluationConfig(),  # noqa: B008 - it is frozen
    trainings: Callable[[], str] | None = None,
    going_on: Callable[[Trial, Mapping[str, Any]], None] = lambda *_: None,
) -> None:
    """Run a schedule on the connected cluster; every record is written to the folder and passed to `deliver`.

    `going_on` takes a report of each trial that goes on, one in `SHOWN_EVERY` seconds.

    A trial whose code raises is run once more from its newest checkpoint, one that lost its process or node up to
    `LOSSES` times; then it is recorded as FAILED and the others go on. `check` is called several times a second and may
    raise to stop the run. `gpus`: see `resources_per_trial`. packing: for a trainable that takes config["trials"]; the
    trials of a pack that fails are run one by one. evaluation: how a benchmark that is not free is evaluated. trainings:
    says what the trainings are at that trials wait for on this cluster, of which trials then take nothing; None: they wait for none.

    Raises UserError when the cluster has no room for a trial.
    """
    cluster = cluster_resources()
    at_once = trials_at_once(concurrent, gpus, cluster)
    concurrent = min(at_once, schedule.remaining)
    # by the whole study, not by what is left: packs are the same after a kill, and rounding depends on them
    size = min(packing.size, ceil(schedule.total / min(at_once, schedule.total)))
    packs = TrialPacks(schedule, replace(packing, size=size), processes(folder.path))
    with Progress(schedule.remaining, folder.study.measured, trainings) as progress:
        writer = RecordWriter(packs, folder, deliver, check, progress, going_on)
        tuner = tune.Tuner(
            tune.with_resources(trainable, NOTHING if trainings else resources_per_trial(concurrent, gpus, cluster)),
            tune_config=tune.TuneConfig(
                search_alg=Suggestions(packs, folder, evaluation),
                scheduler=Scheduler(writer),
                num_samples=-1,  # until the schedule is over: a pack that fails becomes several trials
                max_concurrent_trials=concurrent,
                reuse_actors=True,
                trial_name_creator=_name,
                trial_dirname_creator=_name,
            ),
            run_config=tune.RunConfig(
                name=f"launch-{time.time_ns()}",
                storage_path=str((folder.path / "tune").absolute()),
                failure_config=tune.FailureConfig(max_failures=-1),  # the scheduler counts failures
                # the folder deletes old checkpoints: with Tune, every other one costs a snapshot of all trials
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1, checkpoint_at_end=True),
                callbacks=[writer],
                verbose=0,
            ),
        )
        tuner.fit()


def _name(trial: Any) -> str:
    return name_of(trial.config)


class Suggestions(Searcher):
    """The configurations of processes, one by one: Tune copies a grid of N trials N times before the first one starts."""

    def __init__(
        self,
        packs: TrialPacks,
        folder: StudyFolder,
        evaluation: EvaluationConfig = EvaluationConfig(),  # noqa: B008 - it is frozen
    ) -> None:
        super().__init__()
        self.packs = packs
        self.folder = folder
        self.evaluation = evaluation

    def __getstate__(self) -> dict[str, Any]:
        """Leave Tune's own snapshot empty, as the record writer does."""
        return {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # noqa: ARG002 - the configuration has ours
        """Return the next configuration; None while it depends on a running trial."""
        trials = self.packs.next()
        if not trials:
            return Searcher.FINISHED if self.packs.over else None
        points = self.folder.resume_together(trials)
        watch = self.packs.schedule.prunes
        found = [request(each, point, watch, self.evaluation) for each, point in zip(trials, points, strict=True)]
        return {"trials": found} if self.packs.packing.on else {"trial": found[0]}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Do nothing: the record writer passes records to the schedule."""

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the folder holds the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: the folder holds the state."""


class Scheduler(FIFOScheduler):
    """Runs trials in their order; stops those that the schedule prunes and those that failed too often."""

    def __init__(self, writer: RecordWriter) -> None:
        super().__init__()
        self.writer = writer

    def __getstate__(self) -> dict[str, Any]:
        """Leave Tune's own snapshot empty, as the record writer does."""
        return {}

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:  # noqa: ARG002 - Tune's
        """Return whether the trial continues or stops, in Tune's words."""
        return str(self.STOP if self.writer.prunes(trial, result) else self.CONTINUE)

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Return the oldest trial that waits."""
        return internals.oldest_waiting(tune_controller)

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Accept a new trial, or a failed one for another attempt unless it failed too often."""
        if internals.has_failed(trial) and self.writer.fails_for_good(trial):
            tune_controller.stop_trial(trial)
