"""Time SemiGAN-NAD's training against the plain reference (`reference.py`), and say what the machine spends it on.

Both train on one thread from the same weights and random numbers, an epoch of one after an epoch of the other; the
losses of the first epoch must agree. The time is in CPU seconds, so that neighbours on a shared machine disturb less; what
several threads take counts together, and the minutes of the trial are by the clock.

\b
python perf/training/training.py --measured 3          # the first epochs of a trial of 60
python perf/training/training.py --measured 3 --every-cell   # the reference doesn't know isomorphic cells as such
python perf/training/training.py --no-reference        # the whole trial
python perf/training/training.py --no-reference --benchmark nasbench101 --unlabelled-batch 4096 --threads 2   # 423,000 cells
"""

import resource
import sys
import time
from dataclasses import asdict
from typing import Any

import click
import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile
from tqdm import tqdm

from nadlab.benchmarks.registry import benchmark
from nadlab.cli.command_line import run_command
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.method import finish, start
from nadlab.semigan.settings import PRECISIONS, Settings
from nadlab.spaces import Cells
from perf.measuring import (
    Spread,
    accelerator_seconds,
    as_json,
    cpu_seconds,
    gigaflop,
    matrix_peak,
    operators,
    ratios,
    show,
    spread,
)
from perf.training.reference import PlainTraining

AGREEMENT = 1e-4
"""largest relative difference of a first epoch's loss"""
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")


def profiled(model: BiArch2Perf) -> dict[str, str]:
    """Return the shares of an epoch's time: matrix products outside the accelerator, the largest other operators, the rest.

    The profiler makes some of them longer.
    """
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        model.epoch()
    times = {event.key: event.self_cpu_time_total for event in recorded.key_averages()}
    total = sum(times.values())
    others = sorted((key for key in times if key not in PRODUCTS), key=lambda key: -times[key])
    shares = {"matrix products outside the accelerator": sum(times.get(key, 0.0) for key in PRODUCTS) / total}
    shares |= {key: times[key] / total for key in others[:8]}
    shares["all others"] = 1 - sum(shares.values())
    return {name: f"{share:.1%}" for name, share in shares.items()}


def different_messages(model: BiArch2Perf) -> str:
    """Return how many different messages the vertices of a batch's unlabelled cells have in the first layer."""
    cells = next(model.batches()).unlabelled
    messages = (cells.aggregation @ cells.features).flatten(0, 1)
    return f"{len(torch.unique(messages, dim=0))} by {len(messages)} vertices"


def unqueried(ledger: QueryLedger) -> Cells:
    """Return every cell of the space but the queried ones, isomorphic or not."""
    space = ledger.oracle.space
    cells = space.enumerate()
    queried = {query.cell for query in ledger.queries}
    return cells[np.array([space.format(cell) not in queried for cell in cells])]


def compared(ours: dict[str, float], theirs: dict[str, float]) -> float:
    """Return the largest relative difference of two epochs' losses; raise where they do not agree."""
    worst = max(abs(ours[name] - theirs[name]) / max(1.0, abs(theirs[name])) for name in ours)
    if worst > AGREEMENT:
        raise click.ClickException(f"the first epoch's losses differ by {worst:.1e}: {ours} against {theirs}")
    return worst


@click.command(help=__doc__)
@click.option("--benchmark", "name", default="nasbench201/cifar10", show_default=True, help="see `nadlab benchmarks`")
@click.option("--epochs", default=60, show_default=True, type=click.IntRange(1), help="length of the trial")
@click.option("--measured", type=click.IntRange(1), help="epochs of it that are run  [default: all]")
@click.option("--unlabelled-per-epoch", type=int, help="cells  [default: all]")
@click.option("--unlabelled-batch", default=Settings().unlabelled_batch, show_default=True, help="cells")
@click.option("--labels", default=Settings().labels, show_default=True, type=click.IntRange(2), help="the paper: 155")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1), help="of torch")
@click.option("--precision", type=click.Choice(PRECISIONS), default="float32", show_default=True)
@click.option("--reference/--no-reference", default=True, show_default=True, help="which computes in float32")
@click.option("--every-cell", is_flag=True, help="the reference takes isomorphic cells, too: losses are not compared")
@as_json
def command(
    name: str,
    epochs: int,
    measured: int | None,
    unlabelled_per_epoch: int | None,
    unlabelled_batch: int,
    labels: int,
    threads: int,
    precision: str,
    reference: bool,
    every_cell: bool,
    as_json: bool,
) -> None:
    torch.set_num_threads(threads)
    settings = Settings(
        epochs=epochs,
        labels=labels,
        unlabelled_per_epoch=unlabelled_per_epoch,
        unlabelled_batch=unlabelled_batch,
        precision=precision,
    )
    oracle = benchmark(name)
    ledger = QueryLedger(oracle, settings.budget)
    began = time.perf_counter()
    made: list[BiArch2Perf] = []
    set_up = cpu_seconds(lambda: made.append(start(ledger, settings, np.random.default_rng(0))))
    model = made[0]
    plain = PlainTraining(model, unqueried(ledger) if every_cell else None) if reference else None
    ours: list[float] = []
    clock: list[float] = []
    theirs: list[float] = []
    figures: dict[str, Any] = {}
    for epoch in tqdm(range(measured or epochs), unit="epoch", disable=None):
        losses: list[dict[str, float]] = []
        started = time.perf_counter()
        ours.append(cpu_seconds(lambda: losses.append(asdict(model.epoch()))))  # noqa: B023 - called at once
        clock.append(time.perf_counter() - started)
        if plain:
            theirs.append(cpu_seconds(lambda: losses.append(asdict(plain.epoch()))))  # noqa: B023
            if epoch == 0 and not every_cell:
                figures["largest relative difference of a loss in the first epoch"] = compared(*losses)
    figures |= {"CPU s an epoch": spread(ours), "s an epoch by the clock": spread(clock)}
    if plain:
        figures |= {"CPU s an epoch of the reference": spread(theirs), "reference / nadlab": ratios(theirs, ours)}
    figures["CPU s of the set-up"] = set_up
    if len(ours) == epochs:
        figures["CPU s of NACG"] = cpu_seconds(lambda: finish(model, ledger))
        figures["CPU s of the trial"] = set_up + sum(ours) + figures["CPU s of NACG"]
        if not plain:
            figures["minutes of the trial by the clock"] = (time.perf_counter() - began) / 60
    figures["unlabelled cells"] = len(model.unlabelled)
    if plain and every_cell:
        figures["unlabelled cells of the reference"] = len(plain.unlabelled)
    figures["MiB of memory at the peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures |= shares(model, spread(ours), precision)
    figures["different messages of a batch"] = different_messages(model)
    figures["operators a batch"] = operators(model.epoch) / model.steps_per_epoch
    show(figures | {"profile of an epoch": profiled(model)}, as_json)


def shares(model: BiArch2Perf, epoch: Spread, precision: str) -> dict[str, Any]:
    """Return the machine's matrix peak and the share of it that an epoch and its part in the accelerator reach.

    The products count as they are written: the accelerator leaves some out (`cpp/shared.hpp`).
    """
    peak = matrix_peak(getattr(torch, precision))
    products, outside = gigaflop(model.epoch)
    accelerated = spread([accelerator_seconds(model.epoch) for _ in range(3)])
    figures = {
        "GFLOP of matrix products an epoch": products,
        f"matrix peak of a core in {precision}, GFLOP/s": peak,
        "share of the peak that an epoch reaches": products / epoch.median / peak.median,
        "CPU s an epoch in the accelerator": accelerated,
    }
    if accelerated.median:
        reached = (products - outside) / accelerated.median / peak.median
        figures["share of the peak that the accelerator reaches"] = reached
    return figures


if __name__ == "__main__":
    sys.exit(run_command(command))
