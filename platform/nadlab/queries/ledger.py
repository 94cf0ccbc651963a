"""The only access of a method to a benchmark: every evaluation is counted, budgeted and recorded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.oracle import ACCURACY, Metric, Oracle, Split, accuracy, metric_of, optimum_of
from nadlab.errors import UserError
from nadlab.evaluations.answers import evaluated
from nadlab.queries.budget import Account, Budget
from nadlab.queries.goals import Goals, values
from nadlab.queries.pools import distinct_cells
from nadlab.spaces import Cells
from nadlab.spaces.cells import concatenate, shown


class BudgetSpent(RuntimeError):  # noqa: N818 - it ends a search, it is not a failure
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
    extras: Mapping[str, float] = field(default_factory=dict, hash=False)
    """further quantities, such as latency"""
    failed: str = ""
    """why its training failed; empty where it did not"""
    origin: str = ""
    """where the method took the cell from, such as `initial`, `generated` or `fallback`; empty where it does not say"""


def best(queries: Iterable[Query], split: Split, metric: Metric = ACCURACY) -> Query:
    """Return the query with the highest score on a split, the first of equals; at least one query."""
    return max(queries, key=lambda query: metric.score(accuracy(query, split)))


class Outcome(TypedDict):
    """Result of a search so far; accuracies in percent (None where there is no split), regret in percentage points."""

    queries: int
    feasible: NotRequired[int]
    """queries that keep the constraints; absent without constraints"""
    best_valid: float | None
    best_test: float | None
    best_reported: float | None
    """None where no query keeps the constraints"""
    regret: NotRequired[float]
    """absent where the benchmark does not know its optimum, or constraints may exclude it"""


class QueryLedger:
    """Counts distinct architectures up to isomorphism, and what their trainings cost.

    A repeated query, also of an isomorphic cell, is free and returns the recorded accuracy. A query is a full training; on
    a benchmark with several fidelities (`nadlab.benchmarks.fidelity`) a method may ask for shorter ones as well.

    budget: a number of queries, or any `Budget`.

    goals: objectives and constraints. A query that breaks a constraint, or whose training failed, is never the incumbent; what a method sees of it is
    the worst search score, and the worst of every objective, of all queries so far. UserError where the benchmark does not
    answer what they name.
    """

    def __init__(self, oracle: Oracle, budget: int | Budget, goals: Goals = Goals()) -> None:  # noqa: B008 - it is frozen
        if isinstance(budget, int) and budget < 1:
            raise UserError(f"the query budget must be at least 1, not {budget}")
        goals.check(oracle)
        self.account = Account(oracle, Budget(budget) if isinstance(budget, int) else budget)
        self.oracle = oracle
        self.goals = goals
        self.metric = metric_of(oracle)
        self.budget = self.account.remaining
        """queries that the whole budget pays"""
        self._queries: dict[int, Query] = {}
        self._shorter: dict[int, dict[int, Query]] = {}
        self._cells: list[Cells] = []
        self._distinct = 0
        """cells of the pool, counted as far as they were needed"""
        self._all_counted = False

    @property
    def queries(self) -> tuple[Query, ...]:
        """Every full training in order."""
        return tuple(self._queries.values())

    @property
    def cells(self) -> Cells:
        """The queried cells in order, as they were given; at least one query."""
        return concatenate(self._cells)

    @property
    def accuracies(self) -> NDArray[np.float64]:
        """The search score of every query in order, shape (queries,)."""
        return -self.objectives[:, 0]

    @property
    def objectives(self) -> NDArray[np.float64]:
        """The objectives of every query in order, all to be minimised, shape (queries, objectives); the first is the metric's."""
        found = values(self.queries, self.goals.metrics(self.oracle), self.oracle.search_split)
        # a quantity that only failed trainings were to give has no worst value
        worst = np.max(found, axis=0, initial=-np.inf, where=~np.isnan(found))
        return np.where(self.feasible[:, None], found, np.where(np.isfinite(worst), worst, 0.0))

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Whether every query in order keeps the constraints, shape (queries,)."""
        return np.array([self.goals.feasible(query) for query in self.queries], bool)

    def best_cells(self, count: int) -> Cells:
        """Return the queried cells with the highest search score, best first, the first of equals before the others."""
        return self.cells[np.argsort(-self.accuracies, kind="stable")[:count]]

    @property
    def remaining(self) -> int:
        """Whole queries left in the budget; of seconds, as many as it pays at the expected seconds of one and the pool has left."""
        paid, asked = self.account.remaining, len(self._queries)
        if self.account.budget.unit != "seconds":
            return paid
        if self._distinct < asked + paid and not self._all_counted:
            self._distinct = distinct_cells(self.oracle, asked + paid)
            self._all_counted = self._distinct < asked + paid
        return min(paid, max(0, self._distinct - asked))

    def known(self, cells: Cells, fidelity: int | None = None) -> NDArray[np.bool_]:
        """Return whether each valid cell was queried at a fidelity, shape (N,)."""
        found = self._found(fidelity)
        return np.isin(self.oracle.space.keys(cells), np.fromiter(found, np.int64, len(found)))

    def query(
        self, cells: Cells, origins: str | Sequence[str] = "", fidelity: int | None = None
    ) -> NDArray[np.float64]:
        """Return the search score of each cell, shape (N,): an accuracy in percent, or as the benchmark's metric says.

        origins: `Query.origin` of all cells, or of each. fidelity: epochs of their trainings; None: the full ones.

        The new architectures among them are evaluated in one call, in their order.

        Raises BudgetSpent before any evaluation when they are expected to cost more than is left, UserError when a cell is
        not valid, or a cell or the fidelity is not in the benchmark, and what `nadlab.evaluations.answers.evaluated` raises;
        then nothing is counted.
        Where trainings take more seconds than expected, those that fit are counted, in order, and BudgetSpent is raised.
        """
        found = self._found(fidelity)
        if reason := next(filter(None, self.oracle.space.invalid_reasons(cells)), None):
            raise UserError(
                f"the method queried an invalid cell of {self.oracle.space.name}: {reason}; check cells by `invalid_reasons` first"
            )
        keys = self.oracle.space.keys(cells)
        allowed = np.asarray(self.oracle.queryable(cells))
        if allowed.dtype != bool or allowed.shape != (len(cells),):
            raise UserError(f"{self.oracle.name}: its queryable must return an array with one boolean per cell")
        missing = ~allowed
        if missing.any():
            first = int(np.flatnonzero(missing)[0])
            text = shown(cells[first : first + 1], self.oracle.space)
            raise UserError(f"{text} cannot be queried: {self.oracle.name} does not hold it")
        fresh = {key: row for row, key in reversed(list(enumerate(keys.tolist()))) if key not in found}
        if not self.account.pays(fresh, fidelity):
            raise BudgetSpent(f"{len(fresh)} queries asked, {self.remaining} of {self.budget} left")
        if fresh:
            rows = sorted(fresh.values())
            new = cells[rows]
            answers = evaluated(self.oracle, new, None if found is self._queries else fidelity)
            self.goals.check_answers(self.oracle, new, answers)  # before anything is counted
            named = [origins if isinstance(origins, str) else origins[row] for row in rows]
            for key, cell, answer, origin in zip(keys[rows].tolist(), new, answers, named, strict=True):
                if not self.account.pay(key, fidelity, answer.seconds):
                    raise BudgetSpent(f"a training takes longer than what is left of {self.account.budget}")
                text, number = self.oracle.space.format(cell), len(found) + 1
                found[key] = Query(number, key, text, answer.valid, answer.test, answer.extras, answer.failed, origin)
                if found is self._queries:
                    self._cells.append(cell)
        among = tuple(found.values())
        return np.array([self.answer(found[key], among) for key in keys.tolist()])

    def _found(self, fidelity: int | None) -> dict[int, Query]:
        """Return key -> answer at a fidelity; raise UserError where the benchmark does not have it."""
        known = self.account.fidelities.epochs
        if fidelity is None or fidelity == max(known, default=None):
            return self._queries
        if fidelity not in known:
            has = f"those of {', '.join(map(str, known))}" if known else "none whose epochs it declares"
            raise UserError(f"{self.oracle.name} has no training of {fidelity} epochs: it has {has}")
        return self._shorter.setdefault(fidelity, {})

    def answer(self, query: Query, among: tuple[Query, ...] = ()) -> float:
        """Return a query's search score (`Metric.score`); the worst of all, or of those among which it is, where it is not feasible."""
        shown = [query] if self.goals.feasible(query) else among or self.queries
        return min(self.metric.score(accuracy(each, self.oracle.search_split)) for each in shown)

    def reported(self, query: Query) -> float:
        """Return a query's reported answer, in the metric's unit."""
        return accuracy(query, self.oracle.report_split)

    def best(self) -> Query:
        """Return the query from which a method goes on: the incumbent, or the first where no query keeps the constraints."""
        if not self._queries:
            raise UserError("nothing was queried yet: a method queries at least one cell")
        return self.incumbent or self.queries[0]

    @property
    def incumbent(self) -> Query | None:
        """The feasible query (`Goals.feasible`) with the highest search score, the first of equals; None without one."""
        feasible = [query for query in self.queries if self.goals.feasible(query)]
        return best(feasible, self.oracle.search_split, self.metric) if feasible else None

    def regret(self) -> float | None:
        """Return how far the incumbent's reported answer is from the optimum, in the metric's unit.

        None without an optimum, and with constraints, which may exclude it; UserError when nothing was queried yet.
        """
        optimum = None if self.goals.at_most else optimum_of(self.oracle)
        return None if optimum is None else self.metric.score(optimum) - self.metric.score(self.reported(self.best()))

    def outcome(self) -> Outcome:
        """Return the search's result so far, for its record; raise UserError when nothing was queried yet."""
        self.best()  # raises without a query
        incumbent = self.incumbent
        outcome: Outcome = {
            "queries": len(self.queries),
            "best_valid": incumbent.valid if incumbent else None,
            "best_test": incumbent.test if incumbent else None,
            "best_reported": self.reported(incumbent) if incumbent else None,
        }
        if self.goals.at_most:
            outcome["feasible"] = int(self.feasible.sum())
        elif (regret := self.regret()) is not None:
            outcome["regret"] = regret
        return outcome

    def load(self, queries: tuple[Query, ...]) -> None:
        """Restore the queries of a checkpoint; the ledger must be empty."""
        assert not self._queries
        for query in queries:
            self.account.pay(query.key, None, None)
        self._queries = {query.key: query for query in queries}
        self._cells = [self.oracle.space.parse(query.cell) for query in queries]
