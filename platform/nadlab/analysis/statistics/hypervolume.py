"""Pareto fronts of searches and the hypervolume that they dominate; dominance and volume are moocore's.

Objectives are scaled to [0, 1], 0 the best value and 1 the worst, and the reference point is (1, ..., 1): a hypervolume is the
share of that box which a front dominates. The front is of the cells that no other queried cell dominates by what the search
saw; its volume is of what is reported of them. Where both are the same, it never decreases with queries.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import moocore
import numpy as np
from numpy.typing import NDArray

from nadlab.analysis.statistics.intervals import Values
from nadlab.benchmarks.oracle import Metric, Split
from nadlab.queries.goals import values
from nadlab.queries.ledger import Query


@dataclass(frozen=True)
class Points:
    """The queries of one search as points, (N, M), all objectives to be minimised, in order."""

    queries: Sequence[Query]
    seen: Values
    """by the search split; infinite where a query breaks a constraint"""
    reported: Values

    def front(self) -> list[Query]:
        """Return the feasible queries that no other dominates by what the search saw."""
        return [query for query, best in zip(self.queries, nondominated(self.seen), strict=True) if best]

    def measured(self, metrics: Sequence[Metric]) -> list[tuple[Query, list[float]]]:
        """Return the front's queries, each with its reported objectives in their own units."""
        signs = np.array([-metric.score(1.0) for metric in metrics])
        return [(query, (self.reported[query.number - 1] * signs).tolist()) for query in self.front()]

    def curve(self, best: Values, worst: Values) -> Values:
        """Return the hypervolume after each query, (N,); `best` and `worst`, (M,), become 0 and 1."""
        span = np.where(worst > best, worst - best, 1.0)
        scaled = np.minimum((self.reported - best) / span, 1.0)
        return np.array([self._volume(scaled, count) for count in range(1, len(scaled) + 1)])

    def _volume(self, scaled: Values, count: int) -> float:
        front = scaled[:count][nondominated(self.seen[:count])]
        return float(moocore.hypervolume(front, ref=np.ones(scaled.shape[1]))) if len(front) else 0.0


def points(
    queries: Sequence[Query], feasible: NDArray[np.bool_], metrics: Sequence[Metric], search: Split, report: Split
) -> Points:
    """Return the points of a search's queries, of which `feasible`, (N,), keep the constraints."""
    seen = np.where(feasible[:, None], values(queries, metrics, search), np.inf)
    return Points(queries, seen, values(queries, metrics, report))


def nondominated(seen: Values) -> NDArray[np.bool_]:
    """Return whether no other point dominates each, (N, M) -> (N,); equal points stay, infinite ones never do."""
    found: NDArray[np.bool_] = np.asarray(np.isfinite(seen).all(axis=1))
    found[found] = moocore.is_nondominated(seen[found], keep_weakly=True)
    return found


def ends(searches: Sequence[Points], metrics: Sequence[Metric]) -> tuple[Values, Values]:
    """Return the best and the worst value of every objective, each (M,).

    Those of the whole benchmark where the metric has its `low` and `high`, elsewhere of all queries of all searches.
    """
    every = np.concatenate([each.reported for each in searches])
    best, worst = np.nanmin(every, axis=0), np.nanmax(every, axis=0)  # NaN: of a failed training
    for column, metric in enumerate(metrics):
        if metric.low is not None and metric.high is not None:
            best[column], worst[column] = sorted((-metric.score(metric.low), -metric.score(metric.high)))
    return best, worst
