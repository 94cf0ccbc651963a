"""Search methods on a benchmark, each with the same budget and seeds."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from nadlab.analysis.statistics.hypervolume import Points, ends, points
from nadlab.analysis.statistics.intervals import Interval, mean_interval, paired_difference
from nadlab.analysis.text import hypervolume_text, interval_text, mean_and_deviation
from nadlab.benchmarks.oracle import ACCURACY, Metric, Split, cost_of
from nadlab.benchmarks.presets import PAPER
from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.evaluations.config import EvaluationConfig
from nadlab.methods.registry import run_search, split_name
from nadlab.methods.request import SearchRequest
from nadlab.parameters.values import Value
from nadlab.plugins import plugin_names
from nadlab.processes import side_by_side
from nadlab.queries.budget import Account, Budget
from nadlab.queries.goals import Goals
from nadlab.queries.ledger import QueryLedger, distinct_cells
from nadlab.queries.opening import opened

EVALUATIONS = Path("runs/evaluations")
"""the store of a search's evaluations where no other is named"""


@dataclass(frozen=True, slots=True)
class Search:
    """One method and seed; answers and regret in the metric's unit, None where the benchmark has none."""

    method: str
    benchmark: str
    protocol: str
    seed: int
    queries: int
    best_valid: float | None
    best_test: float | None
    """of the cell that is best by search accuracy"""
    regret: float | None
    """optimum less that cell's reported accuracy; None where the benchmark does not know its optimum"""
    seconds: float
    feasible: int | None = None
    """queries that keep the constraints; None without constraints"""
    points: Points | None = field(default=None, repr=False)
    """the queries as points; None with a single objective"""
    trainings: int | None = None
    """of any length; None with a budget in queries, as what they took"""
    epochs: int | None = None
    training_seconds: float | None = None

    def row(self) -> dict[str, Any]:
        """Return the values by name, without a regret or cost that is unknown and what there is with goals alone."""
        optional = ("regret", "feasible", "trainings", "epochs", "training_seconds")
        found = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "points"}
        return {name: value for name, value in found.items() if name not in optional or value is not None}

    def reported(self, split: Split) -> float:
        """Return that cell's accuracy on the split by which the benchmark reports; only a search that found one has it."""
        value = self.best_valid if split == "valid" else self.best_test
        assert value is not None
        return value

    def found(self, split: Split) -> bool:
        """Return whether there is such a cell: none of the queries may keep the constraints."""
        return (self.best_valid if split == "valid" else self.best_test) is not None


def searches(
    methods: Sequence[str],
    benchmark_name: str,
    budget: int | Budget,
    seeds: Sequence[int],
    concurrent: int | None,
    hyperparameters: Mapping[str, Value] = MappingProxyType({}),
    protocol: str = PAPER,
    objectives: str | None = None,
    at_most: str | None = None,
    evaluation: EvaluationConfig = EvaluationConfig(),  # noqa: B008 - it is frozen
    address: str | None = None,
) -> Iterator[Search]:
    """Run every method once a seed, `concurrent` at a time, and give the results in order.

    budget: queries, epochs or seconds of training. hyperparameters: `method.hyperparameter` -> value, where it is not the published one. protocol: by which the benchmark is
    searched and judged. objectives, at_most: as `SearchRequest`. evaluation: of a benchmark that is not free; each cell is
    evaluated once, and never again while the store is kept, so that the same searches go on after a kill. address: the Ray
    cluster on which a benchmark that declares its cost is trained; None: one of this process.

    Raises UserError at once for an unknown method, hyperparameter, benchmark or protocol, for a hyperparameter of another method,
    and for a budget that the benchmark or a method can't meet.
    """
    if others := [name for name in hyperparameters if split_name(name)[0] not in methods]:
        raise UserError(f"{others[0]} changes nothing: the search is by {', '.join(methods)}")
    # here, so that the error is raised once and not in every process
    oracle = benchmark(benchmark_name, protocol)
    budget = Budget(budget) if isinstance(budget, int) and budget > 0 else budget
    queries = Account(oracle, budget).remaining if isinstance(budget, Budget) else budget
    each = [
        SearchRequest(
            method=method, queries=queries, hyperparameters=hyperparameters, objectives=objectives, at_most=at_most
        )
        for method in methods
    ]
    requests = list(product(each, seeds))
    Goals.of(objectives, at_most).check(oracle)
    if wrong := [reason for request in each for reason in request.misfits(oracle, None).values()]:
        raise UserError(wrong[0])
    distinct = distinct_cells(oracle)
    if queries > distinct:
        raise UserError(f"{queries} queries are more than the {distinct} distinct cells of {benchmark_name}")
    config = replace(evaluation, store=evaluation.store or str(EVALUATIONS.absolute()))
    search = partial(_search, benchmark_name, protocol, config, budget)
    if cost_of(oracle) is None:
        yield from side_by_side(search, requests, "search", concurrent)
        return
    from nadlab.engine.search_on_ray import on_ray  # late: a search of a table does without Ray

    plugins = plugin_names([benchmark_name, *methods])
    yield from on_ray(search, requests, oracle, config, concurrent, address, plugins)


def _search(
    benchmark_name: str,
    protocol: str,
    config: EvaluationConfig,
    budget: int | Budget,
    request_and_seed: tuple[SearchRequest, int],
) -> Search:
    request, seed = request_and_seed
    trial = {"benchmark": benchmark_name, "protocol": protocol, "evaluations": asdict(config)}
    oracle, goals = opened(trial), request.goals
    ledger = QueryLedger(oracle, budget, goals)
    started = time.perf_counter()
    run_search(request.searcher, ledger, np.random.default_rng(seed))
    seconds = time.perf_counter() - started
    outcome = ledger.outcome()
    splits, spent = (oracle.search_split, oracle.report_split), ledger.account
    costs = (len(spent.trainings), spent.epochs, spent.seconds) if spent.budget.unit != "queries" else ()
    return Search(
        request.method, benchmark_name, protocol, seed, outcome["queries"], outcome["best_valid"], outcome["best_test"],
        outcome.get("regret"), seconds, outcome.get("feasible"),
        points(ledger.queries, ledger.feasible, goals.metrics(oracle), *splits) if goals.objectives else None, *costs,
    )  # fmt: skip


def compared(rows: Sequence[Search], split: Split, metric: Metric = ACCURACY) -> list[dict[str, Any]]:
    """Return a row a method: the answer with its standard deviation, regret where it is known, and how far it is behind.

    split: the one by which the benchmark reports. Behind the first method, the difference is paired by seed. Searches
    without a cell that keeps the constraints are in no mean; a method of which all are has no row.
    """
    rng = np.random.default_rng(0)
    by_method: dict[str, list[Search]] = {}
    for row in (each for each in rows if each.found(split)):
        by_method.setdefault(row.method, []).append(row)
    if not by_method:
        return []
    first = next(iter(by_method))
    missing = {
        method: {row.seed: -metric.score(row.reported(split)) for row in found} for method, found in by_method.items()
    }
    return [
        {
            "method": method,
            "seeds": len(found),
            metric.heading: mean_and_deviation([row.reported(split) for row in found], metric.places + 1),
            **_regret([row.regret for row in found if row.regret is not None], metric.places + 1, rng),
            f"behind {first}": ""
            if method == first
            else _text(paired_difference(missing[method], missing[first], rng), metric.places + 1),
        }
        for method, found in by_method.items()
    ]


def fronts(rows: Sequence[Search], metrics: Sequence[Metric]) -> list[dict[str, Any]]:
    """Return for each search its `front`, a dict of cell and objectives a cell, and its `hypervolume` after each query.

    metrics: the objectives with their ranges (`Goals.ranged`); `nadlab.analysis.statistics.hypervolume` says what is measured.
    """
    found = [row.points for row in rows if row.points]
    best, worst = ends(found, metrics)
    return [
        {
            "front": [
                {"cell": query.cell, **dict(zip(names, each, strict=True))} for query, each in search.measured(metrics)
            ],
            "hypervolume": search.curve(best, worst).tolist(),
        }
        for search in found
        for names in [[metric.name for metric in metrics]]
    ]


def hypervolumes(rows: Sequence[Search], found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row a method: mean hypervolume at the end, its interval, and how far it is ahead of the first method."""
    rng, final = np.random.default_rng(0), dict[str, dict[int, float]]()
    for row, each in zip(rows, found, strict=True):
        final.setdefault(row.method, {})[row.seed] = each["hypervolume"][-1]
    first = next(iter(final.values()))
    return [
        {
            "method": method,
            "seeds": len(values),
            "hypervolume": hypervolume_text(mean_interval(np.array(list(values.values())), rng)),
            f"ahead of {next(iter(final))}": ""
            if values is first
            else hypervolume_text(paired_difference(values, first, rng)),
        }
        for method, values in final.items()
    ]


def _regret(regrets: Sequence[float], places: int, rng: np.random.Generator) -> dict[str, str]:
    return {"regret": _text(mean_interval(np.array(regrets), rng), places)} if regrets else {}


def _text(interval: Interval | None, places: int) -> str:
    return "" if interval is None else f"{interval.mean:.{places}f} ({interval_text(interval, '', places - 1)})"
