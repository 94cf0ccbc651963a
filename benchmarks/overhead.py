"""Time what a study adds to its trials (Ray Tune, checkpoints, records, MLflow, report) over a bare loop of the same.

A study of 1 trial, one of 1 + N and a loop of N follow each other, one trial at a time and in one open Ray: a trial's
overhead is the difference of the two studies less the loop, the fixed cost is the study of 1 trial less one trial.

python benchmarks/overhead.py --trials 8 --repetitions 3
"""

import sys
import tempfile
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch
from tqdm import tqdm

from benchmarks.measuring import as_json, show, spread, wall_seconds
from nadlab.benchmarks.ledger import QueryLedger
from nadlab.benchmarks.registry import benchmark
from nadlab.cluster import connected
from nadlab.command_line import run_command
from nadlab.runner import Place, run_study
from nadlab.searchers.semigan_nad import SemiGANNAD
from nadlab.semigan.settings import Settings
from nadlab.study import Study
from studies.ablate_alpha import STUDY


def bare_loop(study: Study, settings: Settings) -> None:
    """Run the trials of a study of one level as function calls."""
    for seed in study.seeds:
        ledger = QueryLedger(benchmark(study.benchmark), settings.budget)
        SemiGANNAD(settings)(ledger, np.random.default_rng(seed))


def study_seconds(study: Study) -> float:
    """Run a study in a folder of its own; return the seconds. Its words go to stderr."""
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
        place = Place(Path(folder) / "out", concurrent=1)
        return wall_seconds(lambda: run_study(study, benchmark(study.benchmark), place))


@click.command(help=__doc__)
@click.option("--benchmark", "name", default="mnist1d-201", show_default=True, help="see `nadlab benchmarks`")
@click.option(
    "--epochs", default=10, show_default=True, type=click.IntRange(1), help="of a trial; 10 make 10 checkpoints"
)
@click.option("--trials", default=8, show_default=True, type=click.IntRange(1))
@click.option("--repetitions", default=3, show_default=True, type=click.IntRange(1))
@as_json
def command(name: str, epochs: int, trials: int, repetitions: int, as_json: bool) -> None:
    torch.set_num_threads(1)
    settings = Settings(epochs=epochs)
    study = replace(STUDY, benchmark=name, settings=settings, vary={"alpha": (settings.alpha,)}, seeds=range(trials))
    bare_loop(replace(study, seeds=(0,)), settings)  # tables and caches
    loop, one, many = [], [], []
    with connected(None, 1, study.trainable):
        for _ in tqdm(range(repetitions), unit="round", disable=None):
            loop.append(wall_seconds(lambda: bare_loop(study, settings)) / trials)
            one.append(study_seconds(replace(study, seeds=(0,))))
            many.append(study_seconds(replace(study, seeds=range(trials + 1))))
    figures = {
        "s a trial of the bare loop": spread(loop),
        "s that a study adds to a trial": spread(
            [(b - a) / trials - each for a, b, each in zip(one, many, loop, strict=True)]
        ),
        "s that a study takes besides": spread([a - each for a, each in zip(one, loop, strict=True)]),
    }
    show(figures, as_json)


if __name__ == "__main__":
    sys.exit(run_command(command))
