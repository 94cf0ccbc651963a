"""Compare Tables 1 to 3 of the SemiGAN-NAD paper with ours: each method at its published queries and protocol.

Each search is appended to OUT/searches.csv when it ends, cheap methods first; the same command resumes after a stop.
The protocol is the paper's, whose numbers they are. Entries whose file is missing on this machine stay empty, and say
how to get the file. --page only writes the page from stored results.

\b
    python studies/compare_published.py --seeds 5 --methods random-search,regularized-evolution,pre-nas
    python studies/compare_published.py --benchmarks nasbench201/cifar10 --seeds 20
"""

# first, so that Ctrl-C ends the imports below in one line
from nadlab.cli.command_line import run_command

# isort: split
import sys
from dataclasses import dataclass
from functools import partial

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nadlab.analysis.statistics.intervals import mean_interval
from nadlab.analysis.text import ends, listed, markdown_table
from nadlab.benchmarks.download import how_to_get
from nadlab.benchmarks.oracle import Oracle, optimum_of
from nadlab.benchmarks.presets import PAPER
from nadlab.benchmarks.registry import benchmark
from nadlab.cli.options import parse_names, parse_seeds
from nadlab.cli.shared_options import SearchFileOptions, search_file_options, write_page
from nadlab.errors import UserError
from nadlab.methods.registry import searcher
from nadlab.study.published import TABLE_1, TABLE_2, TABLE_3
from nadlab.study.search_file import SearchFile, code_of
from studies.leaderboard import search

OURS = {"semigan-nad": "semigan-nad-paper"}
"""method of the tables -> ours, where that has another name: the default here is another method than the paper's"""
CHEAPEST_FIRST = (
    "random-search", "regularized-evolution", "reinforce", "arch2vec-rl", "pre-nas", "bayesian-optimisation", "ga-nas",
    "ag-net", "arch2vec-bo", "nao", "seminas", "semigan-nad-paper",
)  # fmt: skip
NOT_PUBLIC = "its code is not public: the settings are ours"
KNOWN = {
    "ga-nas": NOT_PUBLIC,
    "pre-nas": NOT_PUBLIC,
    "ag-net": "another generator, and accuracies are standardised here",
    "arch2vec-bo": "5 cells a fit where the public script of NAS-Bench-201 takes 1",
    "semigan-nad-paper": "gaps of the paper are filled by us",
}
"""method -> what else may make a difference"""


@dataclass(frozen=True, slots=True)
class Published:
    """One number of the tables."""

    benchmark: str
    method: str
    """ours"""
    queries: int
    accuracy: float


PUBLISHED = tuple(
    Published(name, OURS.get(row.method, row.method), row.queries, accuracy)
    for row in (*TABLE_1, *TABLE_2, *TABLE_3)
    for name, accuracy in row.accuracies.items()
)
BENCHMARKS = tuple(dict.fromkeys(each.benchmark for each in PUBLISHED))


def opened(name: str) -> Oracle | None:
    """Return a benchmark, None where this machine has no file of it."""
    try:
        return benchmark(name)
    except UserError as error:
        if str(error).startswith("unknown benchmark"):
            return None
        raise


def is_sample(oracle: Oracle) -> bool:
    """Say whether a table of NAS-Bench-101 lacks most cells and the test accuracies that are published."""
    return oracle.space.name == "nasbench101" and oracle.report_split == "valid"


def verdict(each: Published, found: NDArray[np.float64], oracle: Oracle) -> tuple[str, str]:
    """Return whether ours and the published number agree, and why not where that is known.

    They agree where the published number, which is the best of several runs, lies between the worst and the best of our
    seeds, or within the interval of our mean.
    """
    if is_sample(oracle):
        return "-", "a sample with validation accuracies alone: not comparable"
    interval = mean_interval(found, np.random.default_rng(0))
    low, high = (found.min(), found.max()) if interval.low is None else (interval.low, interval.high)
    if min(found.min(), low) - 0.005 <= each.accuracy <= max(found.max(), high) + 0.005:  # published with two places
        return "yes", ""
    optimum = optimum_of(oracle)
    if optimum is not None and each.accuracy > optimum + 0.005:
        return "no", f"above this table's optimum of {optimum:.2f}: of another protocol"
    way = "ours is better" if each.accuracy < found.min() else "ours is worse"
    return "no", f"{way}; {KNOWN[each.method]}" if each.method in KNOWN else way


def lines_of(each: Published, rows: pd.DataFrame, oracle: Oracle | None) -> tuple[str, ...]:
    """Return the row of one published number."""
    head = each.method, str(each.queries), f"{each.accuracy:.2f}"
    if oracle is None:
        return *head, "", "", "0", "", f"not on this machine: {how_to_get(each.benchmark)}"
    own = rows[(rows["benchmark"] == each.benchmark) & (rows["method"] == each.method)]
    own = own[own["queries"] == each.queries]
    if own.empty:
        return *head, "", "", "0", "", "not run yet"
    found = own["best_valid" if oracle.report_split == "valid" else "best_test"].to_numpy(np.float64)
    mean = mean_interval(found, np.random.default_rng(0))
    numbers = f"{mean.mean:.2f} ({ends(mean, '')})", f"{found.max():.2f}", str(len(found))
    return *head, *numbers, *verdict(each, found, oracle)


def page(rows: pd.DataFrame, numbers: list[Published], names: list[str], made_by: str) -> str:
    """Return the page, benchmark by benchmark."""
    body = []
    for name in names:
        oracle = opened(name)
        of = f"{oracle.report_split} accuracy, searched by {oracle.search_split} accuracy" if oracle else "no file"
        own = [lines_of(each, rows, oracle) for each in numbers if each.benchmark == name]
        heading = "method", "queries", "published", "ours: mean (95 % interval)", "best of n", "n", "agree", "reason"
        body += [f"## {name}", "", f"{of[0].upper()}{of[1:]}.", "", *markdown_table(heading, own), ""]
    return f"""# Published and ours

Published: Tables 1 to 3 of the SemiGAN-NAD paper, each method's best result. Ours: the accuracy of the best cell found; each
seed is a search with the method's default settings; percentile bootstrap interval. They agree if the published number
lies between our worst and best seeds or within the interval.

{made_by}

{chr(10).join(body)}"""


@click.command(help=__doc__)
@click.option("--methods", default=",".join(CHEAPEST_FIRST), help="separated by commas  [default: all of the tables]")
@click.option("--benchmarks", default=",".join(BENCHMARKS), show_default=True)
@click.option("--seeds", default="10", show_default=True, help="a count, a range or a list")
@search_file_options("runs/compare_published")
def command(methods: str, benchmarks: str, seeds: str, file_options: SearchFileOptions) -> None:
    names, chosen = parse_names("--benchmarks", benchmarks), parse_names("--methods", methods)
    if unknown := [name for name in names if name not in BENCHMARKS] + [m for m in chosen if m not in CHEAPEST_FIRST]:
        raise UserError(f"the tables have no {unknown[0]!r}: choose from {listed([*BENCHMARKS, *CHEAPEST_FIRST])}")
    numbers = [each for each in PUBLISHED if each.benchmark in names and each.method in chosen]
    numbers.sort(key=lambda each: CHEAPEST_FIRST.index(each.method))
    file = SearchFile(file_options.out / "searches.csv", {method: code_of(searcher(method)) for method in chosen})
    each = parse_seeds(seeds)
    there = (number for number in numbers if opened(number.benchmark))  # asked for where something is searched
    file_options.fill(
        file,
        partial(search, PAPER),
        ((number.queries, seed, number.benchmark, number.method) for number in there for seed in each),
    )
    rows = file.selected({number.queries for number in numbers}, each, names, chosen)
    write_page(file_options.out, page(rows, numbers, names, file.made_by(rows)))


if __name__ == "__main__":
    sys.exit(run_command(command))
