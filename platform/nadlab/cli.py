"""The command `nadlab`: benchmarks and searches. What is heavy is imported where it is needed, so that --help is fast."""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal

import click

from nadlab.benchmarks.commands import COMMANDS
from nadlab.command_line import run_command
from nadlab.errors import UserError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def nadlab() -> None:
    """Studies of neural-architecture design around SemiGAN-NAD. Studies themselves: python studies/NAME.py --help."""


@nadlab.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="one JSON line a benchmark")
@click.pass_context
def benchmarks(context: click.Context, as_json: bool) -> None:
    """List the benchmarks of this machine: the embedded ones, the tables in $NADLAB_DATA, the archives that you fetched."""
    if context.invoked_subcommand:
        return
    from nadlab.benchmarks.registry import benchmark, sources

    rows = []
    for name, (path, _) in sources().items():
        oracle = benchmark(name)
        cells, queryable = oracle.space.size, len(oracle.pool())
        rows.append(
            {"name": name, "cells": cells, "queryable": queryable, "digest": oracle.digest, "source": str(path)}
        )
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    _print_table("benchmarks", [row | {"digest": str(row["digest"])[:12]} for row in rows])


for each in COMMANDS:
    benchmarks.add_command(each)


@nadlab.command()
@click.option("--method", default="semigan-nad", show_default=True, help="semigan-nad, random-search")
@click.option("--benchmark", "benchmark_name", default="mnist1d-201", show_default=True, help="see `nadlab benchmarks`")
@click.option(
    "--queries", type=int, default=160, show_default=True, help="distinct architectures that may be asked for"
)
@click.option("--seeds", default="0-9", show_default=True, help="a count (10), a range (0-9) or a list (1,4,7)")
@click.option("--concurrent", type=click.IntRange(1), help="seeds at a time, each on one core  [default: all cores]")
@click.option("--json", "as_json", is_flag=True, help="one JSON line a seed, in the order of the seeds")
def search(method: str, benchmark_name: str, queries: int, seeds: str, concurrent: int | None, as_json: bool) -> None:
    """Search a benchmark with a method, once a seed.

    \b
    Example: nadlab search --method random-search --benchmark nasbench201/cifar10 --queries 160 --seeds 0-9 --json
    """
    from nadlab.benchmarks.registry import benchmark
    from nadlab.searchers import SEARCHERS
    from nadlab.study import parse_seeds

    if method not in SEARCHERS:
        raise UserError(f"unknown method {method!r}: choose one of {', '.join(SEARCHERS)}")
    chosen = parse_seeds(seeds)
    benchmark(benchmark_name)  # an unknown name or a malformed table is told once, not by every process
    rows = []
    for row in _searches(method, benchmark_name, queries, chosen, concurrent or os.cpu_count() or 1):
        rows.append(row)
        if as_json:
            click.echo(json.dumps(row))
    if not as_json:
        _print_table(f"{method} on {benchmark_name}", rows)


def _searches(
    method: str, benchmark_name: str, queries: int, seeds: Sequence[int], concurrent: int
) -> Iterator[dict[str, Any]]:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    one = partial(_search, method, benchmark_name, queries)
    if min(concurrent, len(seeds)) == 1:
        yield from map(one, seeds)
        return
    # a forked process would inherit torch's threads in an unknown state
    with ProcessPoolExecutor(min(concurrent, len(seeds)), mp_context=get_context("spawn")) as processes:
        yield from processes.map(one, seeds)


def _search(method: str, benchmark_name: str, queries: int, seed: int) -> dict[str, Any]:
    import numpy as np
    import torch

    from nadlab.benchmarks.ledger import QueryLedger
    from nadlab.benchmarks.registry import benchmark
    from nadlab.searchers import SEARCHERS

    torch.set_num_threads(1)  # as the trials do: a seed gives the same result in both
    oracle = benchmark(benchmark_name)
    ledger = QueryLedger(oracle, queries)
    started = time.perf_counter()
    SEARCHERS[method](ledger, np.random.default_rng(seed))
    seconds = time.perf_counter() - started
    best = ledger.best()
    return {
        "method": method,
        "benchmark": oracle.name,
        "seed": seed,
        "queries": len(ledger.queries),
        "best_valid": best.valid,
        "best_test": best.test,
        "regret": ledger.regret(),
        "seconds": seconds,
    }


def _print_table(title: str, rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    for key, value in rows[0].items():
        side: Literal["left", "right"] = "left" if isinstance(value, str) else "right"
        table.add_column(key.replace("_", " "), justify=side, no_wrap=key == "name", overflow="fold")
    for row in rows:
        table.add_row(*("" if v is None else f"{v:.2f}" if isinstance(v, float) else str(v) for v in row.values()))
    Console().print(table)


def main() -> None:
    """Run `nadlab`: bad input gives one sentence and exit status 2."""
    sys.exit(run_command(nadlab))
