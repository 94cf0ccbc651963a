"""The only access of a method to a benchmark: every evaluation is counted, budgeted and recorded."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.oracle import ACCURACY, Metric, Oracle, Split, accuracy, metric_of, optimum_of
from nadlab.errors import UserError
from nadlab.queries.answers import evaluated
from nadlab.spaces import Cells
from nadlab.spaces.cells import concatenate


class BudgetSpent(RuntimeError):  # noqa: N818 - it ends a search, it is no failure
    """The budget does not cover the queries; nothing was evaluated."""


@dataclass(frozen=True, slots=True)
class Query:
    """One counted query."""

    number: int
    """1 for the first"""
    key: int
    cell: str
    valid: float | None
    test: float | None


def best(queries: Iterable[Query], split: Split, metric: Metric = ACCURACY) -> Query:
    """Return the query with the highest score on a split, the first of equals; at least one query."""
    return max(queries, key=lambda query: metric.score(accuracy(query, split)))


class Outcome(TypedDict):
    """Result of a search so far; accuracies in percent (None where there is no split), regret in percentage points."""

    queries: int
    best_valid: float | None
    best_test: float | None
    best_reported: float
    regret: NotRequired[float]
    """absent where the benchmark does not know its optimum"""


def distinct_cells(oracle: Oracle) -> int:
    """Return how many architectures up to isomorphism a benchmark's pool holds."""
    return len(np.unique(oracle.space.keys(oracle.pool())))


class QueryLedger:
    """Counts distinct architectures up to isomorphism.

    A repeated query, also of an isomorphic cell, is free and returns the recorded accuracy.
    """

    def __init__(self, oracle: Oracle, budget: int) -> None:
        if budget < 1:
            raise UserError(f"the query budget must be at least 1, not {budget}")
        self.oracle = oracle
        self.metric = metric_of(oracle)
        self.budget = budget
        self._queries: dict[int, Query] = {}
        self._cells: list[Cells] = []

    @property
    def queries(self) -> tuple[Query, ...]:
        """Every counted query in order."""
        return tuple(self._queries.values())

    @property
    def cells(self) -> Cells:
        """The queried cells in order, as they were given; at least one query."""
        return concatenate(self._cells)

    @property
    def accuracies(self) -> NDArray[np.float64]:
        """The search score of every query in order, shape (queries,)."""
        return np.array([self.answer(query) for query in self.queries])

    def best_cells(self, count: int) -> Cells:
        """Return the queried cells with the highest search score, best first, the first of equals before the others."""
        return self.cells[np.argsort(-self.accuracies, kind="stable")[:count]]

    @property
    def remaining(self) -> int:
        """Queries left in the budget."""
        return self.budget - len(self._queries)

    def known(self, cells: Cells) -> NDArray[np.bool_]:
        """Return whether each valid cell was queried, shape (N,)."""
        return np.isin(self.oracle.space.keys(cells), np.fromiter(self._queries, np.int64, len(self._queries)))

    def query(self, cells: Cells) -> NDArray[np.float64]:
        """Return the search score of each cell, shape (N,): an accuracy in percent, or as the benchmark's metric says.

        The new architectures among them are evaluated in one call, in their order.

        Raises BudgetSpent before any evaluation when they outnumber the budget, UserError when a cell is not in the
        benchmark, and what `nadlab.queries.answers.evaluated` raises; then nothing is counted.
        """
        keys = self.oracle.space.keys(cells)
        allowed = np.asarray(self.oracle.queryable(cells))
        if allowed.dtype != bool or allowed.shape != (len(cells),):
            raise UserError(f"{self.oracle.name}: let its queryable return an array of one boolean a cell")
        missing = ~allowed
        if missing.any():
            first = int(np.flatnonzero(missing)[0])
            text = self.oracle.space.format(cells[first : first + 1])
            raise UserError(f"{text} cannot be queried: {self.oracle.name} does not hold it")
        fresh = {key: row for row, key in reversed(list(enumerate(keys.tolist()))) if key not in self._queries}
        if len(fresh) > self.remaining:
            raise BudgetSpent(f"{len(fresh)} queries asked, {self.remaining} of {self.budget} left")
        if fresh:
            rows = sorted(fresh.values())
            new = cells[rows]
            for key, cell, answer in zip(keys[rows].tolist(), new, evaluated(self.oracle, new), strict=True):
                text = self.oracle.space.format(cell)
                self._queries[key] = Query(len(self._queries) + 1, key, text, answer.valid, answer.test)
                self._cells.append(cell)
        return np.array([self.answer(self._queries[key]) for key in keys.tolist()])

    def answer(self, query: Query) -> float:
        """Return a query's search score (`Metric.score`)."""
        return self.metric.score(accuracy(query, self.oracle.search_split))

    def reported(self, query: Query) -> float:
        """Return a query's reported answer, in the metric's unit."""
        return accuracy(query, self.oracle.report_split)

    def best(self) -> Query:
        """Return the incumbent: the query with the highest search score, the first of equals."""
        if not self._queries:
            raise UserError("nothing was queried yet")
        return best(self.queries, self.oracle.search_split, self.metric)

    def regret(self) -> float | None:
        """Return how far the incumbent's reported answer is from the optimum, in the metric's unit; None without an optimum."""
        optimum = optimum_of(self.oracle)
        return None if optimum is None else self.metric.score(optimum) - self.metric.score(self.reported(self.best()))

    def outcome(self) -> Outcome:
        """Return the search's result so far, for its record; raise UserError when nothing was queried yet."""
        incumbent, regret = self.best(), self.regret()
        outcome: Outcome = {
            "queries": len(self.queries),
            "best_valid": incumbent.valid,
            "best_test": incumbent.test,
            "best_reported": self.reported(incumbent),
        }
        return outcome if regret is None else {**outcome, "regret": regret}

    def load(self, queries: tuple[Query, ...]) -> None:
        """Restore the queries of a checkpoint; the ledger must be empty."""
        assert not self._queries
        self._queries = {query.key: query for query in queries}
        self._cells = [self.oracle.space.parse(query.cell) for query in queries]
