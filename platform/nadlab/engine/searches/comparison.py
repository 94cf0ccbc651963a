"""Tables of searches on the same benchmark and seeds: the methods' means, Pareto fronts, hypervolumes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nadlab.analysis.statistics.hypervolume import ends, points
from nadlab.analysis.statistics.intervals import Interval, mean_interval, paired_difference
from nadlab.analysis.text import hypervolume_text, interval_text, mean_and_deviation
from nadlab.benchmarks.oracle import Oracle, metric_of, search_optimum_of
from nadlab.engine.searches.result import Search
from nadlab.queries.goals import Goals
from nadlab.study.incumbents import reaching


def compared(rows: Sequence[Search], oracle: Oracle) -> list[dict[str, Any]]:
    """Return a row a method: the reported answer with its standard deviation, where they are known the regret and the
    queries until the best cell by the search split, and how far it is behind.

    Behind the first method, the difference is paired by seed. Searches without a cell that keeps the constraints are in
    no mean; a method of which all are has no row.
    """
    rng, split, metric = np.random.default_rng(0), oracle.report_split, metric_of(oracle)
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
            **_reached(found, oracle),
            f"behind {first}": ""
            if method == first
            else _text(paired_difference(missing[method], missing[first], rng), metric.places + 1),
        }
        for method, found in by_method.items()
    ]


def fronts(rows: Sequence[Search], goals: Goals, oracle: Oracle) -> list[dict[str, Any]]:
    """Return for each search its `front`, a dict of cell and objectives a cell, and its `hypervolume` after each query.

    `nadlab.analysis.statistics.hypervolume` says what is measured.
    """
    metrics = goals.ranged(oracle)
    found = [
        points(row.ledger, np.array([*map(goals.feasible, row.ledger)], bool), metrics, oracle.search_split, oracle.report_split)
        for row in rows
    ]  # fmt: skip
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


def _reached(rows: Sequence[Search], oracle: Oracle) -> dict[str, str]:
    """Return the median query that finds the best cell by the search split, and the last seed's or how many never do."""
    optimum = search_optimum_of(oracle)
    if optimum is None or any(row.feasible is not None for row in rows):
        return {}
    metric = metric_of(oracle)
    found = [reaching(row.ledger, oracle.search_split, metric, optimum) for row in rows]
    numbers = np.array([np.inf if number is None else number for number in found])
    never, median = int(np.isinf(numbers).sum()), float(np.median(numbers))
    last = f"{never} of {len(rows)} never" if never else f"worst {numbers.max():g}"
    return {"queries to the best": f"{median:g} ({last})" if np.isfinite(median) else last}


def _text(interval: Interval | None, places: int) -> str:
    return "" if interval is None else f"{interval.mean:.{places}f} ({interval_text(interval, '', places - 1)})"
