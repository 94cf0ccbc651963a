"""Measure how noise limits a predictor: the regret of a searcher that knows each cell's true mean but queries single trainings.

A table with several runs gives the deviation of a training directly, here that of its best tenth. A table with one run
gives an upper bound: how far the answers of the best tenth, by prediction, are from what a random forest predicts
without them, since that error includes the noise and more. `--deviations` takes any other values.

\b
    python studies/limit_of_noise.py
    python studies/limit_of_noise.py --benchmark mnist1d-201 --queries 160
"""

# first, so that Ctrl-C ends the imports below in one line
from nadlab.cli.command_line import run_command

# isort: split
import sys
from collections.abc import Sequence

import click
import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold, cross_val_predict

from nadlab.analysis.statistics.noise import oracle_regrets, pooled_deviation
from nadlab.benchmarks.oracle import Oracle
from nadlab.benchmarks.registry import benchmark, sources
from nadlab.benchmarks.tabular import TableBenchmark
from nadlab.errors import UserError
from nadlab.queries.path_encoding import path_encoding
from nadlab.queries.pools import distinct_cells
from nadlab.semigan.diagnostics import search_accuracies
from nadlab.terminal import console

Floats = NDArray[np.float64]


def measured_deviation(oracle: TableBenchmark) -> float:
    """Return the deviation of single trainings of the best tenth by the mean of their runs, in points."""
    runs = oracle.runs[oracle.search_split].astype(np.float64)
    return pooled_deviation(runs[np.argsort(-np.nanmean(runs, axis=1))[: len(runs) // 10]])


def error_of_prediction(oracle: Oracle, y: Floats) -> float:
    """Return the deviation of the best tenth's answers from held-out predictions, in points: at least the noise's."""
    cells = oracle.space.canonical(oracle.pool())
    labels = (cells.operations[:, :, None] == np.arange(len(oracle.space.operations))).reshape(len(cells), -1)
    features = np.concatenate([path_encoding(cells, oracle.space), cells.adjacency.reshape(len(cells), -1), labels], 1)
    good = y > np.quantile(y, 0.3)  # the rest fails to train, and would set the forest's error
    forest = RandomForestRegressor(100, max_features=1 / 3, random_state=0, n_jobs=1)
    predicted = cross_val_predict(forest, features[good], y[good], cv=KFold(5, shuffle=True, random_state=0))
    best = np.argsort(-predicted)[: good.sum() // 10]
    return float(np.std(y[good][best] - predicted[best]))


def show(name: str, rows: Sequence[tuple[str, float, Floats]], queries: int) -> None:
    table = Table(
        "deviation of a training",
        "regret",
        "best cell found",
        title=f"{name}: an oracle that knows every mean, {queries} queries",
    )
    for source, deviation, regrets in rows:
        found = f"{(regrets == 0).mean():.0%}"
        table.add_row(f"{deviation:.2f} {source}", f"{regrets.mean():.3f} ± {regrets.std():.3f}", found)
    console().print(table)


@click.command(help=__doc__)
@click.option("--benchmark", "name", default="nasbench101", show_default=True, help="see `nadlab benchmarks`")
@click.option("--queries", default=110, show_default=True)
@click.option(
    "--deviations",
    default="0.1,0.2,0.3,0.4",
    show_default=True,
    help="standard deviations of a single training, in points",
)
@click.option("--draws", default=400, show_default=True, help="simulated tables")
def command(name: str, queries: int, deviations: str, draws: int) -> None:
    try:
        asked = [float(part) for part in deviations.split(",")]
    except ValueError:
        raise UserError(f"--deviations must list numbers, such as 0.2,0.3, not {deviations!r}") from None
    # one training a cell is the point: an archive of several answers by one of them
    single = "naslib" if name in sources("naslib") else "paper"
    oracle = benchmark(name, single)
    if not isinstance(oracle, TableBenchmark):
        raise UserError(f"{name} is a surrogate without noise: name a table with --benchmark")
    if queries > (distinct := distinct_cells(oracle, queries)):
        raise UserError(f"{name} has {distinct} distinct cells: ask for fewer --queries")
    y = search_accuracies(oracle, oracle.pool())
    if (~np.isnan(oracle.runs[oracle.search_split])).sum(axis=1).max() > 1:
        known = ("(measured, best tenth)", measured_deviation(oracle))
    else:
        known = ("(at most: error of a forest)", error_of_prediction(oracle, y))
    rng = np.random.default_rng(0)
    levels = [*(("", deviation) for deviation in asked), known]
    show(name, [(word, value, oracle_regrets(y, value, queries, draws, rng)) for word, value in levels], queries)


if __name__ == "__main__":
    sys.exit(run_command(command))
