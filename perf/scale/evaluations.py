"""How busy do trainings keep a cluster's workers, and how many times faster are two workers than one?

`sleeping`: evaluations that sleep, on one machine with as many logical CPUs as workers; busy is the time slept over
workers times seconds. Processes are started by a first batch, which is told by itself. `digits`: real trainings of the
same random cells on one and on several workers, in pairs that alternate.

python perf/scale/evaluations.py sleeping --workers 64 --evaluations 256 --seconds 60
python perf/scale/evaluations.py digits --workers 2 --evaluations 16 --pairs 4
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click
import numpy as np
import ray

from nadlab.benchmarks.oracle import Cost, Oracle
from nadlab.benchmarks.registry import benchmark
from nadlab.cli.command_line import run_command
from nadlab.evaluations.config import EvaluationConfig
from nadlab.evaluations.tasks import train
from nadlab.spaces import Cells
from perf.faults.trainings import SECONDS, SleepingTrainings
from perf.measuring import Spread, as_json, ratios, show, spread

SLEEPING = "perf.faults.trainings:sleeping"


@dataclass(frozen=True, slots=True)
class Busy:
    """A batch of sleeping evaluations."""

    workers: int
    evaluations: int
    seconds_each: float
    start_seconds: float
    """of the first batch, one evaluation a worker, with the start of the workers' processes"""
    seconds: float
    """of the batch"""
    busy: float
    """share of the workers' time that was slept"""


@dataclass(frozen=True, slots=True)
class Speedup:
    """Real trainings on one worker and on several."""

    workers: int
    trainings: int
    one_seconds: Spread
    several_seconds: Spread
    times: Spread
    """throughput of several over that of one, pair by pair"""


@contextmanager
def workers_of(count: int) -> Iterator[None]:
    """Hold a Ray of this machine with so many logical CPUs."""
    ray.init(address="local", num_cpus=count, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        yield
    finally:
        ray.shutdown()


def batch_seconds(oracle: Oracle, cells: Cells) -> float:
    """Evaluate cells side by side in the open Ray; return the seconds. Raises RuntimeError when one fails."""
    began = time.perf_counter()
    ended = [each for _, each in train(oracle, Cost(cpus=1), EvaluationConfig(retries=0), cells)]
    if failed := [each for each in ended if each.evaluation.failed]:
        raise RuntimeError(f"{len(failed)} evaluations failed: {failed[0].evaluation.failed}")
    return time.perf_counter() - began


def sleeping_batch(workers: int, evaluations: int, seconds: float) -> Busy:
    """Measure one batch of sleeping evaluations."""
    os.environ[SECONDS] = str(seconds)  # read by the workers, which start after this
    oracle = SleepingTrainings(SLEEPING)
    cells = oracle.space.sample(workers + evaluations, np.random.default_rng(0))
    with workers_of(workers):
        start = batch_seconds(oracle, cells[:workers])
        taken = batch_seconds(oracle, cells[workers:])
    return Busy(workers, evaluations, seconds, start, taken, evaluations * seconds / (workers * taken))


def digits_batches(workers: int, trainings: int, pairs: int) -> Speedup:
    """Train the same cells on one worker and on several, after one training a worker that starts the processes."""
    oracle = benchmark("train:digits")
    cells = oracle.space.sample(workers + trainings, np.random.default_rng(0))
    seconds: dict[int, list[float]] = {1: [], workers: []}
    for _ in range(pairs):
        for count, found in seconds.items():
            with workers_of(count):
                batch_seconds(oracle, cells[:count])
                found.append(batch_seconds(oracle, cells[workers:]))
    one, several = seconds[1], seconds[workers]
    return Speedup(workers, trainings, spread(one), spread(several), ratios(one, several))


@click.group(help=__doc__)
def command() -> None:
    """Measure."""


@command.command("sleeping")
@click.option("--workers", default=64, show_default=True, type=click.IntRange(1))
@click.option("--evaluations", default=256, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(0.01), help="slept in each")
@as_json
def sleeping_command(workers: int, evaluations: int, seconds: float, as_json: bool) -> None:
    """Measure how busy sleeping evaluations keep simulated workers."""
    show({"busy": sleeping_batch(workers, evaluations, seconds)}, as_json)


@command.command("digits")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(2))
@click.option("--evaluations", default=16, show_default=True, type=click.IntRange(1))
@click.option("--pairs", default=4, show_default=True, type=click.IntRange(1))
@as_json
def digits_command(workers: int, evaluations: int, pairs: int, as_json: bool) -> None:
    """Measure how many times faster several workers train digits than one."""
    show({"speedup": digits_batches(workers, evaluations, pairs)}, as_json)


if __name__ == "__main__":
    sys.exit(run_command(command))
