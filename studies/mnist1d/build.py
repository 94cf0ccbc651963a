"""Train the cells of the embedded benchmarks on MNIST-1D; `embed.py` makes benchmarks of the result.

NAS-Bench-201: every one of the 6,466 classes. NAS-Bench-101 and DARTS: 2,400 random cells, for a surrogate. Ray trains
on all cores, in an order drawn once, so that an unfinished file is a uniform sample of the space. Every cell is
written as it ends; the same command goes on where it was stopped.

\b
    python studies/mnist1d/build.py nasbench201 --seeds 3
    python studies/mnist1d/build.py nasbench101
    python studies/mnist1d/build.py darts
"""

import json
import os
import platform
import sys
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import click
import numba
import numpy as np
import ray
from tqdm import tqdm

from nadlab.cli.command_line import run_command
from nadlab.cli.options import parse_seeds
from nadlab.errors import UserError
from nadlab.json_text import strict_json
from nadlab.spaces import Cells, space
from nadlab.spaces.classes import classes
from studies.mnist1d import Recipe, train_cell

RECIPES = {
    "nasbench201": Recipe("nasbench201"),
    "nasbench101": Recipe("nasbench101", channels=8),
    "darts": Recipe("darts"),
}
RANDOM_CELLS = 2_400
FOLDER = Path(__file__).parents[2] / "results" / "mnist1d"
HEADER = "cell,seed,valid,test"
BATCH = 8


@ray.remote(num_cpus=1)
def train_cells(cells: Cells, recipe: Recipe, seed: int) -> list[str]:
    """Return one line of the file a cell."""
    keys = space(recipe.space).keys(cells).tolist()
    accuracies = [train_cell(cell, recipe, seed) for cell in cells]
    return [f"{key},{seed},{a.valid:.2f},{a.test:.2f}\n" for key, a in zip(keys, accuracies, strict=True)]


def cells_of(name: str) -> Cells:
    """Return the cells to train, in an order that makes every beginning of it a uniform sample."""
    rng = np.random.default_rng(0)
    if name == "nasbench201":
        cells, _ = classes(space(name))
        return cells[rng.permutation(len(cells))]
    return space(name).unlabelled(RANDOM_CELLS, rng)


def open_results(path: Path, recipe: Recipe) -> set[tuple[int, int]]:
    """Start the file or check that it is this recipe's; return its cells and seeds. A torn last line is cut."""
    stamp = {
        "recipe": asdict(recipe),
        "versions": {"python": platform.python_version(), "numba": numba.__version__, "numpy": np.__version__},
    }
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {strict_json(stamp)}\n{HEADER}\n", encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    made = json.loads(text.partition("\n")[0].removeprefix("# "))
    for what, now in stamp.items():
        if made[what] != now:
            raise UserError(
                f"{path} was built by other {what}, {made[what]} where here are {now}: move it away or give another --results"
            )
    whole = text[: text.rindex("\n") + 1]
    if whole != text:
        with path.open("r+b") as file:
            file.truncate(len(whole.encode()))
    rows = [line.split(",") for line in whole.splitlines()[2:]]
    return {(int(key), int(seed)) for key, seed, *_ in rows}


@click.command(help=__doc__)
@click.argument("name", metavar="SPACE", type=click.Choice(list(RECIPES)))
@click.option(
    "--seeds", default="1", show_default=True, help="a count or a range: the second seed begins when the first is done"
)
@click.option(
    "--results", type=click.Path(path_type=Path), help="where the rows go  [default: results/mnist1d/SPACE.csv]"
)
@click.option("--limit", type=click.IntRange(1), help="stop after this many batches of 8 trainings")
@click.option("--address", help="a Ray cluster  [default: all cores of this machine]")
def command(name: str, seeds: str, results: Path | None, limit: int | None, address: str | None) -> None:
    path, recipe = results or FOLDER / f"{name}.csv", RECIPES[name]
    done = open_results(path, recipe)
    cells = cells_of(name)
    keys = space(name).keys(cells).tolist()
    todo = {seed: [row for row, key in enumerate(keys) if (key, seed) not in done] for seed in parse_seeds(seeds)}
    batches = [(cells[rows[i : i + BATCH]], seed) for seed, rows in todo.items() for i in range(0, len(rows), BATCH)]
    batches = batches[:limit]
    ray.init(address=address, num_cpus=None if address else os.cpu_count(), include_dashboard=False)
    waiting = (train_cells.remote(batch, recipe, seed) for batch, seed in batches)
    running = set(islice(waiting, 2 * int(ray.cluster_resources()["CPU"])))
    with (
        path.open("a", encoding="utf-8") as file,
        tqdm(total=sum(len(batch) for batch, _ in batches), unit="training", mininterval=5) as progress,
    ):
        while running:
            ended, _ = ray.wait(list(running), num_returns=1)
            running = running - set(ended) | set(islice(waiting, len(ended)))
            lines = ray.get(ended[0])
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
            progress.update(len(lines))


if __name__ == "__main__":
    sys.exit(run_command(command))
