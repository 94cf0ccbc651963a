"""Measure the embedded benchmark's noise: how far a cell's accuracy moves with the seed, against cells among each other.

python studies/measure_mnist1d_noise.py --cells 14 --seeds 3
"""

import sys
import time
from functools import partial
from itertools import product

import click
import numpy as np

from nadlab.benchmarks.mnist1d import Recipe, train_cell
from nadlab.command_line import run_command
from nadlab.processes import side_by_side
from nadlab.spaces import space


def trained(recipe: Recipe, request: tuple[tuple[int, ...], int]) -> tuple[float, float]:
    """Return final validation accuracy in percent and the seconds of a training on one thread."""
    started = time.process_time()
    curve = train_cell(request[0], recipe, request[1])
    return curve.valid[-1], time.process_time() - started


@click.command(help=__doc__)
@click.option("--cells", default=14, show_default=True, help="distinct random cells")
@click.option("--seeds", default=3, show_default=True, help="trainings of each")
@click.option("--channels", default=Recipe().channels, show_default=True)
@click.option("--epochs", default=Recipe().epochs, show_default=True)
@click.option("--learning-rate", default=Recipe().learning_rate, show_default=True)
@click.option("--iid-noise", default=Recipe().iid_noise, show_default=True)
def command(cells: int, seeds: int, channels: int, epochs: int, learning_rate: float, iid_noise: float) -> None:
    recipe = Recipe(
        channels=channels, epochs=epochs, checkpoints=(epochs,), learning_rate=learning_rate, iid_noise=iid_noise
    )
    nasbench201 = space("nasbench201")
    chosen = nasbench201.enumerate()[np.random.default_rng(0).permutation(np.unique(nasbench201.all_keys()))[:cells]]
    operations = [tuple((row[1:7].astype(int) - 1).tolist()) for row in chosen.operations]
    requests = list(product(operations, range(seeds)))
    results = list(side_by_side(partial(trained, recipe), requests, "training"))
    accuracies = np.array([accuracy for accuracy, _ in results]).reshape(cells, seeds)
    within = accuracies.std(axis=1, ddof=1)
    click.echo(
        f"mean {accuracies.mean():.2f} %, best cell {accuracies.mean(axis=1).max():.2f} %; standard deviation between "
        f"cells {accuracies.mean(axis=1).std(ddof=1):.2f}, of a cell over seeds {within.mean():.2f} (median "
        f"{np.median(within):.2f}); {np.mean([seconds for _, seconds in results]):.2f} CPU seconds a training"
    )


if __name__ == "__main__":
    sys.exit(run_command(command))
