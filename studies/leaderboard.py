"""Compare every method on several benchmarks at equal budgets and seeds: mean regrets, and ranks over the benchmarks.

Each search is appended to OUT/searches.csv when it ends. The same command resumes after a stop, and with more methods,
benchmarks, budgets or seeds it runs only the missing searches. Searches run seed by seed, so that after a stop all
methods have equally many. A method's settings follow from its budget, so each budget is searched separately. --page
only writes the page from stored results. Each row holds the digest of its method's code: rows of other code are
refused; --anyway keeps them, and the page says so.

\b
    python studies/leaderboard.py --seeds 0-1
    python studies/leaderboard.py --benchmarks mnist1d-101,mnist1d-201 --queries 20,60,100,160
"""

# first, so that Ctrl-C ends the imports below in one line
from nadlab.benchmarks.files import short_digest
from nadlab.cli.command_line import run_command

# isort: split
import sys
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

from nadlab.analysis.figures.comparisons import critical_differences
from nadlab.analysis.figures.style import save
from nadlab.analysis.sections.search_pages import at_ceiling, difference_table, how_chosen
from nadlab.analysis.statistics.intervals import Interval, mean_interval
from nadlab.analysis.statistics.rankings import rank
from nadlab.analysis.text import ends, listed, markdown_table, number, p_equals
from nadlab.benchmarks.oracle import accuracy, facts_of, metric_of, optimum_of
from nadlab.benchmarks.packages.nasbenchgraph import DATASETS
from nadlab.benchmarks.presets import benchmark_text
from nadlab.benchmarks.registry import benchmark, check_optima
from nadlab.cli.options import parse_budgets, parse_names, parse_seeds
from nadlab.cli.shared_options import SearchFileOptions, protocol_option, search_file_options, write_page
from nadlab.engine.searches.run import searches
from nadlab.methods.registry import COMPARED, chosen_on, searcher
from nadlab.methods.request import SearchRequest
from nadlab.semigan.diagnostics import search_accuracies
from nadlab.study.search_file import SearchFile, Task, code_of

REFERENCE = "random-search"


def search(protocol: str, task: Task) -> dict[str, Any]:
    """Run one search with a method's default settings and return its row."""
    queries, seed, name, method = task
    (found,) = searches([method], name, queries, [seed], 1, protocol=protocol)
    return found.row()


@cache
def exhaustive(name: str, protocol: str) -> tuple[float, float] | None:
    """Return the best search score of all cells, and the regret of that cell; None where answers are not stored."""
    oracle = benchmark(name, protocol)
    optimum, score = optimum_of(oracle), metric_of(oracle).score
    if facts_of(oracle).answers != "stored" or optimum is None:
        return None
    scores = search_accuracies(oracle, pool := oracle.pool())
    best = int(np.argmax(scores))
    reported = accuracy(oracle.evaluate(pool[best : best + 1])[0], oracle.report_split)
    return float(scores[best]), score(optimum) - score(reported)


def search_regret(row: Any, protocol: str) -> float:
    """Return how far the best cell of a search is below the best of all by the search split; NaN if unknown."""
    oracle, best = benchmark(row.benchmark, protocol), exhaustive(row.benchmark, protocol)
    found = row.best_valid if oracle.search_split == "valid" else row.best_test
    return np.nan if best is None else best[0] - metric_of(oracle).score(found)


def ranked(rows: pd.DataFrame, names: list[str], column: str, seeds: int, protocol: str, out: Path) -> list[str]:
    """Return the lines about a kind of regret at one budget, and draw its mean ranks; cells without a search stay empty."""
    means = rows.pivot_table(column, "method", "benchmark").reindex(columns=names)
    ranking = rank(-means.dropna().T.round(9))  # rounded: equal regrets tie whatever the order of their sum
    places = ranking.ranks if ranking else {}
    rng, body, said = np.random.default_rng(0), [], []
    for method in sorted(means.index, key=lambda method: places.get(method, np.inf)):
        own = rows[rows["method"] == method]
        groups = [own.loc[own["benchmark"] == name, column].to_numpy(np.float64) for name in names]
        found = [mean_interval(group, rng) if len(group) else None for group in groups]
        cells = [_text(each, seeds) if each else "" for each in found]
        body.append((method, number(places.get(method)), *cells, f"{own['cpu_seconds'].median():.2f}"))
    if column == "regret":
        floors = [number(best[1]) if (best := exhaustive(name, protocol)) else "" for name in names]
        body.append(("every cell evaluated", "", *floors, ""))
    if ranking:
        save(critical_differences(ranking), out, picture := f"critical_differences_{column}_{rows['queries'].iloc[0]}")
        alike = "" if ranking.is_significant else ", so they do not differ significantly at 5 %"
        said = [
            f"{len(places)} methods ranked by their means over {ranking.blocks} benchmarks: Friedman's test gives "
            f"{p_equals(ranking.p_value)}{alike}; Nemenyi's critical difference of mean ranks at 5 % is "
            f"{ranking.critical_difference:.2f}.",
            "",
            f"![mean ranks; bars join methods that do not differ significantly]({picture}.png)",
            "",
        ]
    return [*said, *markdown_table(("method", "mean rank", *names, "CPU seconds"), body), ""]


def random_alone(rows: pd.DataFrame) -> list[str]:
    """Return the methods that found, in every search, what random search found on its benchmark with its seed."""
    found = rows.set_index(["benchmark", "seed"])[["method", "regret", "best_valid", "best_test"]]
    by_method = {
        str(method): own.drop(columns="method").astype(float).fillna(0.0).sort_index()
        for method, own in found.groupby("method")
    }
    if REFERENCE not in by_method:
        return []
    reference = by_method.pop(REFERENCE)
    return [
        method
        for method, own in by_method.items()
        if own.index.equals(reference.index) and np.allclose(own, reference, atol=1e-9)
    ]


def _text(found: Interval, seeds: int) -> str:
    return f"{found.mean:.2f} ({ends(found, '')}{'' if found.n == seeds else f', n = {found.n}'})"


def section(
    rows: pd.DataFrame, methods: list[str], names: list[str], seeds: int, protocol: str, out: Path
) -> list[str]:
    """Return the lines about one budget."""
    counts = rows.groupby(["method", "benchmark"]).size().unstack(fill_value=0)
    counts = counts.reindex(index=methods, columns=names, fill_value=0)
    few = [f"{method} ({own.min()} to {own.max()})" if own.max() else f"{method} (none)"
           for method, own in counts.iterrows() if own.min() < seeds]  # fmt: skip
    said = [f"Unfinished, with fewer than {seeds} seeds on some benchmark: {listed(few)}.", ""] if few else []
    if alone := random_alone(rows):
        said += [
            f"Equal to {REFERENCE} in every search: {listed(alone)}. A method whose first random cells take the whole budget is "
            "random search.",
            "",
        ]
    oracles = {name: benchmark(name, protocol) for name in names if exhaustive(name, protocol)}
    held = [name for name, oracle in oracles.items() if oracle.search_split != oracle.report_split]
    rows = rows.assign(search_regret=[search_regret(row, protocol) for row in rows.itertuples()])
    lines = [f"## {rows['queries'].iloc[0]} queries", "", *said, "### Regret", ""]
    lines += ranked(rows, names, "regret", seeds, protocol, out)
    lines += difference_table(rows, methods, names, REFERENCE) if REFERENCE in methods else []
    if held:
        search_rows = rows[rows["benchmark"].isin(held)]
        lines += [
            "### Regret by the search split",
            "",
            *ranked(search_rows, held, "search_regret", seeds, protocol, out),
        ]
    return lines


def page(
    rows: pd.DataFrame, methods: list[str], names: list[str], seeds: int, protocol: str, out: Path, made_by: str
) -> str:
    """Return the page, budget by budget."""
    cautions = [*how_chosen({method: chosen_on(method) for method in methods}, names), *at_ceiling(rows)]
    digests = listed([f"{name} {short_digest(benchmark(name).digest)}" for name in names])
    lines = [
        line for _, found in rows.groupby("queries") for line in section(found, methods, names, seeds, protocol, out)
    ]
    return f"""# All methods on {listed([benchmark_text(name, protocol) for name in names])}

Means over up to {seeds} seeds with 95 % bootstrap intervals. Regret: the optimum minus the reported accuracy of the best cell by
the search split. "Every cell evaluated" is the regret of the best of all cells by the search split: where it is as high as
that of the searches, a better search need not have a lower regret. Regret by the search split: how far the best cell found
is below that cell by what the search sees.
Methods have their default settings. An entry with fewer seeds says how many; an empty one has none, and its method is not
ranked. CPU seconds: the median per search.

{" ".join([*cautions, made_by])} Benchmark digests: {digests}.

{chr(10).join(lines)}"""


@click.command(help=__doc__)
@click.option(
    "--methods", default=",".join(COMPARED), help="separated by commas  [default: all but the paper's settings]"
)
@click.option("--benchmarks", default=",".join(f"nas-bench-graph/{name}" for name in DATASETS), show_default=True)
@protocol_option()
@click.option("--queries", default="100", show_default=True, help="budgets, separated by commas")
@click.option("--seeds", default="20", show_default=True, help="a count, a range or a list")
@search_file_options("runs/leaderboard")
def command(
    methods: str,
    benchmarks: str,
    protocol: str,
    queries: str,
    seeds: str,
    file_options: SearchFileOptions,
) -> None:
    names, chosen = parse_names("--benchmarks", benchmarks), parse_names("--methods", methods)
    each = parse_seeds(seeds)
    check_optima(names, protocol)
    budgets = parse_budgets(queries)
    for method, budget in product(chosen, budgets):
        SearchRequest(method=method, queries=budget)  # raises here rather than hours later
    codes = {method: code_of(searcher(method)) for method in chosen}
    file = SearchFile(file_options.out / "searches.csv", codes, protocol=protocol)
    file_options.fill(file, partial(search, protocol), product(budgets, each, names, chosen))
    rows = file.selected(budgets, each, names, chosen)
    write_page(file_options.out, page(rows, chosen, names, len(each), protocol, file_options.out, file.made_by(rows)))


if __name__ == "__main__":
    sys.exit(run_command(command))
