"""Train every unique NAS-Bench-201 cell on MNIST-1D: the embedded benchmark `mnist1d-201`.

Ray trains the 6,466 classes on all cores in an order drawn from the seed, so that an unfinished table is a uniform
sample of the space. Every cell is written to disk as it ends; the same command goes on where it was stopped.

    python studies/build_mnist1d_201.py
"""

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import ray
import torch
from tqdm import tqdm

from nadlab.benchmarks.mnist1d import Recipe, train_cell
from nadlab.errors import UserError
from nadlab.spaces.nasbench201 import NASBench201

TABLE = Path(__file__).parents[1] / "platform/nadlab/benchmarks/tables/mnist1d-201.csv"


@ray.remote(num_cpus=1)
def train_cells(batch: list[tuple[str, tuple[int, ...]]], recipe: Recipe, seed: int) -> list[list[str | float]]:
    """Return one row of the table a cell; one thread each, so that rows do not depend on the machine's cores."""
    torch.set_num_threads(1)
    rows: list[list[str | float]] = []
    for text, operations in batch:
        curve = train_cell(operations, recipe, seed)
        rows.append([text, *(value for pair in zip(curve.valid, curve.test, strict=True) for value in pair)])
    return rows


def provenance(recipe: Recipe, seed: int) -> dict[str, object]:
    """Say what made the table: the builder refuses to mix rows of two of these."""
    return {
        "command": f"python studies/build_mnist1d_201.py --seed {seed}",
        "seed": seed,
        "recipe": asdict(recipe),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
    }


def open_table(path: Path, recipe: Recipe, seed: int) -> set[str]:
    """Start the table or check that it is this build's; return the cells that it holds. A torn last line is cut."""
    columns = [f"mnist1d_{split}_{epoch}" for epoch in recipe.checkpoints for split in ("valid", "test")]
    stamp = json.dumps(provenance(recipe, seed))
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {stamp}\n{','.join(['arch_str', *columns])}\n")
    text = path.read_text()
    if json.loads(text.partition("\n")[0].removeprefix("# "))["recipe"] != json.loads(stamp)["recipe"]:
        raise UserError(f"{path} was built by another recipe: move it away or give another --table")
    path.write_text(text[: text.rindex("\n") + 1])
    return set(pd.read_csv(path, comment="#")["arch_str"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="initial weights, batch order and order of the cells")
    parser.add_argument("--table", type=Path, default=TABLE, help="where the rows go (default: the package's table)")
    parser.add_argument("--limit", type=int, help="stop after this many new cells")
    parser.add_argument("--address", help="a Ray cluster (default: all cores of this machine)")
    options = parser.parse_args()
    recipe = Recipe()
    done = open_table(options.table, recipe, options.seed)
    space = NASBench201()
    cells = space.enumerate()
    _, first = np.unique(space.keys(cells), return_index=True)
    order = np.random.default_rng(options.seed).permutation(first)
    texts = {int(i): space.format(cells[int(i) : int(i) + 1]) for i in order}
    todo = [(texts[int(i)], tuple((cells.operations[i, 1:7] - 1).tolist())) for i in order if texts[int(i)] not in done]
    todo = todo[: options.limit]
    ray.init(address=options.address, num_cpus=None if options.address else os.cpu_count(), include_dashboard=False)
    batches = [todo[i : i + 4] for i in range(0, len(todo), 4)]
    width = 2 * int(ray.cluster_resources()["CPU"])
    running = {train_cells.remote(batch, recipe, options.seed) for batch in batches[:width]}
    waiting = iter(batches[width:])
    with options.table.open("a") as table, tqdm(total=len(todo), unit="cell", mininterval=5) as progress:
        while running:
            ended, _ = ray.wait(list(running), num_returns=1)
            running -= set(ended)
            running |= {train_cells.remote(batch, recipe, options.seed) for batch in islice(waiting, len(ended))}
            rows = ray.get(ended[0])
            table.writelines(",".join(map(str, row)) + "\n" for row in rows)
            table.flush()
            os.fsync(table.fileno())
            progress.update(len(rows))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
