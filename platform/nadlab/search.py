"""Methods on a benchmark, side by side: every method gets the same budget and the same seeds."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from nadlab.analysis.intervals import Interval, mean_interval, paired_difference
from nadlab.analysis.summary import words
from nadlab.benchmarks.ledger import QueryLedger, distinct_cells
from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.searchers import SEARCHERS


@dataclass(frozen=True, slots=True)
class Search:
    """One method and seed; accuracies and regret in percent, None where the benchmark has none."""

    method: str
    benchmark: str
    seed: int
    queries: int
    best_valid: float | None
    best_test: float | None
    """of the cell that is best by search accuracy"""
    regret: float
    """optimum less that cell's reported accuracy"""
    seconds: float


def searches(
    methods: Sequence[str], benchmark_name: str, queries: int, seeds: Sequence[int], concurrent: int
) -> Iterator[Search]:
    """Run every method once a seed, `concurrent` at a time, and give the results in order.

    Raises UserError at once for an unknown method or benchmark and for a budget that the benchmark or a method can't
    meet.
    """
    for method in methods:
        if method not in SEARCHERS:
            raise UserError(f"unknown method {method!r}: choose from {', '.join(SEARCHERS)}")
    # told once, not by every process
    distinct = distinct_cells(benchmark(benchmark_name))
    if queries > distinct:
        raise UserError(f"{queries} queries are more than the {distinct} distinct cells of {benchmark_name}")
    requests = list(product(methods, seeds))
    one = partial(_search, benchmark_name, queries)
    workers = min(concurrent, len(requests))
    if workers == 1:
        yield from map(one, requests)
        return
    # a forked process would inherit torch's threads in an unknown state
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as processes:
        yield from tqdm(processes.map(one, requests), total=len(requests), unit="search")


def _search(benchmark_name: str, queries: int, request: tuple[str, int]) -> Search:
    method, seed = request
    torch.set_num_threads(1)  # as the trials do: a seed gives the same result in both
    ledger = QueryLedger(benchmark(benchmark_name), queries)
    started = time.perf_counter()
    SEARCHERS[method](ledger, np.random.default_rng(seed))
    seconds = time.perf_counter() - started
    best = ledger.best()
    return Search(method, benchmark_name, seed, len(ledger.queries), best.valid, best.test, ledger.regret(), seconds)


def compared(rows: Sequence[Search]) -> list[dict[str, Any]]:
    """Return a row a method: accuracy with its standard deviation, regret, and the paired difference to the first."""
    rng = np.random.default_rng(0)
    by_method: dict[str, dict[int, float]] = {}
    for row in rows:
        by_method.setdefault(row.method, {})[row.seed] = row.regret
    first = next(iter(by_method))
    return [
        {
            "method": method,
            "seeds": len(regrets),
            "accuracy": _spread([_reported(row) for row in rows if row.method == method]),
            "regret": _text(mean_interval(np.array(list(regrets.values())), rng)),
            f"behind {first}": "" if method == first else _text(paired_difference(regrets, by_method[first], rng)),
        }
        for method, regrets in by_method.items()
    ]


def _reported(row: Search) -> float:
    value = row.best_valid if row.best_test is None else row.best_test
    assert value is not None
    return value


def _spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f}" + (f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "")


def _text(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval.mean:.3f} ({words(interval, sign='')})"
