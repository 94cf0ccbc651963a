"""`nadlab search`: methods on one benchmark, once a seed, kept in a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from nadlab.cli.command_line import echo_json, json_option
from nadlab.cli.evaluations import evaluation_config, evaluation_options
from nadlab.cli.searches.tables import print_searches, write_tables
from nadlab.cli.shared_options import in_space, protocol_option


@click.command()
@click.option(
    "--method",
    "methods",
    default="semigan-nad",
    show_default=True,
    help="one or more methods, separated by commas; all are compared with the first on the same seeds",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="METHOD.SETTING=VALUE",
    help="change a setting of a method, such as bananas.ensemble=3; may be repeated, see `nadlab methods`",
)
@click.option("--benchmark", "benchmark_name", default="mnist1d-201", show_default=True, help="see `nadlab benchmarks`")
@click.option(
    "--space", "space_name", metavar="NAME", help="search space of a benchmark train:SOURCE  [default: nasbench201]"
)
@protocol_option()
@click.option("--queries", type=int, help="distinct architectures that may be queried  [default: 160]")
@click.option("--budget", metavar="AMOUNT", help="instead of --queries: 160q, 20000epochs, 90min or 6h of training")
@click.option("--seeds", default="0-9", show_default=True, help="a count (10), a range (0-9) or a list (1,4,7)")
@click.option(
    "--concurrent", type=click.IntRange(1, 10_000), help="seeds in parallel, each on one core  [default: all cores]"
)
@click.option(
    "--objectives",
    metavar="NAMES",
    help="several objectives, the benchmark's metric first, such as accuracy,latency: prints hypervolumes, and stores the Pareto fronts",
)
@click.option(
    "--at-most",
    multiple=True,
    metavar="QUANTITY=NUMBER",
    help="a constraint, such as latency=0.01: a cell that breaks it is never the best; may be repeated",
)
@evaluation_options
@click.option("--address", help="a Ray cluster on which the benchmark trains  [default: one of this process]")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="folder for searches, tables and curves  [default: runs/search/BENCHMARK]",
)
@json_option("one JSON line per method and seed, in order")
def search(
    methods: str, settings: Sequence[str], benchmark_name: str, space_name: str | None, protocol: str,
    queries: int | None, budget: str | None, seeds: str, concurrent: int | None, objectives: str | None, at_most: Sequence[str], address: str | None, out: Path | None, as_json: bool, **evaluation: Any,
) -> None:  # fmt: skip
    """Search a benchmark with one or more methods, once per seed.

    Searches are stored: after a stop, or with more methods or seeds, the same command runs only the missing ones.

    \b
    Example: nadlab search --method semigan-nad,random-search --benchmark mnist1d-101 --queries 160
             nadlab search --benchmark nasbench201/cifar10 --budget 24h --method random-search,hyperband
             nadlab search --benchmark train:digits --space nasbench201 --method semigan-nad-sequential --queries 40
    """
    from nadlab.benchmarks.registry import benchmark
    from nadlab.cli.grammar import hyperparameters
    from nadlab.cli.options import RUNS, budget_of, parse_names, parse_seeds
    from nadlab.engine.searches.comparison import fronts
    from nadlab.engine.searches.kept import KeptSearches
    from nadlab.engine.searches.run import searches
    from nadlab.queries.goals import Goals

    changes = hyperparameters(settings)
    benchmark_name = in_space(benchmark_name, space_name)
    limits, oracle = ",".join(at_most) if at_most else None, benchmark(benchmark_name, protocol)
    kept = KeptSearches(out or RUNS / "search" / benchmark_name.replace("/", "-").replace(":", "-"))
    found = searches(
        parse_names("--method", methods), benchmark_name, budget_of(queries, budget, oracle), parse_seeds(seeds), concurrent, changes, protocol, objectives, limits,
        evaluation_config(evaluation), address, kept,
    )  # fmt: skip
    rows = []
    for row in found:
        rows.append(row)
        if as_json and not objectives:
            echo_json(row.row())
    # hypervolumes are scaled by the queries of all searches where the benchmark's ranges are not known
    goals = Goals.of(objectives, limits)
    several = fronts(rows, goals, oracle) if objectives else []
    if as_json:
        for row, front in zip(rows, several, strict=bool(several)):
            echo_json(row.row() | front)
        return
    print_searches(rows, oracle, limits, f"hypervolume of {objectives}, mean over seeds", several)
    files = write_tables(kept.folder, rows, oracle, goals, several)
    click.echo(f"Stored in {kept.folder}, for the same command to reuse: {', '.join(files)}")
