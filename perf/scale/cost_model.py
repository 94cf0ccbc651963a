"""Say what a study costs on a cluster, from runs of `simulated_cluster.py` and from epochs timed now on this machine.

The runs but the largest give the coefficients of `perf/scale/costs.py`; the largest is held out and predicted. A trial of
SemiGAN-NAD is timed at three label budgets, since an epoch's cost grows with the labels; --trial-seconds sets it instead,
as measured on your GPUs.

python perf/scale/cost_model.py results/simulated_cluster.jsonl --trials 10000 --gpus 64
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from nadlab.benchmarks.registry import benchmark
from nadlab.cli.command_line import run_command
from nadlab.errors import UserError
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.checkpoint import Checkpoint, State
from nadlab.semigan.method import start
from nadlab.semigan.settings import Settings
from perf.measuring import as_json, cpu_seconds, show
from perf.scale.costs import Load, cost, fit, limits, per_trial

BUDGETS = (55, 155, 455)
EPOCHS = 3
FEWEST_RUNS = 4
"""three coefficients, and a run to predict"""


def started(labels: int) -> tuple[BiArch2Perf, QueryLedger, Settings]:
    """Return a trial by default settings before its first epoch."""
    settings = Settings(labels=labels, epochs=EPOCHS)
    ledger = QueryLedger(benchmark("mnist1d-201"), settings.budget)
    return start(ledger, settings, np.random.default_rng(0)), ledger, settings


def epoch_seconds(labels: int) -> float:
    """Return the CPU seconds of an epoch on one core: the median of three."""
    model, _, _ = started(labels)
    return float(np.median([cpu_seconds(model.epoch) for _ in range(EPOCHS)]))


def checkpoint_bytes(labels: int) -> int:
    """Return the size of a trial's checkpoint."""
    model, ledger, settings = started(labels)
    model.epoch()  # optimizers have no state before
    with tempfile.TemporaryDirectory() as folder:
        Checkpoint.of(model, ledger, State("mnist1d-201", ledger.oracle.digest, 0, settings, 1, [], 0.0)).write(
            Path(folder)
        )
        return sum(path.stat().st_size for path in Path(folder).iterdir())


def trial_seconds(labels: int, epochs: int) -> float:
    """Return the CPU seconds of a trial's training, by a line through the epochs of three label budgets."""
    slope, intercept = np.polyfit(BUDGETS, [epoch_seconds(each) for each in BUDGETS], 1)
    return float(epochs * (intercept + slope * labels))


def read_runs(path: Path, store: str) -> tuple[list[Load], list[dict[str, Any]]]:
    """Return the runs of a file of simulated_cluster.py with a store, the largest last; UserError when they are too few."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        runs = sorted((run for run in lines if run["store"] == store), key=lambda run: int(run["trials"]))
        loads = [Load(run["trials"], run["workers"], run["seconds"], run["epochs"], run["queries"]) for run in runs]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} holds no runs of simulated_cluster.py ({error}): make some with --append") from error
    if len(runs) < FEWEST_RUNS:
        raise UserError(f"{path} holds {len(runs)} runs with --store {store}, fewer than {FEWEST_RUNS}: make more")
    return loads, runs


@click.command(help=__doc__)
@click.argument("measurements", type=click.Path(path_type=Path))
@click.option("--store", default="server", show_default=True, type=click.Choice(("server", "sqlite")))
@click.option("--trials", default=10_000, show_default=True, type=click.IntRange(1))
@click.option("--gpus", default=64, show_default=True, type=click.IntRange(1))
@click.option("--trials-per-gpu", default=1, show_default=True, type=click.IntRange(1), help="at a time")
@click.option("--labels", default=155, show_default=True, type=click.IntRange(1))
@click.option("--epochs", default=60, show_default=True, type=click.IntRange(1))
@click.option(
    "--trial-seconds",
    "seconds",
    type=click.FloatRange(0, min_open=True),
    help="[default: timed on a core of this machine]",
)
@as_json
def command(
    measurements: Path, store: str, trials: int, gpus: int, trials_per_gpu: int, labels: int, epochs: int,
    seconds: float | None, as_json: bool,
) -> None:  # fmt: skip
    torch.set_num_threads(1)
    loads, runs = read_runs(measurements, store)
    coefficients = fit(loads[:-1], runs[:-1])
    held_out = per_trial(loads[-1], coefficients)
    figures: dict[str, Any] = {
        f"held out, {loads[-1].trials} trials: {part}, predicted / measured s a trial": (
            f"{held_out[part]:.4f} / {runs[-1][part]:.4f}"
        )
        for part in held_out
    }
    seconds = seconds or trial_seconds(labels, epochs)
    load = Load(trials, gpus * trials_per_gpu, seconds, epochs, labels + Settings().final_k)
    found = cost(load, coefficients)
    figures |= {"s of a trial": seconds}
    figures |= {f"trials a second that {who} can take": rate for who, rate in limits(load, coefficients).items()}
    figures |= {
        "hours until the last trial has ended": found.hours,
        "hours until MLflow has all": found.delivered_hours,
        "GPU-hours": found.hours * gpus,
        "GPU-hours at work": found.worker_hours / trials_per_gpu,
        "driver's load, share of a core": found.trials_a_second / limits(load, coefficients)["driver"],
        "saturates at GPUs": found.workers_at_limit / trials_per_gpu,
        "by": found.first_limit,
        "checkpoints, GiB, in the study's folder and as much in MLflow": trials * checkpoint_bytes(labels) / 2**30,
        "driver's memory, MiB": runs[-1]["driver_mib"]
        + max(0, trials - loads[-1].trials) * runs[-1]["driver_kib_a_trial"] / 2**10,
    }
    show(figures, as_json)


if __name__ == "__main__":
    sys.exit(run_command(command))
