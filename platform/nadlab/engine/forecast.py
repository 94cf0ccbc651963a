"""A dry run: what a study would run and how long; nothing is written, and no cluster is started."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from statistics import fmean, median
from typing import Any

from nadlab.analysis.text import duration
from nadlab.benchmarks.oracle import Oracle, cost_of, facts_of
from nadlab.cluster.connection import connected
from nadlab.cluster.execution import ExecutionConfig
from nadlab.cluster.resources import (
    Resources,
    cluster_resources,
    machine_resources,
    resources_per_trial,
    trials_at_once,
)
from nadlab.engine.plans import StudyPlan, on_device
from nadlab.engine.request import request
from nadlab.engine.runner import checked
from nadlab.engine.tune_internals import without_constructor
from nadlab.study.folder import StudyFolder, check_same, read_owner
from nadlab.study.levels import flat
from nadlab.study.records import Record, StudyRecord, Trial
from nadlab.study.study import Study

CALIBRATION_EPOCHS = 3
"""the first includes one-time costs and the last includes the design: the one between them is timed as an epoch"""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one trial, seconds until a worker is ready, and the source of both."""

    trial: float
    ready: float
    source: str
    left_out: str = ""
    """what comes on top of these seconds"""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Remaining trials, trials at once, GPUs of each, and their timing."""

    remaining: int
    at_once: int
    gpus: float
    timing: Timing

    @property
    def minutes(self) -> float:
        """Minutes until all have ended."""
        return (self.timing.ready + ceil(self.remaining / self.at_once) * self.timing.trial) / 60

    @property
    def hours(self) -> float:
        """Hours of one worker for all of them."""
        return self.remaining * self.timing.trial / 3600

    def sentences(self, pack: int) -> list[str]:
        """Return sentences about the time; pack: trials in a process."""
        devices = f"{self.hours * self.gpus:.3g} GPU-hours" if self.gpus else "no GPU"
        return [
            f"About {duration(60 * self.minutes)} with {self.at_once} in parallel, and a quarter of a minute for Ray's start and the "
            f"report: {duration(3600 * self.hours)} of CPU time, {devices}.",
            f"A trial takes about {self.timing.trial:.3g} s: {self.timing.source}.",
            *(["It ran alone: trials side by side take longer."] if self.timing.ready and self.at_once > 1 else []),
            *([f"{self.timing.left_out} are not counted."] if self.timing.left_out else []),
            *(["Trials that share a process are counted as if they ran one after the other."] if pack > 1 else []),
        ]


def dry_run(plan: StudyPlan, execution: ExecutionConfig) -> list[str]:
    """Return what a study would do, a sentence each; raises UserError where `run` would before its trials."""
    execution = checked(plan, execution)
    records = kept_records(execution, plan.record)
    done = plan.done(records)
    return [
        f"{plan.record.study} on {plan.record.benchmark_text}: {plan.size}; {done} of them are done in {execution.out} and would "
        "be skipped.",
        *plan.said(records),
        *(
            forecast(plan, records, execution).sentences(execution.pack)
            if done < plan.total
            else ["Nothing is left to run."]
        ),
        "This was a dry run: nothing was written.",
    ]


def forecast(plan: StudyPlan, records: Sequence[Record], execution: ExecutionConfig) -> Forecast:
    """Return the forecast for the cluster of the execution; raises UserError when it has no room for a trial."""
    remaining, resources = plan.total - plan.done(records), _resources(plan.study.trainable, execution)
    at_once = min(trials_at_once(execution.concurrent, execution.gpus_per_trial, resources), remaining)
    gpus = resources_per_trial(at_once, execution.gpus_per_trial, resources).get("gpu", 0.0)
    return Forecast(remaining, at_once, gpus, timed(plan, records))


def kept_records(execution: ExecutionConfig, study: StudyRecord) -> list[Record]:
    """Return the records in the output folder, none when it is new; UserError when the study can't be resumed there."""
    owner = read_owner(execution.out)
    if not owner:
        return []
    check_same(execution.out, owner, on_device(study, execution.gpus_per_trial), execution.anyway)
    return StudyFolder(execution.out, owner).records()


def timed(plan: StudyPlan, records: Sequence[Record]) -> Timing:
    """Return the mean over the finished trials of a folder, or, where there is none, the time of a short trial here."""
    seconds = [record.ended - record.started for record in records if record.status == "FINISHED"]
    if seconds:
        return Timing(fmean(seconds), 0.0, f"the mean of the {len(seconds)} finished trials in the folder")
    return calibrated(plan.study, plan.oracle)


def calibrated(study: Study, oracle: Oracle) -> Timing:
    """Run one trial of the default level in this process, of a few epochs where it has epochs, and extrapolate.

    Nothing is evaluated: a stand-in answers for the benchmark.
    """
    settings = flat(study.settings)
    epochs = int(settings.get("epochs", 1))
    if "epochs" in settings:
        settings["epochs"] = min(CALIBRATION_EPOCHS, epochs)
    trial = Trial(oracle.name, oracle.digest, study.seeds[0], settings, study.trainable_name, oracle.preset)
    config = {"trial": request(trial, stand_in=True)}
    trainable = without_constructor(study.trainable)
    _, ready = _clocked(lambda: trainable.setup(config))
    _, again = _clocked(lambda: trainable.reset_config(config))
    steps = _steps(trainable)
    epoch = median(steps[1:-1] or steps[:1])
    if len(steps) == 1 and trial.epochs > 1:
        # all epochs and the design in one: trials of one epoch and of several, now without one-time costs, tell them apart
        steps = []
        for count in (trial.epochs, 1):
            fresh = replace(trial, settings=settings | {"epochs": count}, seed=trial.seed + count)
            trainable.reset_config({"trial": request(fresh, stand_in=True)})
            steps += _steps(trainable)
        epoch = max(0.0, steps[0] - steps[1]) / (trial.epochs - 1)
    part = f"{trial.epochs} of its {epochs} epochs" if epochs > trial.epochs else "all its steps"
    source = (
        f"{part} were run in this process just now, at the default level with seed {trial.seed}, on made-up accuracies"
    )
    left_out = "" if facts_of(oracle).free else f"The evaluations of {oracle.name}"
    if (cost := cost_of(oracle)) and cost.seconds is not None:
        left_out += f", of about {cost.seconds:g} s each,"
    if hasattr(study.trainable, "agreement"):
        source += "; one that finds its networks trained by another takes less"
    return Timing(again + max(0, epochs - 1) * epoch + steps[-1], ready, source, left_out)


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
