"""What one device does for this project, in less than eight minutes: one command, for a machine that is lent for minutes.

It measures the epochs of a SemiGAN-NAD trial in float32 and in bfloat16, several trials in turn, packed into one program and
side by side in processes of their own, the training of a NAS-Bench-201 cell on images of CIFAR-10's size, and the share of
the time that the device is busy; it compares the first epoch's losses with the CPU's. Without a GPU all of it runs on the CPU.

\b
python perf/gpu.py
python perf/gpu.py --seconds 1 --trials 2 --images 512    # on a CPU, to see that it works
"""

import multiprocessing
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from threading import BrokenBarrierError
from typing import Any
from unittest.mock import patch

import click
import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from nadlab.benchmarks.registry import benchmark
from nadlab.benchmarks.training.benchmark import plain_graph
from nadlab.benchmarks.training.data import Dataset, Part
from nadlab.benchmarks.training.networks import PUBLISHED, Normalised, cell_network
from nadlab.benchmarks.training.recipe import Recipe, device, train
from nadlab.cli.command_line import run_command
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.method import finish, start
from nadlab.semigan.pack import Pack
from nadlab.semigan.settings import Settings
from nadlab.spaces import space
from perf.measuring import Spread, as_json, cpu_seconds, show, spread, wall_seconds

CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"
PATIENCE = 180.0
"""seconds in which the processes side by side must have started"""


def trial(name: str, settings: Settings, seed: int = 0) -> BiArch2Perf:
    """Return a trial whose labels are queried and whose networks are untrained."""
    return start(QueryLedger(benchmark(name), settings.budget), settings, np.random.default_rng(seed))


def waiting(work: Callable[[], object]) -> Callable[[], None]:
    """Return some work that ends when the device has done what it was given."""

    def whole() -> None:
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return whole


def repeated(work: Callable[[], object], seconds: float) -> Spread:
    """Run once to warm up, then for so many seconds and at least once; return the seconds of a run."""

    whole = waiting(work)
    whole()
    taken = [wall_seconds(whole)]
    while sum(taken) < seconds:
        taken.append(wall_seconds(whole))
    return spread(taken)


def busy(work: Callable[[], object]) -> float:
    """Return the share of the time of a run in which a kernel runs on the GPU; on a CPU, the CPU seconds by the clock's.

    The profiler makes a run longer, so the share is a lower bound.
    """
    if not torch.cuda.is_available():
        cpu: list[float] = []
        wall = wall_seconds(lambda: cpu.append(cpu_seconds(work)))
        return cpu[0] / wall
    with profile(activities=[ProfilerActivity.CUDA]) as recorded:
        taken = wall_seconds(waiting(work))
    microseconds: float = sum(event.self_device_time_total for event in recorded.key_averages())
    return microseconds / 1e6 / taken


def difference_from_cpu(name: str, settings: Settings) -> float:
    """Return by how much a loss of the first epoch differs at most from the CPU's, as a share of it."""
    here = asdict(trial(name, settings).epoch())
    with patch.object(torch.cuda, "is_available", lambda: False):
        there = asdict(trial(name, settings).epoch())
    return max(float(abs(here[loss] - there[loss]) / max(1.0, abs(there[loss]))) for loss in there)


_barrier: Any = None


def _join(barrier: Any) -> None:
    global _barrier
    _barrier = barrier
    torch.set_num_threads(1)


def _alone(name: str, settings: Settings, seed: int, epochs: int) -> float:
    """Return the seconds of some epochs of one trial, begun when all processes are ready."""
    model = trial(name, settings, seed)
    waiting(model.epoch)()
    _barrier.wait(PATIENCE)
    return wall_seconds(waiting(lambda: [model.epoch() for _ in range(epochs)]))


def side_by_side(name: str, settings: Settings, trials: int, epochs: int) -> float:
    """Return the seconds of an epoch of every trial, each in a process of its own, all at once on one device."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(trials)
    with ProcessPoolExecutor(trials, context, _join, (barrier,)) as processes:
        running = [processes.submit(_alone, name, settings, seed, epochs) for seed in range(trials)]
        try:
            return max(each.result() for each in running) / epochs
        except BrokenBarrierError as error:
            raise click.ClickException(f"{trials} processes were not ready within {PATIENCE:g} s") from error


def random_images(count: int) -> Dataset:
    """Return random images of CIFAR-10's size, as many for training."""
    rng = np.random.default_rng(0)
    train_part, other = (
        Part(rng.integers(0, 256, (n, 3, 32, 32), np.uint8), rng.integers(0, 10, n)) for n in (count, count // 4)
    )
    return Dataset(train_part, other, other, tuple(map(str, range(10))), "random")


def training_figures(images: int, seconds: float) -> dict[str, Any]:
    """Return what a training with the published skeleton and recipe takes."""
    data, cells = random_images(images), space("nasbench201")
    graph = plain_graph(cells.parse(CELL), cells)
    network = Normalised(cell_network("nasbench201", *graph, PUBLISHED["nasbench201"], 3, 10), *data.moments())

    def epoch() -> None:
        train(network, data, Recipe(epochs=1))

    taken = repeated(epoch, seconds)
    return {
        f"s of a NAS-Bench-201 training's epoch of {images} images, with its accuracies": taken,
        "hours of 200 epochs of 50,000 images": taken.median * 200 * 50_000 / images / 3600,
        "share of the time that the device is busy in it": busy(epoch),
    }


@click.command(help=__doc__)
@click.option("--benchmark", "name", default="mnist1d-201", show_default=True, help="see `nadlab benchmarks`")
@click.option("--trials", default=8, show_default=True, type=click.IntRange(2), help="at once")
@click.option(
    "--seconds", default=25.0, show_default=True, type=click.FloatRange(0), help="of each measurement, at least"
)
@click.option("--images", default=10_240, show_default=True, type=click.IntRange(256), help="of the training's epoch")
@click.option("--unlabelled", default=Settings().unlabelled_per_epoch, show_default=True, help="cells of an epoch")
@click.option("--width", default=Settings().width, show_default=True, type=click.IntRange(1), help="of the networks")
@as_json
def command(
    name: str, trials: int, seconds: float, images: int, unlabelled: int | None, width: int, as_json: bool
) -> None:
    torch.set_num_threads(1)
    began, settings = time.perf_counter(), Settings(unlabelled_per_epoch=unlabelled, width=width)
    place = device()
    figures: dict[str, Any] = {"device": torch.cuda.get_device_name() if place.type == "cuda" else "CPU"}
    figures["largest relative difference of a first epoch's loss from the CPU's"] = difference_from_cpu(name, settings)

    oracle = benchmark(name)
    ledger = QueryLedger(oracle, settings.budget)
    models: list[BiArch2Perf] = []
    set_up = wall_seconds(lambda: models.append(start(ledger, settings, np.random.default_rng(0))))
    model = models[0]
    figures["s of an epoch, float32"] = alone = repeated(model.epoch, seconds)
    figures["share of the time that the device is busy in it"] = busy(model.epoch)
    nacg = wall_seconds(lambda: finish(model, ledger))
    figures[f"s of a trial of {settings.epochs} epochs"] = set_up + settings.epochs * alone.median + nacg
    if place.type == "cuda":
        half = trial(name, replace(settings, precision="bfloat16"))
        figures["s of an epoch, bfloat16"] = repeated(half.epoch, seconds)

    each = [trial(name, settings, seed) for seed in range(trials)]
    in_turn = repeated(lambda: [model.epoch() for model in each], seconds)
    pack = Pack([trial(name, settings, seed) for seed in range(trials)])
    packed = repeated(pack.epoch, seconds)
    epochs = max(1, round(seconds / in_turn.median))
    figures |= {
        f"s of an epoch of {trials} trials in turn": in_turn,
        f"s of an epoch of {trials} trials packed": packed,
        "share of the time that the device is busy in the pack": busy(pack.epoch),
        f"s of an epoch of {trials} trials side by side": (apart := side_by_side(name, settings, trials, epochs)),
        "in turn / packed": in_turn.median / packed.median,
        "in turn / side by side": in_turn.median / apart,
    }
    figures |= {f"training: {what}": value for what, value in training_figures(images, seconds).items()}
    figures["minutes of all measurements"] = (time.perf_counter() - began) / 60
    show(figures, as_json)


if __name__ == "__main__":
    sys.exit(run_command(command))
