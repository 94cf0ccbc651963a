"""Compare methods that also learn from short trainings with those that learn from full ones, at equal training time.

Seconds are simulated: taken from the tables or, where the page says so, estimated. Each search is appended to
OUT/searches.csv when it ends, and the same command resumes after a stop. --page only writes the page.

\b
    python studies/compare_fidelities.py --seeds 0-1 --hours 6
"""

# first, so that Ctrl-C ends the imports below in one line
from nadlab.cli.command_line import run_command

# isort: split
import sys
from functools import partial
from itertools import product
from typing import Any

import click
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nadlab.analysis.figures.search import SMALL_REGRET
from nadlab.analysis.figures.seconds import Course, draw_courses
from nadlab.analysis.figures.style import figure_of, grid, legend, save, strokes
from nadlab.analysis.statistics.comparisons import SIGNIFICANCE, Comparison, compare, holm
from nadlab.analysis.statistics.intervals import mean_interval
from nadlab.analysis.text import ends, listed, markdown_table, p_equals
from nadlab.benchmarks.fidelity import fidelities_of, lower_fidelities
from nadlab.benchmarks.files import short_digest
from nadlab.benchmarks.oracle import metric_of, optimum_of
from nadlab.benchmarks.presets import benchmark_text
from nadlab.benchmarks.registry import benchmark, check_optima
from nadlab.cli.options import parse_budgets, parse_names, parse_seeds
from nadlab.cli.shared_options import SearchFileOptions, protocol_option, search_file_options, write_page
from nadlab.methods.registry import run_search, searcher
from nadlab.queries.budget import Budget
from nadlab.queries.ledger import QueryLedger
from nadlab.study.search_file import SearchFile, Task, code_of

BENCHMARKS = ("nasbench101", "nasbench201/cifar10", "nasbench201/cifar100")
PAIRS = (
    ("successive-halving", "random-search"),
    ("hyperband", "random-search"),
    ("hyperband", "regularized-evolution"),
    ("semigan-nad-fidelities", "semigan-nad-sequential"),
    ("semigan-nad-fidelities", "predictor-pool"),
)
"""a method that learns from short trainings, and one that does not"""
METHODS = tuple(dict.fromkeys(method for pair in PAIRS for method in reversed(pair)))
HOUR = 3600
Cell = tuple[str, int, str, str]
"""benchmark, seconds, method and rival"""


def search(protocol: str, task: Task) -> dict[str, Any]:
    """Run one search with a method's default settings; `curve` is hour:regret whenever a better cell was trained in full."""
    seconds, seed, name, method = task
    ledger = QueryLedger(benchmark(name, protocol), Budget(seconds, "seconds"))
    run_search(searcher(method), ledger, np.random.default_rng(seed))
    counts = {"full": len(ledger.queries), "trainings": len(ledger.account.trainings)}
    return {**ledger.outcome(), **counts, "curve": curve(ledger)}


def curve(ledger: QueryLedger) -> str:
    """Return `hours:regret ...`, an entry for each full training that is the best so far by the search split."""
    score, optimum = ledger.metric.score, optimum_of(ledger.oracle)
    assert optimum is not None
    queries, full = {query.key: query for query in ledger.queries}, ledger.account.fidelities.epochs[-1]
    spent, best, points = 0.0, -np.inf, list[str]()
    for training in ledger.account.trainings:
        spent += training.seconds or 0.0
        query = queries.get(training.key)
        if training.fidelity == full and query is not None and ledger.answer(query) > best:
            best = ledger.answer(query)
            points.append(f"{spent / HOUR:.4f}:{score(optimum) - score(ledger.reported(query)):.4f}")
    return " ".join(points)


def figure(rows: pd.DataFrame, names: list[str], methods: list[str]) -> Figure:
    """Draw mean regret with 95 % bands over hours of training, a panel a benchmark, of searches with the largest budget."""
    rng, longest, drawn = np.random.default_rng(0), rows["seconds"].max(), grid(1, len(names), (4.4 * len(names), 4.2))
    for panel, name in zip(drawn, names, strict=True):
        for method, stroke in strokes(methods).items():
            own = rows[(rows["seconds"] == longest) & (rows["benchmark"] == name) & (rows["method"] == method)]
            if len(own):
                draw_courses(panel, list(map(course, own["curve"])), longest / HOUR, method, stroke, rng)
        panel.set(title=name, xlabel="simulated hours of training", ylabel="mean regret, points")
        panel.set_yscale("symlog", linthresh=SMALL_REGRET)
        panel.set_ylim(bottom=0)
        panel.yaxis.set_major_formatter("{x:g}")
    legend(drawn[0])
    return figure_of(drawn[0])


def course(text: str) -> Course:
    """Return what `curve` wrote as arrays."""
    points = np.array([point.split(":") for point in text.split()], np.float64)
    return points[:, 0], points[:, 1]


def compared(rows: pd.DataFrame, methods: list[str]) -> dict[Cell, Comparison]:
    """Return the differences of regrets, paired by seeds, of all pairs that were searched."""
    rng, found, regrets = np.random.default_rng(0), dict[Cell, Comparison](), dict[Any, dict[int, float]]()
    for key, own in rows.groupby(["benchmark", "seconds", "method"]):
        regrets[key] = dict(zip(own["seed"], own["regret"], strict=True))
    for name, budget in rows[["benchmark", "seconds"]].drop_duplicates().itertuples(index=False, name=None):
        for method, rival in PAIRS:
            one, other = (regrets.get((name, budget, each), {}) for each in (method, rival))
            if {method, rival} <= set(methods) and set(one) & set(other):
                found[name, budget, method, rival] = compare({method: one}, other, rng, maximise=False)[method]
    return found


def means(rows: pd.DataFrame, budgets: list[int], methods: list[str], seeds: int) -> list[str]:
    """Return the table of one benchmark's mean regrets and of the trainings that were paid."""
    rng, body = np.random.default_rng(0), list[tuple[str, ...]]()
    groups = dict(iter(rows.groupby(["method", "seconds"])))
    for method in methods:
        texts, counts = [], []
        for own in (groups.get((method, budget), rows[:0]) for budget in budgets):
            found = mean_interval(own["regret"].to_numpy(), rng) if len(own) else None
            few = "" if len(own) == seeds else f", n = {len(own)}"
            texts.append(f"{found.mean:.2f} ({ends(found, '')}{few})" if found else "")
            counts.append(f"{own['full'].mean():.0f} + {(own['trainings'] - own['full']).mean():.0f}" if found else "")
        body.append((method, *texts, ", ".join(counts)))
    return markdown_table(("mean regret", *map(hours_text, budgets), "full + short trainings"), body)


def tables(rows: pd.DataFrame, budgets: list[int], names: list[str], methods: list[str], seeds: int) -> list[str]:
    """Return the lines of all tables, and how many comparisons are significant."""
    found = compared(rows, methods)
    corrected = dict(zip(found, holm([each.p_alone for each in found.values()]), strict=True))
    clear = [found[key].difference.mean for key, p in corrected.items() if p < SIGNIFICANCE]
    better = sum(mean < 0 for mean in clear)
    lines = [
        f"Of {len(found)} comparisons short trainings help significantly in {better} and hurt in {len(clear) - better}.", ""
    ]  # fmt: skip
    for name in names:
        body = []
        for method, rival in PAIRS:
            texts = []
            for each in ((name, budget, method, rival) for budget in budgets):
                gap = found[each].difference if each in found else None
                texts.append(f"{gap.mean:+.2f} ({ends(gap)}), {p_equals(corrected[each])}" if gap else "")
            if any(texts):
                body.append((f"{method} - {rival}", *texts))
        lines += [f"## {name}", "", *means(rows[rows["benchmark"] == name], budgets, methods, seeds), ""]
        lines += [*markdown_table(("difference of regrets", *map(hours_text, budgets)), body), ""]
    return lines


def hours_text(budget: int) -> str:
    """Return a budget in hours."""
    return f"{budget / HOUR:g} h"


def seconds_text(name: str, protocol: str) -> str:
    """Return a sentence about a benchmark's lengths of training and where their seconds are from."""
    found = fidelities_of(benchmark(name, protocol))
    source = f"estimated: {found.estimate}" if found.estimate else "measured"
    return f"- `{benchmark_text(name, protocol)}` ({short_digest(benchmark(name).digest)}): {listed(list(map(str, found.epochs)))} epochs; a full training takes {found.seconds:,.0f} s on average, {source}."


def page(
    rows: pd.DataFrame,
    budgets: list[int],
    names: list[str],
    methods: list[str],
    seeds: int,
    protocol: str,
    made_by: str,
) -> str:
    """Return the page."""
    unit = listed(sorted({metric_of(benchmark(name)).difference_unit for name in names}))
    lines = "\n".join(tables(rows, budgets, names, methods, seeds))
    return f"""# Short trainings at equal simulated seconds

Regret in {unit} of the cell that is best by the search split among those trained in full, means over {seeds} seeds, or n, with
95 % bootstrap intervals; settings are the methods' defaults. Differences are paired by seed, below zero
where the method with short trainings is better; p-values are from Wilcoxon's signed-rank test, Holm-corrected over all
comparisons on this page. Each training length has its own schedule, so none resumes from a shorter one: each costs all of
its seconds. A training that the end of the budget cuts off returns nothing.

{chr(10).join(seconds_text(name, protocol) for name in names)}

{made_by}

![mean regret with 95 % bands over hours of training, largest budget](anytime.png)

{lines}"""


@click.command(help=__doc__)
@click.option("--methods", default=",".join(METHODS), show_default=True, help="separated by commas")
@click.option("--benchmarks", default=",".join(BENCHMARKS), show_default=True, help="with several fidelities")
@protocol_option()
@click.option("--hours", default="6,12,24", show_default=True, help="budgets in hours of training")
@click.option("--seeds", default="20", show_default=True, help="a count, a range or a list")
@search_file_options("runs/compare_fidelities")
def command(
    methods: str,
    benchmarks: str,
    protocol: str,
    hours: str,
    seeds: str,
    file_options: SearchFileOptions,
) -> None:
    names, chosen = parse_names("--benchmarks", benchmarks), parse_names("--methods", methods)
    each = parse_seeds(seeds)
    check_optima(names, protocol)
    budgets = [HOUR * number for number in parse_budgets(hours)]
    for name, budget in product(names, budgets):
        lower_fidelities(benchmark(name, protocol))
        QueryLedger(benchmark(name, protocol), Budget(budget, "seconds"))  # raises here rather than hours later
    codes = {method: code_of(searcher(method)) for method in chosen}
    file = SearchFile(file_options.out / "searches.csv", codes, "seconds", ("full", "trainings", "curve"), protocol)
    # by seeds, so that after a stop all have as many
    tasks = [(budget, *rest) for seed, budget in product(each, budgets) for rest in product([seed], names, chosen)]
    file_options.fill(file, partial(search, protocol), tasks)
    rows = file.selected(budgets, each, names, chosen)
    save(figure(rows, names, chosen), file_options.out, "anytime")
    write_page(
        file_options.out, page(rows, budgets, names, chosen, rows["seed"].nunique(), protocol, file.made_by(rows))
    )


if __name__ == "__main__":
    sys.exit(run_command(command))
