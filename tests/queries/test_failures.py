"""Failed trainings in a ledger: counted once, seen as the worst value, never the incumbent."""

from dataclasses import dataclass
from typing import cast

import numpy as np

from nadlab.benchmarks.oracle import Evaluation, Metric, Oracle, metric_of, quantity
from nadlab.queries.goals import Goals
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.opening import Answered
from nadlab.spaces import Cells
from tests.oracles import counting

ORACLE = counting("nasbench201", 30)
CELLS = ORACLE.pool()[:4]
PERCENT = Metric()
FAILED = Evaluation(0.0, 0.0, failed="no memory")


@dataclass(frozen=True)
class TimedCells(Answered):
    """A benchmark that declares a latency and its own metric."""

    metric: Metric = PERCENT
    quantities: tuple[Metric, ...] = (quantity("latency", "s"),)


def ledger_of(answers: list[Evaluation], goals: Goals = Goals(), metric: Metric | None = None) -> QueryLedger:  # noqa: B008
    keys = ORACLE.space.keys(CELLS).tolist()

    def evaluate(cells: Cells) -> list[Evaluation]:
        return [answers[keys.index(key)] for key in ORACLE.space.keys(cells).tolist()]

    oracle = TimedCells(ORACLE, evaluate, metric=metric or metric_of(ORACLE))
    return QueryLedger(cast(Oracle, oracle), 4, goals)


def test_a_failed_training_is_one_query_with_the_worst_score_and_never_the_best() -> None:
    ledger = ledger_of([FAILED, Evaluation(70.0, None), FAILED, Evaluation(60.0, None)])
    assert ledger.query(CELLS[:2]).tolist() == [0.0, 70.0]
    assert ledger.query(CELLS).tolist() == [0.0, 70.0, 0.0, 60.0]
    assert ledger.remaining == 0
    assert ledger.accuracies.tolist() == [0.0, 70.0, 0.0, 60.0]
    assert ledger.feasible.tolist() == [False, True, False, True]
    assert ledger.outcome()["best_valid"] == 70.0
    assert [query.failed for query in ledger.queries] == ["no memory", "", "no memory", ""]


def test_where_less_is_better_the_worst_is_the_highest() -> None:
    error = Metric("error", "%", maximise=False)
    assert error.worst == 100.0
    failed = Evaluation(100.0, 100.0, failed="no memory")
    ledger = ledger_of([failed, Evaluation(30.0, None), failed, Evaluation(20.0, None)], metric=error)
    assert ledger.query(CELLS).tolist() == [-100.0, -30.0, -100.0, -20.0]
    assert ledger.outcome()["best_valid"] == 20.0


def test_a_search_of_failures_alone_has_no_best_cell() -> None:
    ledger = ledger_of([FAILED] * 4)
    assert ledger.query(CELLS).tolist() == [0.0] * 4
    assert ledger.incumbent is None
    assert ledger.outcome()["best_valid"] is None


def test_objectives_of_a_failed_training_are_the_worst_of_all_even_where_nothing_else_is_known() -> None:
    goals = Goals.of("accuracy,latency", None)
    ledger = ledger_of([FAILED, Evaluation(70.0, None, {"latency": 3.0}), FAILED, FAILED], goals)
    ledger.query(CELLS[:1])
    assert np.isfinite(ledger.objectives).all()
    ledger.query(CELLS[:2])
    assert ledger.objectives.tolist() == [[0.0, 3.0], [-70.0, 3.0]]
