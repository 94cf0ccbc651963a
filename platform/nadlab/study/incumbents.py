"""The queries of a record: what a search had found after each, and the columns of their table."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nadlab.benchmarks.oracle import Metric, Split, accuracy
from nadlab.queries.goals import Goals
from nadlab.queries.ledger import Query, best
from nadlab.study.records import Record, StudyRecord

EQUAL = 1e-9
"""difference of equal answers, in the metric's unit"""


def incumbents(record: Record, study: StudyRecord, split: Split | None = None) -> list[float]:
    """Return after each query an answer of the feasible cell that is best by its search score; NaN before the first.

    split: the answer's; None is the reported one.
    """
    goals = Goals.in_settings(record.trial.settings)
    return curve_of(record.queries, study.search_split, split or study.report_split, study.measured, goals)


def curve_of(
    queries: Sequence[Query],
    search_split: Split,
    split: Split,
    metric: Metric,
    goals: Goals = Goals(),  # noqa: B008 - it is frozen
) -> list[float]:
    """Return the same of queries in order."""
    found, values = list[Query](), list[float]()
    for query in queries:
        if goals.feasible(query):
            found = [best([*found, query], search_split, metric)]
        values.append(accuracy(found[0], split) if found else math.nan)
    return values


def incumbent_of(record: Record, study: StudyRecord) -> Query | None:
    """Return the query of the feasible cell that is best by its search score in the end; None where there is none."""
    kept = feasible(record)
    return best(kept, study.search_split, study.measured) if kept else None


def feasible(record: Record) -> list[Query]:
    """Return the queries that keep the trial's constraints."""
    return list(filter(Goals.in_settings(record.trial.settings).feasible, record.queries))


def reaching(queries: Sequence[Query], split: Split, metric: Metric, optimum: float) -> int | None:
    """Return the number of the first query whose answer on a split is the optimum, None where no query's is."""
    least = metric.score(optimum) - EQUAL
    return next((query.number for query in queries if metric.score(accuracy(query, split)) >= least), None)


def query_row(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recorded query as a row of a table: each further quantity is a column, and the reason of a failed training."""
    plain: dict[str, Any] = {
        name: value for name, value in query.items() if name != "extras" and (name not in ("failed", "origin") or value)
    }
    return {**plain, **query.get("extras", {})}
