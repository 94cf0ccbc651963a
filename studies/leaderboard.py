"""Every method on several benchmarks with the same budgets and seeds: mean regrets, and ranks over the benchmarks.

Each search is appended to OUT/searches.csv when it ends. The same command goes on after a stop, and one with more
methods, benchmarks, budgets or seeds runs only those. Searches go by seeds, so that after a stop all methods have as
many. A method's settings follow from its budget, so each budget is searched by itself. --page writes the page from what
is there and searches nothing.

\b
    python studies/leaderboard.py --seeds 0-1
    python studies/leaderboard.py --benchmarks mnist1d-101,mnist1d-201 --queries 20,60,100,160
"""

# first, so that Ctrl-C ends the imports below in one line
from nadlab.cli.command_line import run_command

# isort: split
import os
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from tqdm import tqdm

from nadlab.analysis.figures.comparisons import critical_differences
from nadlab.analysis.figures.style import save
from nadlab.analysis.page import markdown_table
from nadlab.analysis.statistics.intervals import mean_interval
from nadlab.analysis.statistics.rankings import rank
from nadlab.analysis.text import ends, listed, p_equals
from nadlab.benchmarks.oracle import accuracy, facts_of, metric_of, optimum_of
from nadlab.benchmarks.packages.nasbenchgraph import DATASETS
from nadlab.benchmarks.registry import benchmark
from nadlab.cli.options import parse_seeds
from nadlab.engine.search import searches
from nadlab.errors import UserError
from nadlab.methods.registry import COMPARED
from nadlab.methods.request import SearchRequest
from nadlab.processes import side_by_side
from nadlab.provenance.code import origin
from nadlab.provenance.hardware import hardware
from nadlab.semigan.diagnostics import search_accuracies

KEY = ["queries", "seed", "benchmark", "method"]
"""what names a search, in the order in which searches run: the first changes last"""
COLUMNS = [*KEY, "best_valid", "best_test", "regret", "cpu_seconds", "code", "revision"]
Task = tuple[int, int, str, str]


def search(path: Path, made_by: Mapping[str, str], task: Task) -> Task:
    """Run one search and append its row to the file."""
    queries, seed, name, method = task
    benchmark(name)  # opened before the clock starts
    started = time.process_time()
    (found,) = searches([method], name, queries, [seed], 1)
    row = found.row() | {"cpu_seconds": f"{time.process_time() - started:.2f}"} | made_by
    line = ",".join("" if row.get(column) is None else str(row[column]) for column in COLUMNS)
    with path.open("ab", buffering=0) as file:
        file.write(f"{line}\n".encode())  # one write: neighbours append to the same file, and a stop leaves no half
    return task


def kept(path: Path, code: str) -> pd.DataFrame:
    """Return the rows of the file, which is begun if it is missing; raise UserError where other code made some."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    rows = pd.read_csv(path, dtype={"code": str, "revision": str})
    if not (rows["code"] == code).all():
        raise UserError(f"{path} was made by other code: check out its revision, or name another folder by --out")
    return rows


def limit(name: str) -> float | None:
    """Return the regret of the cell that is best by the search split: without luck, no search has less.

    None where the benchmark does not store its answers.
    """
    oracle = benchmark(name)
    optimum, score = optimum_of(oracle), metric_of(oracle).score
    if facts_of(oracle).answers != "stored" or optimum is None:
        return None
    pool = oracle.pool()
    best = int(np.argmax(search_accuracies(oracle, pool)))
    reported = accuracy(oracle.evaluate(pool[best : best + 1])[0], oracle.report_split)
    return score(optimum) - score(reported)


def section(rows: pd.DataFrame, names: Sequence[str], seeds: int, out: Path) -> list[str]:
    """Return the lines about one budget, and draw the diagram of ranks; cells without a search stay empty."""
    (queries,) = set(rows["queries"])
    means = rows.pivot_table("regret", "method", "benchmark").reindex(columns=names)
    complete = means.dropna()
    ranking = rank(-complete.T)
    order = sorted(means.index, key=lambda method: (ranking.ranks if ranking else {}).get(method, np.inf))
    rng, body = np.random.default_rng(0), []
    for method in order:
        cells, own = [], rows[rows["method"] == method]
        for name in names:
            regrets = own.loc[own["benchmark"] == name, "regret"].to_numpy(np.float64)
            cells.append(_cell(regrets, seeds, rng) if len(regrets) else "")
        place = f"{ranking.ranks[method]:.2f}" if ranking and method in ranking.ranks else ""
        body.append((method, place, *cells, f"{own['cpu_seconds'].median():.2f}"))
    floors = [limit(name) for name in names]
    body.append(
        ("every cell by the search split", "", *("" if floor is None else f"{floor:.2f}" for floor in floors), "")
    )
    said = [f"## {queries} queries", ""]
    counts = rows.groupby(["method", "benchmark"]).size().unstack(fill_value=0).reindex(columns=names, fill_value=0)
    few = [f"{method} ({low} to {high})" for method, low, high in
           zip(counts.index, counts.min(axis=1), counts.max(axis=1), strict=True) if low < seeds]  # fmt: skip
    if few:
        said += [f"Unfinished, with fewer than {seeds} seeds on some benchmark: {listed(few)}.", ""]
    if ranking:
        element = f"critical_differences_{queries}"
        save(critical_differences(ranking), out, element)
        said += [
            f"{len(ranking.ranks)} methods ranked by mean regret over {ranking.blocks} benchmarks: Friedman's test gives "
            f"{p_equals(ranking.p_value)}; by Nemenyi's test mean ranks that differ by more than "
            f"{ranking.critical_difference:.2f} differ significantly at 5 %.",
            "",
            f"![mean ranks; bars join methods that do not differ significantly]({element}.png)",
            "",
        ]
    return [*said, *markdown_table(("method", "mean rank", *names, "CPU seconds"), body), ""]


def _cell(regrets: np.ndarray[Any, np.dtype[np.float64]], seeds: int, rng: np.random.Generator) -> str:
    found = mean_interval(regrets, rng)
    count = "" if found.n == seeds else f", n = {found.n}"
    return f"{found.mean:.2f} ({ends(found, '')}{count})"


def page(rows: pd.DataFrame, names: Sequence[str], seeds: int, out: Path) -> str:
    """Return the page, budget by budget."""
    machine = hardware()
    digests = listed([f"{name} {benchmark(name).digest[:12]}" for name in names])
    revisions = listed(sorted(set(rows["revision"])))
    lines = [line for _, found in rows.groupby("queries") for line in section(found, names, seeds, out)]
    return f"""# All methods on {listed(names)}

Mean regret over up to {seeds} seeds with its 95 % bootstrap interval: the optimum less the reported answer of the cell that is
best by the search split. Methods have their published settings, or those of `chosen_on` in the registry. A cell with
fewer seeds says how many; an empty one has none, and its method is not ranked. The last row is the regret of who queries
every cell and takes the best by the search split. CPU seconds: the median of a search.

Revision {revisions}, code {rows["code"].iloc[0]}, {machine["cpu"]}, {rows["cpu_seconds"].sum() / 3600:.1f} CPU hours of one thread.
Benchmark digests: {digests}.

{chr(10).join(lines)}"""


@click.command(help=__doc__)
@click.option(
    "--methods", default=",".join(COMPARED), help="separated by commas  [default: all but the paper's settings]"
)
@click.option("--benchmarks", default=",".join(f"nas-bench-graph/{name}" for name in DATASETS), show_default=True)
@click.option("--queries", default="100", show_default=True, help="budgets, separated by commas")
@click.option("--seeds", default="20", show_default=True, help="a count, a range or a list")
@click.option("--concurrent", type=click.IntRange(1), help="searches at a time, each on one core  [default: all cores]")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/leaderboard"), show_default=True)
@click.option("--page", "page_only", is_flag=True, help="search nothing, write the page of what is there")
def command(
    methods: str, benchmarks: str, queries: str, seeds: str, concurrent: int | None, out: Path, page_only: bool
) -> None:
    names, chosen, each = benchmarks.split(","), methods.split(","), parse_seeds(seeds)
    if unknown := [name for name in names if optimum_of(benchmark(name)) is None]:
        raise UserError(
            f"{unknown[0]} does not know its optimum, from which regrets are counted: take another benchmark"
        )
    try:
        budgets = [int(part) for part in queries.split(",")]
    except ValueError:
        raise UserError(f"--queries must list numbers, such as 20,100, not {queries!r}") from None
    for method, budget in product(chosen, budgets):
        SearchRequest(method=method, queries=budget)  # raises here rather than hours later
    made_by = origin("trainables.searcher:SearcherTrainable", chosen).values
    made_by = {"code": made_by["code"][:16], "revision": made_by["git_revision"]}
    rows = kept(path := out / "searches.csv", made_by["code"])
    done = set(rows[KEY].itertuples(index=False, name=None))
    tasks = [task for task in product(budgets, each, names, chosen) if task not in done]
    workers = concurrent or os.cpu_count() or 1
    if tasks and not page_only:
        finished = side_by_side(partial(search, path, made_by), tasks, "search", workers)
        # with several at a time there is a bar already
        list(tqdm(finished, total=len(tasks), unit="search") if workers == 1 else finished)
        rows = kept(path, made_by["code"])
    rows = rows[rows["benchmark"].isin(names) & rows["queries"].isin(budgets) & rows["method"].isin(chosen)]
    if rows.empty:
        raise UserError(f"{path} has no search of these yet")
    (out / "README.md").write_text(text := page(rows, names, len(each), out), encoding="utf-8")
    click.echo(text)


if __name__ == "__main__":
    sys.exit(run_command(command))
