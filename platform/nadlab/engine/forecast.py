"""What a study would run and how long that would take; nothing is written, and no cluster is started."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

from nadlab.benchmarks.oracle import Oracle
from nadlab.cluster.connection import connected
from nadlab.cluster.resources import (
    Resources,
    cluster_resources,
    machine_resources,
    resources_per_trial,
    trials_at_once,
)
from nadlab.engine.execution import ExecutionConfig
from nadlab.engine.tune import request
from nadlab.study.folder import StudyFolder, check_same, read_owner
from nadlab.study.records import Record, StudyRecord, Trial
from nadlab.study.study import Study, plan, study_record

CALIBRATION_EPOCHS = 3
"""the first also pays for what is set up once, the last also generates; the one between them is an epoch"""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one trial, seconds in which a worker gets ready for its first, and where both come from."""

    trial: float
    ready: float
    source: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """Trials in all and done, trials at once, GPUs of each, and their timing."""

    trials: int
    done: int
    at_once: int
    gpus: float
    timing: Timing | None
    """None when nothing is left to run"""

    @property
    def minutes(self) -> float:
        """Minutes until all have ended."""
        if not self.timing:
            return 0.0
        return (self.timing.ready + ceil((self.trials - self.done) / self.at_once) * self.timing.trial) / 60

    @property
    def hours(self) -> float:
        """Hours of one worker for all that is missing."""
        return (self.trials - self.done) * self.timing.trial / 3600 if self.timing else 0.0

    def sentences(self, pack: int) -> list[str]:
        """Return what a dry run says about the time, with so many trials a process."""
        if not self.timing:
            return ["Nothing is left to run."]
        devices = f"{self.hours * self.gpus:.3g} GPU-hours" if self.gpus else "no GPU"
        return [
            f"About {self.minutes:.3g} minutes with {self.at_once} at once: {self.hours:.3g} CPU-hours, {devices}.",
            f"A trial takes about {self.timing.trial:.3g} s: {self.timing.source}.",
            *(["Trials that share a process are counted as if one followed the other."] if pack > 1 else []),
        ]


def dry_run(study: Study, oracle: Oracle, execution: ExecutionConfig) -> list[str]:
    """Return what a study would do, a sentence each; raises UserError where `run_study` would before its trials."""
    trials = plan(study, oracle)
    records = kept_records(execution.out, study_record(study, oracle, ""))
    ended = {record.trial.id for record in records if record.status != "FAILED"}
    missing = [trial for trial in trials if trial.id not in ended]
    timing = timed(study, oracle, records) if missing else None
    found = forecast(study.trainable, len(trials), len(trials) - len(missing), timing, execution)
    return [
        f"{study.name} on {study.benchmark}: {len(trials)} trials, {len(study.combinations)} levels x "
        f"{len(study.seeds)} seeds; {found.done} of them are done in {execution.out} and would be skipped.",
        *found.sentences(execution.pack),
        "This was a dry run: nothing was written.",
    ]


def forecast(trainable: type, trials: int, done: int, timing: Timing | None, execution: ExecutionConfig) -> Forecast:
    """Return the forecast for the cluster that would run the trials; raises UserError when it could hold none."""
    resources = _resources(trainable, execution)
    at_once = min(trials_at_once(execution.concurrent, execution.gpus_per_trial, resources), trials)
    gpus = resources_per_trial(at_once, execution.gpus_per_trial, resources).get("gpu", 0.0)
    return Forecast(trials, done, at_once, gpus, timing)


def kept_records(out: Path, study: StudyRecord) -> list[Record]:
    """Return the records in an output folder, none when it is new; UserError when the study could not go on there."""
    owner = read_owner(out)
    if not owner:
        return []
    check_same(out, owner, study)
    return StudyFolder(out, owner).records()


def timed(study: Study, oracle: Oracle, records: Sequence[Record]) -> Timing:
    """Return the median over the finished trials of a folder, or, where there is none, the time of a short trial here."""
    seconds = [record.ended - record.started for record in records if record.status == "FINISHED"]
    if seconds:
        return Timing(median(seconds), 0.0, f"the median of the {len(seconds)} finished trials in the folder")
    return calibrated(study, oracle)


def calibrated(study: Study, oracle: Oracle) -> Timing:
    """Run one trial of the default level in this process, of a few epochs where it has epochs, and extrapolate."""
    settings = asdict(study.settings)
    epochs = int(settings.get("epochs", 1))
    if "epochs" in settings:
        settings["epochs"] = min(CALIBRATION_EPOCHS, epochs)
    trial = Trial(oracle.name, oracle.digest, study.seeds[0], settings, study.trainable_name)
    config = {"trial": request(trial, None)}
    trainable: Any = object.__new__(study.trainable)  # its constructor would make a folder in ~/ray_results
    _, ready = _clocked(lambda: trainable.setup(config))
    _, again = _clocked(lambda: trainable.reset_config(config))
    steps = _steps(trainable)
    epoch = median(steps[1:-1] or steps[:1])
    part = f"{trial.epochs} of its {epochs} epochs" if epochs > trial.epochs else "all its steps"
    source = f"{part} were run in this process just now, at the default level with seed {trial.seed}"
    return Timing(again + max(0, epochs - 1) * epoch + steps[-1], ready, source)


def _steps(trainable: Any) -> list[float]:
    seconds, done = [], False
    while not done:
        result, step = _clocked(trainable.step)
        seconds.append(step)
        done = result["done"]
    return seconds


def _clocked(call: Any) -> tuple[Any, float]:
    start = time.perf_counter()
    value = call()
    return value, time.perf_counter() - start


def _resources(trainable: type, execution: ExecutionConfig) -> Resources:
    if not execution.address:
        return machine_resources(execution.concurrent)
    with connected(execution.address, execution.concurrent, trainable):
        return cluster_resources()
