"""Time whole trials side by side, 1 worker to one a core, one thread each: do neighbours hold each other up?

Runs of one worker and of several alternate, each of as many trials a worker, and every speed-up is that of a pair. By the
clock it holds on an idle machine only, since other jobs take cores from several workers sooner than from one; by CPU time
it counts what trials do to each other (caches, clock rate, threads that fight), whoever else is there.

python perf/training/throughput.py --repetitions 3
"""

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

import click
import numpy as np
import torch
from tqdm import tqdm

from nadlab.benchmarks.registry import benchmark
from nadlab.cli.command_line import run_command
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.method import SemiGANNAD
from nadlab.semigan.settings import Settings
from perf.measuring import as_json, cpu_seconds, ratios, show, spread


def trial(name: str, settings: Settings, seed: int) -> float:
    """Run one trial on one thread; return its CPU seconds."""
    torch.set_num_threads(1)
    ledger = QueryLedger(benchmark(name), settings.budget)
    return cpu_seconds(lambda: SemiGANNAD(settings)(ledger, np.random.default_rng(seed)))


@click.command(help=__doc__)
@click.option("--benchmark", "name", default="mnist1d-201", show_default=True, help="see `nadlab benchmarks`")
@click.option("--epochs", default=10, show_default=True, type=click.IntRange(1))
@click.option("--trials", default=1, show_default=True, type=click.IntRange(1), help="of each worker in a run")
@click.option("--repetitions", default=3, show_default=True, type=click.IntRange(1))
@click.option("--workers", default=os.cpu_count(), show_default="cores", type=click.IntRange(2), help="at most")
@as_json
def command(name: str, epochs: int, trials: int, repetitions: int, workers: int, as_json: bool) -> None:
    run = partial(trial, name, Settings(epochs=epochs))
    figures: dict[str, Any] = {}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(run, range(workers)))  # imports, tables and caches of every worker
        counts = range(1, workers + 1)
        wall: dict[int, list[float]] = {count: [] for count in counts}
        cpu: dict[int, list[float]] = {count: [] for count in counts}
        for _ in tqdm(range(repetitions), unit="round", disable=None):
            for count in counts:
                start = time.perf_counter()
                each = list(pool.map(run, range(count * trials)))
                wall[count].append(time.perf_counter() - start)
                cpu[count].append(sum(each) / len(each))
    for count in counts:
        figures[f"trials an hour, {count} at a time"] = spread([3600 * count * trials / each for each in wall[count]])
        figures[f"CPU s a trial, {count} at a time"] = spread(cpu[count])
        if count > 1:
            # against as many single workers' work
            figures[f"speed-up of {count} by the clock"] = ratios([count * each for each in wall[1]], wall[count])
            figures[f"speed-up of {count} by CPU time"] = ratios([count * each for each in cpu[1]], cpu[count])
    show(figures, as_json)


if __name__ == "__main__":
    sys.exit(run_command(command))
