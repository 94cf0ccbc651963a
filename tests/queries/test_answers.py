"""The door to a benchmark: one batch for each call, checked answers."""

import json
import sys
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from nadlab.benchmarks.oracle import Evaluation
from nadlab.errors import UserError
from nadlab.evaluations.answers import EvaluationFailed
from nadlab.queries.ledger import BudgetSpent, QueryLedger
from nadlab.queries.opening import answered
from nadlab.spaces import Cells
from tests.oracles import counting

ORACLE = counting("nasbench201", 30)
CELLS = ORACLE.pool()[:6]


@dataclass
class Logged:
    """Evaluates as the benchmark does, and keeps the keys of each call."""

    calls: list[list[int]] = field(default_factory=list)

    def evaluate(self, cells: Cells) -> list[Evaluation]:
        self.calls.append(ORACLE.space.keys(cells).tolist())
        return ORACLE.evaluate(cells)


def answering(value: object) -> QueryLedger:
    """Return a ledger of a benchmark that answers like this."""
    return QueryLedger(answered(ORACLE, lambda _: value), 10)  # type: ignore[arg-type, return-value]


def test_new_distinct_cells_are_evaluated_in_one_call_in_their_order() -> None:
    logged = Logged()
    ledger = QueryLedger(answered(ORACLE, logged.evaluate), 10)
    keys = ORACLE.space.keys(CELLS)
    ledger.query(CELLS[[2]])
    ledger.query(CELLS[[5, 2, 0, 5, 1]])
    ledger.query(CELLS[[0, 1]])
    assert logged.calls == [[keys[2]], [keys[5], keys[0], keys[1]]]
    assert [query.key for query in ledger.queries] == keys[[2, 5, 0, 1]].tolist()
    with pytest.raises(BudgetSpent):
        ledger.query(ORACLE.pool())
    assert len(logged.calls) == 2


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float("nan"), "= nan: its evaluate must return an Evaluation whose valid is a number from 0 to 100$"),
        (np.float32("nan"), "= np.float32\\(nan\\)"),
        (float("inf"), "= inf"),
        (103.0, "= 103.0"),
        (-1, "= -1"),
        (10**400, "= 1000"),
        (None, "= None"),
        ("75", "= '75'"),
        (True, "= True"),
        (np.True_, "= np.True_"),
        (np.array([75.0]), "= array"),
    ],
    ids=str,
)
def test_what_is_no_accuracy_is_one_sentence_that_names_benchmark_cell_and_value(value: object, words: str) -> None:
    ledger = answering([Evaluation(50.0, None), Evaluation(value, None)])  # type: ignore[arg-type]
    with pytest.raises(UserError, match=words) as raised:
        ledger.query(CELLS[:2])
    assert f"counting answered {ORACLE.space.format(CELLS[1:2])} with valid" in str(raised.value)
    assert ledger.queries == ()


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([Evaluation(50.0, None)], r"counting returned 1 answers for 2 cells \(\|.*\|, \|.*\|\): its evaluate must"),
        (None, "counting returned None for 2 cells"),
        (np.array([50.0, 60.0]), "counting returned array"),
        ([50.0, 60.0], "with valid = 50.0: its evaluate must return an Evaluation"),
        ([None, None], "with valid = None"),
        ([Evaluation(50.0, float("nan"))] * 2, "with test = nan: .* whose test is .*, or None$"),
    ],
    ids=["few", "nothing", "array", "numbers", "None", "other split"],
)
def test_answers_that_are_no_list_of_evaluations_are_one_sentence(answers: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        answering(answers).query(CELLS[:2])


@pytest.mark.parametrize("value", [np.float32(75), np.float64(75), np.int64(75), 75])
def test_numbers_of_numpy_become_plain_floats(value: float) -> None:
    ledger = answering([Evaluation(value, value)])
    ledger.query(CELLS[:1])
    assert [type(each) for each in (ledger.queries[0].valid, ledger.queries[0].test)] == [float, float]
    assert json.loads(json.dumps(ledger.outcome()))["best_valid"] == 75


def test_the_split_that_is_reported_must_be_answered_too() -> None:
    oracle = replace(ORACLE, report_split="test")
    with pytest.raises(UserError, match=r"with test = None: .* whose test is a number from 0 to 100$"):
        QueryLedger(oracle, 3).query(CELLS[:1])


def test_an_error_of_own_code_keeps_its_traceback_and_names_benchmark_and_cells() -> None:
    def evaluate(_: Cells) -> list[Evaluation]:
        raise ZeroDivisionError("no data")

    with pytest.raises(
        EvaluationFailed, match=r"counting raised ZeroDivisionError \(no data\) .* and 3 more"
    ) as raised:
        QueryLedger(answered(ORACLE, evaluate), 10).query(CELLS)
    assert ORACLE.space.format(CELLS[:1]) in str(raised.value)
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_own_code_that_exits_does_not_end_the_search_without_a_word() -> None:
    def leave(_: Cells) -> list[Evaluation]:
        sys.exit(0)

    ledger = QueryLedger(answered(ORACLE, leave), 10)
    with pytest.raises(EvaluationFailed, match=r"counting raised SystemExit \(0\) when it evaluated"):
        ledger.query(CELLS[:1])
    assert ledger.queries == ()


@pytest.mark.parametrize("allowed", [True, [1], None, np.ones(2, bool)], ids=str)
def test_a_queryable_that_is_no_boolean_a_cell_is_one_sentence(
    allowed: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(ORACLE), "queryable", lambda *_: allowed)
    with pytest.raises(UserError, match="its queryable must return an array with one boolean per cell"):
        QueryLedger(ORACLE, 3).query(CELLS[:1])
