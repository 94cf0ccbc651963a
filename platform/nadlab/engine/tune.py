"""Ray Tune as the engine: missing trials in, records out. The folder, not Tune, remembers what is done."""

import logging
import os
import shutil
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

# Tune's own loggers, snapshots and tables would cost time a trial and say nothing that the records don't
os.environ |= {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",
    "TUNE_ONLY_STORE_CHECKPOINT_SCORE_ATTRIBUTE": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}

from ray import cloudpickle, tune
from ray.exceptions import RayActorError
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.result import AUTO_RESULT_KEYS
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from nadlab.cluster.connection import check_nodes
from nadlab.cluster.nodes import cluster_resources_text, hardware_at
from nadlab.cluster.resources import cluster_resources, resources_per_trial, trials_at_once
from nadlab.engine.progress import Progress
from nadlab.engine.worker import requests
from nadlab.provenance.code import provenance
from nadlab.schedule.packing import UNPACKED, Packing, Queue
from nadlab.schedule.trial_schedule import STEPS_A_TRIAL, TrialSchedule
from nadlab.study.folder import StudyFolder
from nadlab.study.records import Record, Status, Trial

logging.getLogger("ray.tune.tune").setLevel(logging.CRITICAL)  # it would only list the failures that we name

LOSSES = 20
"""times that a trial may lose its process or node in one launch: spot instances are taken away often"""
ERRORS = 1
"""times that a trial's own code may raise in one launch"""
NODES_CHECKED_EVERY = 5.0
"""seconds"""


def run_trials(
    trainable: type,
    schedule: TrialSchedule,
    folder: StudyFolder,
    concurrent: int | None,
    gpus: float | None,
    keep: Callable[[Record], None],
    check: Callable[[], None],
    packing: Packing = UNPACKED,
) -> None:
    """Run a schedule of trials on the connected cluster; each one that ends is written to the folder and handed to `keep`.

    A trial whose code raises is tried once more from its newest checkpoint, one that lost its process or node up to
    `LOSSES` times, then it is recorded as FAILED; the others go on. `check` is called a few times a second and may raise
    to stop it all. `gpus`: see `resources_per_trial`. packing: with several trials a process, `trainable` takes
    config["trials"], and a pack that would be given up goes on as single trials.

    Raises UserError when the cluster can hold no such trial.
    """
    cluster = cluster_resources()
    concurrent = min(trials_at_once(concurrent, gpus, cluster), schedule.trials)
    with Progress(schedule.trials, schedule.epochs) as progress:
        share = min(packing.size, ceil(schedule.trials / concurrent))
        writer = RecordWriter(Queue(schedule, packing, share), folder, keep, check, progress)
        tuner = tune.Tuner(
            tune.with_resources(trainable, resources_per_trial(concurrent, gpus, cluster)),
            tune_config=tune.TuneConfig(
                search_alg=Suggestions(writer),
                scheduler=Scheduler(writer),
                # a pack that fails becomes several; -1: until the schedule is over
                num_samples=-1 if packing.on else schedule.trials,
                max_concurrent_trials=concurrent,
                reuse_actors=True,
                trial_name_creator=_name,
                trial_dirname_creator=_name,
            ),
            run_config=tune.RunConfig(
                name=f"launch-{time.time_ns()}",
                storage_path=str((folder.path / "tune").absolute()),
                failure_config=tune.FailureConfig(max_failures=-1),  # without end: the scheduler gives up
                # the folder drops old checkpoints: told to, Tune writes the state of all trials anew at every other one
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1, checkpoint_at_end=True),
                callbacks=[writer],
                verbose=0,
            ),
        )
        tuner.fit()


class Suggestions(Searcher):
    """A schedule as Tune asks for it, trial by trial: a grid of N would be copied N times before the first one starts."""

    def __init__(self, writer: "RecordWriter") -> None:
        super().__init__()
        self.writer = writer

    def __getstate__(self) -> dict[str, Any]:
        """Leave Tune's own snapshot empty, as the record writer does."""
        return {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # noqa: ARG002 - ours is in the configuration
        """Return the configuration of the next trial, or of several for one process; None to be asked again."""
        asked = [
            request(trial, self.writer.folder.resume_point(trial), self.writer.schedule.watches)
            for trial in self.writer.start()
        ]
        if asked:
            return {"trials": asked} if self.writer.queue.packing.on else {"trial": asked[0]}
        return Searcher.FINISHED if self.writer.queue.over else None

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """The record writer tells the schedule."""

    def save(self, checkpoint_path: str) -> None:
        """The folder remembers."""

    def restore(self, checkpoint_path: str) -> None:
        """The folder remembers."""


class Scheduler(FIFOScheduler):
    """Runs trials in their order, and stops those that a schedule gives up or that failed too often."""

    def __init__(self, writer: "RecordWriter") -> None:
        super().__init__()
        self.writer = writer

    def __getstate__(self) -> dict[str, Any]:
        """Leave Tune's own snapshot empty, as the record writer does."""
        return {}

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:  # noqa: ARG002 - Tune's
        """Return Tune's word for going on or stopping."""
        stops = self.writer.schedule.watches and self.writer.stops(_name(trial), result["history"])
        return str(self.STOP if stops else self.CONTINUE)

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Return the oldest trial that waits: Tune's own way is through all trials that ever were, at every event."""
        waiting = [
            trial
            for trial in tune_controller.get_live_trials()
            if trial.status in (TuneTrial.PENDING, TuneTrial.PAUSED)
        ]
        return min(waiting, key=lambda trial: (trial.status != TuneTrial.PENDING, trial.trial_id), default=None)

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Take a trial that is new, or that failed and would be tried again."""
        if trial.run_metadata.error_filename and self.writer.gives_up(trial):
            tune_controller.stop_trial(trial)


class RecordWriter(tune.Callback):
    """Turns Tune's events into files.

    Tune logs and drops what a callback raises on a result or checkpoint, so events are noted there and acted on in
    `on_step_end`, where an error ends the run.
    """

    def __init__(
        self,
        queue: Queue,
        folder: StudyFolder,
        keep: Callable[[Record], None],
        check: Callable[[], None],
        progress: Progress,
    ) -> None:
        self.queue = queue
        self.schedule = queue.schedule
        self.trials: dict[str, Trial] = {}
        self.stopped: dict[str, int] = {}
        self.failures: dict[bool, Counter[str]] = {own: Counter() for own in (True, False)}
        self.given_up: set[str] = set()
        self.folder = folder
        self.keep = keep
        self.check = check
        self.progress = progress
        made_by = provenance(folder.study.trainable.partition(":")[0].partition(".")[0])
        folder.attach(made_by.files)
        self.provenance = made_by.values | {"cluster": cluster_resources_text()}
        self.started: dict[str, float] = {}
        self.checkpoints: dict[str, Path] = {}
        self.written: dict[str, Path] = {}
        self.events: deque[Callable[[], None]] = deque()
        self.nodes_checked = time.monotonic()

    def __getstate__(self) -> dict[str, Any]:
        """Leave Tune's own snapshot empty: this object stays with the driver."""
        return {}

    def start(self) -> list[Trial]:
        """Return the next trials for one process, and keep them in mind."""
        trials = self.queue.next()
        self.trials |= {trial.id: trial for trial in trials}
        return trials

    def stops(self, name: str, history: list[dict[str, float]]) -> bool:
        """Say whether the schedule stops a trial, and note after which epoch."""
        epoch = self.schedule.stops(self.trials[name], history)
        if epoch is not None:
            self.stopped[name] = epoch
        return epoch is not None

    def gives_up(self, trial: Any) -> bool:
        """Count a failure, and say whether it was one too many; the loss of a process or node is none of the trial's own."""
        name, own = _name(trial), _failed_by_itself(trial)
        self.failures[own][name] += 1
        if self.failures[own][name] > (ERRORS if own else LOSSES):
            self.given_up.add(name)
        return name in self.given_up

    def on_trial_start(self, *, trial: Any, **_info: Any) -> None:
        """Note the time."""
        for each in _members(trial):
            self.started.setdefault(each, time.time())

    def on_trial_result(self, *, trial: Any, result: dict[str, Any], **_info: Any) -> None:
        """Show how far the trial is, or each of a pack."""
        for each, report in _reports(trial, result).items():
            self.progress.reached(self.trials[each], int(report["epoch"]))

    def on_checkpoint(self, *, trial: Any, checkpoint: Any, **_info: Any) -> None:
        """Note a checkpoint that is complete."""
        self.written[_name(trial)] = Path(checkpoint.path).parent
        for each in _members(trial):
            path = Path(checkpoint.path) / (each if self.queue.packing.on else "")
            self.checkpoints[each] = path
            self.events.append(partial(self.folder.note_checkpoint, self.trials[each], path))

    def on_trial_complete(self, *, trial: Any, **_info: Any) -> None:
        """Note a trial that is over, or a pack; the last checkpoint came before."""
        if _name(trial) in self.given_up:
            self.on_trial_error(trial=trial)
            return
        status: Status = "KILLED" if _name(trial) in self.stopped else "FINISHED"
        reports = _reports(trial, _taken(trial))
        for each, report in reports.items():
            self.events.append(partial(self._finish, each, status, report, None))
        if len(_members(trial)) > 1:
            self.queue.ended()
        if status == "FINISHED" and (written := self.written.get(_name(trial))):
            self.events.append(partial(shutil.rmtree, written, ignore_errors=True))

    def on_trial_error(self, *, trial: Any, **_info: Any) -> None:
        """Note a trial that failed for good; those of a pack are tried alone."""
        members, result, error = _members(trial), _taken(trial), Path(trial.error_file).read_text()
        if len(members) > 1:
            self.queue.failed([self.trials[each] for each in members])
            return
        report = _reports(trial, result).get(members[0], {})
        self.events.append(partial(self._finish, members[0], "FAILED", report, error))

    def on_step_end(self, **_info: Any) -> None:
        """Act on what was noted."""
        while self.events:
            self.events.popleft()()
        self.check()
        if time.monotonic() > self.nodes_checked + NODES_CHECKED_EVERY:
            check_nodes()
            self.nodes_checked = time.monotonic()

    def on_experiment_end(self, **_info: Any) -> None:
        """Act on what the last step left."""
        self.on_step_end()

    def _finish(self, name: str, status: Status, result: dict[str, Any], error: str | None) -> None:
        numbers = {
            key: value
            for key, value in (result or {}).items()
            if key not in AUTO_RESULT_KEYS and key != "done" and isinstance(value, int | float | None)
        }
        record = Record(
            trial=self.trials[name],
            status=status,
            metrics=numbers,
            # a trial that goes on from a checkpoint may be stopped at an epoch that it has left behind
            history=(result or {}).get("history", [])[: self.stopped.get(name)],
            ledger=(result or {}).get("ledger", []),
            started=self.started.get(name, time.time()),
            ended=time.time(),
            provenance=self.provenance | hardware_at((result or {}).get("node_ip", "")),
            error=error,
        )
        self.folder.finish(record, self.checkpoints.get(name) if status == "FINISHED" else None)
        self.progress.ended(record)
        self.schedule.ended(record)
        self.keep(record)


def _failed_by_itself(trial: Any) -> bool:
    """Say whether it was a trial's own code that failed, and not its process or node that was lost."""
    pickled = Path(trial.pickled_error_file or "")
    if not pickled.is_file():  # Tune keeps no other errors than these two kinds
        return True
    error = cloudpickle.loads(pickled.read_bytes())
    pickled.unlink()  # an error that Tune doesn't keep would be taken for this one
    return not isinstance(error, RayActorError) or error.actor_init_failed


def _taken(trial: Any) -> dict[str, Any]:
    """Return a trial's last result and leave Tune its last numbers alone: until the study ends, it keeps what it has."""
    result, metadata = dict(trial.last_result or {}), trial.run_metadata
    latest = metadata.checkpoint_manager.latest_checkpoint_result
    for kept in (trial.last_result or {}, latest.metrics if latest else {}):
        for name in ("history", "ledger", "trials"):
            kept.pop(name, None)
    metadata.metric_analysis.clear()
    metadata.metric_n_steps.clear()
    return result


def request(trial: Trial, resume: Path | None, watch: bool = False) -> dict[str, Any]:
    """Return config["trial"] of a trainable.

    resume: the checkpoint that the trial goes on from. watch: report history and ledger at every step, PP's tau in it.
    """
    return {
        "id": trial.id,
        "benchmark": trial.benchmark,
        "digest": trial.digest,
        "seed": trial.seed,
        "settings": trial.settings,
        "epochs_per_step": ceil(trial.epochs / STEPS_A_TRIAL),
        "resume": str(resume.absolute()) if resume else None,
        "watch": watch,
    }


def _members(trial: Any) -> list[str]:
    """Return the ids of the trials that one of Tune's runs."""
    return [str(each["id"]) for each in requests(trial.config)]


def _name(trial: Any) -> str:
    """Return the name of one of Tune's trials: our trial's id, or that of a pack's first and their number."""
    first, *others = _members(trial)
    return f"{first}-and-{len(others)}" if others else first


def _reports(trial: Any, result: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return trial id -> its part of a result; what Tune adds to a result belongs to each."""
    if "trials" not in trial.config:
        return {_name(trial): dict(result)}
    added = {key: value for key, value in result.items() if key in AUTO_RESULT_KEYS}
    return {each: added | report for each, report in result.get("trials", {}).items()}
