"""Search methods on a benchmark, each with the same budget and seeds."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from nadlab.analysis.statistics.intervals import Interval, mean_interval, paired_difference
from nadlab.analysis.text import interval_text, mean_and_deviation
from nadlab.benchmarks.oracle import ACCURACY, Metric
from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.methods.registry import run_search
from nadlab.methods.request import SearchRequest
from nadlab.processes import side_by_side
from nadlab.queries.ledger import QueryLedger, distinct_cells


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
    methods: Sequence[str], benchmark_name: str, queries: int, seeds: Sequence[int], concurrent: int | None
) -> Iterator[Search]:
    """Run every method once a seed, `concurrent` at a time, and give the results in order.

    Raises UserError at once for an unknown method or benchmark and for a budget that the benchmark or a method can't
    meet.
    """
    requests = [(SearchRequest(method=method, queries=queries), seed) for method, seed in product(methods, seeds)]
    # here, so that the error is raised once and not in every process
    distinct = distinct_cells(benchmark(benchmark_name))
    if queries > distinct:
        raise UserError(f"{queries} queries are more than the {distinct} distinct cells of {benchmark_name}")
    yield from side_by_side(partial(_search, benchmark_name), requests, "search", concurrent)


def _search(benchmark_name: str, request_and_seed: tuple[SearchRequest, int]) -> Search:
    request, seed = request_and_seed
    ledger = QueryLedger(benchmark(benchmark_name), request.queries)
    started = time.perf_counter()
    run_search(request.method, ledger, np.random.default_rng(seed))
    seconds = time.perf_counter() - started
    best = ledger.best()
    return Search(
        request.method, benchmark_name, seed, len(ledger.queries), best.valid, best.test, ledger.regret(), seconds
    )


def compared(rows: Sequence[Search], optimum: float, metric: Metric = ACCURACY) -> list[dict[str, Any]]:
    """Return a row a method: accuracy with its standard deviation, regret, and the paired difference to the first.

    optimum: the benchmark's, from which regrets are counted.
    """
    rng = np.random.default_rng(0)
    by_method: dict[str, dict[int, float]] = {}
    for row in rows:
        by_method.setdefault(row.method, {})[row.seed] = row.regret
    first = next(iter(by_method))
    return [
        {
            "method": method,
            "seeds": len(regrets),
            "accuracy": mean_and_deviation([optimum - metric.score(regret) for regret in regrets.values()], 3),
            "regret": _text(mean_interval(np.array(list(regrets.values())), rng)),
            f"behind {first}": "" if method == first else _text(paired_difference(regrets, by_method[first], rng)),
        }
        for method, regrets in by_method.items()
    ]


def _text(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval.mean:.3f} ({interval_text(interval, sign='')})"
