"""Time S trials in one program (`--pack`), weights stacked, against the same S trials in turn.

Packing saves the calls of operators, not arithmetic: what it gains is bounded by the share of a trial's time that calls
take. --no-accelerator takes torch's operators for the GINs, too: it counts what a GPU would launch.

\b
python perf/training/packing.py
python perf/training/packing.py --width 16 --batch 64    # small products, where calls cost most
python perf/training/packing.py --no-accelerator
"""

import sys

import click
import numpy as np
import torch
from tqdm import tqdm

from nadlab.benchmarks.registry import benchmark
from nadlab.cli.command_line import run_command
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.losses import EpochLosses
from nadlab.semigan.method import start
from nadlab.semigan.pack import Pack, stacked
from nadlab.semigan.settings import Settings
from nadlab.semigan.step import Batch, Each, take_step
from perf.measuring import (
    as_json,
    cpu_seconds,
    operators,
    ratios,
    show,
    spread,
    wall_seconds,
    without_accelerator,
)


def largest_difference(alone: list[BiArch2Perf], pack: Pack) -> float:
    """Return by how much a loss differs at most before the first update; Adam makes much of any rounding after it."""
    settings = alone[0].settings

    def losses(each: Each, batch: Batch) -> torch.Tensor:
        return take_step(each, lambda *_: None, batch, settings)

    singles = torch.stack([losses(model.each, next(iter(model.batches()))) for model in alone])
    together = losses(pack.each, stacked([next(iter(model.batches())) for model in pack.models], alone[0].device))
    return float(((singles - together).abs() / singles.abs().clamp(min=1.0)).max())


@click.command(help=__doc__)
@click.option("--benchmark", "name", default="mnist1d-201", show_default=True, help="see `nadlab benchmarks`")
@click.option("--seeds", default=8, show_default=True, type=click.IntRange(2), help="trials")
@click.option("--width", default=Settings().width, show_default=True, type=click.IntRange(1))
@click.option("--labels", default=Settings().labels, show_default=True, type=click.IntRange(1))
@click.option("--batch", default=Settings().unlabelled_batch, show_default=True, type=click.IntRange(1), help="cells")
@click.option("--repetitions", default=5, show_default=True, type=click.IntRange(1), help="epochs of 8 batches")
@click.option("--accelerator/--no-accelerator", "accelerated", default=True, show_default=True)
@as_json
def command(
    name: str, seeds: int, width: int, labels: int, batch: int, repetitions: int, accelerated: bool, as_json: bool
) -> None:
    torch.set_num_threads(1)
    settings = Settings(
        width=width, labels=labels, unlabelled_batch=batch, unlabelled_per_epoch=8 * batch, epochs=repetitions + 2
    )
    oracle = benchmark(name)

    def trials() -> list[BiArch2Perf]:
        return [
            start(QueryLedger(oracle, settings.budget), settings, np.random.default_rng(seed)) for seed in range(seeds)
        ]

    alone, pack = trials(), Pack(trials())
    seconds = cpu_seconds if alone[0].device.type == "cpu" else wall_seconds

    def in_turn() -> list[EpochLosses]:
        return [model.epoch() for model in alone]

    single, together = [], []
    with without_accelerator(not accelerated):
        difference = largest_difference(trials(), Pack(trials()))
        launches = [operators(work) / alone[0].steps_per_epoch for work in (in_turn, pack.epoch)]
        for _ in tqdm(range(repetitions), unit="epoch", disable=None):
            single.append(seconds(in_turn))
            together.append(seconds(pack.epoch))
    clock = "CPU s" if seconds is cpu_seconds else "s"
    figures = {
        "device": str(alone[0].device),
        f"{clock} of an epoch of {seeds} trials in turn": spread(single),
        f"{clock} of an epoch of {seeds} trials at once": spread(together),
        "in turn / at once": ratios(single, together),
        f"operators a batch of {seeds} trials in turn": launches[0],
        f"operators a batch of {seeds} trials at once": launches[1],
        "largest relative difference of a loss in the first step": difference,
    }
    show(figures, as_json)


if __name__ == "__main__":
    sys.exit(run_command(command))
