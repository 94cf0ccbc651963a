"""Time what a study adds to its trials (Ray Tune, checkpoints, records, MLflow, report) over a bare loop of the same.

A loop of N trials, a study of W and a study of W + N follow each other, all on W worker processes that are kept, and in one
open Ray. What a study adds to a trial is the difference of the two studies less the loop, each by the clock; with W
trials a worker has one. Trials are searches at random, over in milliseconds, or with `--epochs` trainings of SemiGAN-NAD.

python perf/scale/overhead.py --trials 1000 --repetitions 3
python perf/scale/overhead.py --epochs 50 --trials 4 --repetitions 3
"""

import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import click
import numpy as np
import torch
from tqdm import tqdm

from nadlab.benchmarks.registry import benchmark
from nadlab.cli.command_line import run_command
from nadlab.cluster.connection import connected
from nadlab.cluster.execution import ExecutionConfig
from nadlab.engine.runner import run_study
from nadlab.methods.registry import SEARCHERS
from nadlab.methods.request import SearchRequest
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.method import SemiGANNAD
from nadlab.semigan.settings import Settings
from nadlab.study.study import Study
from perf.measuring import as_json, show, spread, wall_seconds
from studies import ablate_alpha, label_efficiency


def short_study(name: str) -> Study:
    """Return a study of random search."""
    request = SearchRequest(method="random-search")
    return replace(label_efficiency.STUDY, settings=request, vary={"method": (request.method,)}, benchmark=name)


def long_study(name: str, epochs: int) -> Study:
    """Return a study of SemiGAN-NAD at one level."""
    settings = Settings(epochs=epochs)
    return replace(ablate_alpha.STUDY, settings=settings, vary={"alpha": (settings.alpha,)}, benchmark=name)


def trial(study: Study, seed: int) -> None:
    """Run a trial as a function call."""
    torch.set_num_threads(1)
    settings = study.settings
    ledger = QueryLedger(benchmark(study.benchmark), settings.budget)
    search = SEARCHERS[settings.method] if isinstance(settings, SearchRequest) else SemiGANNAD(settings)  # type: ignore[arg-type]
    search(ledger, np.random.default_rng(seed))


def study_seconds(study: Study, trials: int, workers: int) -> float:
    """Run so many trials as a study in a folder of its own; return the seconds. Its words go to stderr."""
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
        execution = ExecutionConfig(Path(folder) / "out", concurrent=workers)
        return wall_seconds(
            lambda: run_study(replace(study, seeds=range(trials)), benchmark(study.benchmark), execution)
        )


@click.command(help=__doc__)
@click.option("--benchmark", "name", default="mnist1d-201", show_default=True, help="see `nadlab benchmarks`")
@click.option("--epochs", type=click.IntRange(1), help="of a training  [default: searches at random]")
@click.option("--trials", default=1000, show_default=True, type=click.IntRange(1))
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1))
@click.option("--repetitions", default=3, show_default=True, type=click.IntRange(1))
@as_json
def command(name: str, epochs: int | None, trials: int, workers: int, repetitions: int, as_json: bool) -> None:
    study = long_study(name, epochs) if epochs else short_study(name)
    loop, few, many = [], [], []
    with ProcessPoolExecutor(workers, get_context("spawn")) as processes, connected(None, workers, study.trainable):
        list(processes.map(partial(trial, study), range(workers)))  # imports, tables and caches
        for _ in tqdm(range(repetitions), unit="round", disable=None):
            loop.append(wall_seconds(lambda: list(processes.map(partial(trial, study), range(trials)))))
            few.append(study_seconds(study, workers, workers))
            many.append(study_seconds(study, workers + trials, workers))
    added = [many - few - loop for many, few, loop in zip(many, few, loop, strict=True)]
    figures = {
        "trials": trials,
        "workers": workers,
        "s a trial of the bare loop": spread([each / trials for each in loop]),
        "s that a study adds to a trial": spread([each / trials for each in added]),
        "percent that it adds": spread([100 * more / each for more, each in zip(added, loop, strict=True)]),
        "s of a study of one trial a worker": spread(few),
        "s of the whole study": spread(many),
    }
    show(figures, as_json)


if __name__ == "__main__":
    sys.exit(run_command(command))
