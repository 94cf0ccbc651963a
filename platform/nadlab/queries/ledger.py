"""The one door to a benchmark: every evaluation is counted, budgeted and recorded."""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.oracle import Oracle
from nadlab.errors import UserError
from nadlab.spaces import Cells


class BudgetSpent(RuntimeError):  # noqa: N818 - it ends a search, it is no failure
    """A query was asked for that the budget no longer covers; nothing was evaluated."""


@dataclass(frozen=True, slots=True)
class Query:
    """One counted query."""

    number: int
    """1 for the first"""
    key: int
    cell: str
    valid: float | None
    test: float | None


class Outcome(TypedDict):
    """Where a search stands; accuracies in percent and regret in percentage points, None where there is no split."""

    queries: int
    best_valid: float | None
    best_test: float | None
    best_reported: float
    regret: float


def distinct_cells(oracle: Oracle) -> int:
    """Return how many architectures up to isomorphism a benchmark's pool holds."""
    return len(np.unique(oracle.space.keys(oracle.pool())))


class QueryLedger:
    """Counts distinct architectures up to isomorphism.

    Asking again for an architecture, or for an isomorphic cell, costs nothing and gives the recorded answer.
    """

    def __init__(self, oracle: Oracle, budget: int) -> None:
        if budget < 1:
            raise UserError(f"the query budget must be at least 1, not {budget}")
        self.oracle = oracle
        self.budget = budget
        self._queries: dict[int, Query] = {}

    @property
    def queries(self) -> tuple[Query, ...]:
        """Every counted query in order."""
        return tuple(self._queries.values())

    @property
    def remaining(self) -> int:
        """Queries left in the budget."""
        return self.budget - len(self._queries)

    def known(self, cells: Cells) -> NDArray[np.bool_]:
        """Say which valid cells are already paid for, shape (N,)."""
        return np.isin(self.oracle.space.keys(cells), np.fromiter(self._queries, np.int64, len(self._queries)))

    def query(self, cells: Cells) -> NDArray[np.float64]:
        """Return the search accuracy of each cell in percent, shape (N,).

        Raises BudgetSpent before any evaluation when the new architectures among them outnumber the budget, and
        UserError when one is not in the benchmark.
        """
        keys = self.oracle.space.keys(cells)
        missing = ~self.oracle.queryable(cells)
        if missing.any():
            first = int(np.flatnonzero(missing)[0])
            text = self.oracle.space.format(cells[first : first + 1])
            raise UserError(f"{text} cannot be queried: {self.oracle.name} does not hold it")
        fresh = len(set(keys.tolist()) - set(self._queries))
        if fresh > self.remaining:
            raise BudgetSpent(f"{fresh} queries asked, {self.remaining} of {self.budget} left")
        for key, cell in zip(keys.tolist(), cells, strict=True):
            if key not in self._queries:
                answer = self.oracle.evaluate(cell)[0]
                text = self.oracle.space.format(cell)
                self._queries[key] = Query(len(self._queries) + 1, key, text, answer.valid, answer.test)
        return np.array([self.answer(self._queries[key]) for key in keys.tolist()])

    def answer(self, query: Query) -> float:
        """Return a query's search accuracy."""
        value = query.valid if self.oracle.search_split == "valid" else query.test
        assert value is not None
        return value

    def reported(self, query: Query) -> float:
        """Return the accuracy that the query is judged by."""
        value = query.valid if self.oracle.report_split == "valid" else query.test
        assert value is not None
        return value

    def best(self) -> Query:
        """Return the query with the highest search accuracy, the first of equals."""
        if not self._queries:
            raise UserError("nothing was queried yet")
        return max(self.queries, key=self.answer)

    def regret(self) -> float:
        """Return the optimum less the best query's reported accuracy, in percentage points."""
        return self.oracle.optimum - self.reported(self.best())

    def outcome(self) -> Outcome:
        """Return what a search has reached, as its record keeps it; raise UserError when nothing was queried yet."""
        best = self.best()
        return {
            "queries": len(self.queries),
            "best_valid": best.valid,
            "best_test": best.test,
            "best_reported": self.reported(best),
            "regret": self.regret(),
        }

    def load(self, queries: tuple[Query, ...]) -> None:
        """Take back the queries of a checkpoint; the ledger must be empty."""
        assert not self._queries
        self._queries = {query.key: query for query in queries}
