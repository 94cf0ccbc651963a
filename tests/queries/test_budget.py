"""Budgets in queries, epochs and seconds: what is paid, what is left, what is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nadlab.benchmarks.fidelity import Fidelities
from nadlab.benchmarks.oracle import Evaluation
from nadlab.errors import UserError
from nadlab.evaluations.config import EvaluationConfig
from nadlab.evaluations.stored import StoredEvaluations
from nadlab.queries.budget import Budget
from nadlab.queries.ledger import BudgetSpent, QueryLedger
from nadlab.queries.opening import answered
from nadlab.spaces import Cells
from tests.oracles import counting

ORACLE = replace(counting("nasbench201", 60), fidelities=Fidelities((3, 9), 18.0))
CELLS = ORACLE.pool()


def timed(seconds: Callable[[int], float]) -> QueryLedger:
    """Return a ledger of 50 seconds on trainings of 18, as expected; row -> what each really takes."""

    def evaluate(cells: Cells, fidelity: int | None = None) -> list[Evaluation]:
        found = enumerate(ORACLE.evaluate(cells, fidelity))
        return [replace(each, seconds=seconds(row) * (fidelity or 9) / 9) for row, each in found]

    return QueryLedger(answered(ORACLE, evaluate), Budget.of("50s"))


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("160q", 160, "queries"), ("160", 160, "queries"), ("20000epochs", 20_000, "epochs"), ("6h", 21_600, "seconds"),
        ("90min", 5_400, "seconds"), ("1.5h", 5_400, "seconds"), (" 30 S ", 30, "seconds"), ("2d", 172_800, "seconds"),
    ],
)  # fmt: skip
def test_budget_is_read_in_queries_epochs_or_time(text: str, amount: float, unit: str) -> None:
    assert (Budget.of(text).amount, Budget.of(text).unit) == (amount, unit)


@pytest.mark.parametrize("text", ["", "h", "6 hours", "-3q", "0h", "1.5q", "nan", "1e9q", "9" * 40 + "q"])
def test_other_budgets_are_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(
        UserError, match=r"^[^\n]*(write 160q, 20000epochs, 90min or 6h|a budget must be above 0)[^\n]*$"
    ):
        Budget.of(text)


def test_a_shorter_training_costs_its_share_of_a_query_and_is_no_query() -> None:
    ledger = QueryLedger(ORACLE, 3)
    low = ledger.query(CELLS[:4], fidelity=3)
    assert (ledger.query(CELLS[:4], fidelity=3) == low).all()  # known, and free
    assert low.tolist() == [each.valid for each in ORACLE.evaluate(CELLS[:4], 3)]
    assert (ledger.remaining, ledger.queries, ledger.account.epochs) == (1, (), 12)
    assert ledger.known(CELLS[:5], 3).tolist() == [True] * 4 + [False]
    assert not ledger.known(CELLS[:4]).any()
    ledger.query(CELLS[:1])
    assert (ledger.remaining, len(ledger.queries), ledger.account.epochs) == (0, 1, 21)
    with pytest.raises(BudgetSpent, match="3 queries asked, 0 of 3 left"):
        ledger.query(CELLS[5:8], fidelity=3)
    ledger.query(CELLS[5:7], fidelity=9 // 3)
    assert [each.fidelity for each in ledger.account.trainings] == [3] * 4 + [9] + [3] * 2
    with pytest.raises(UserError, match=r"^counting has no training of 5 epochs: it has those of 3, 9$"):
        ledger.query(CELLS[:1], fidelity=5)


@pytest.mark.parametrize(("resumable", "epochs"), [(False, [3, 9, 9]), (True, [3, 6, 9])])
def test_a_training_that_goes_on_from_a_shorter_one_costs_the_difference(resumable: bool, epochs: list[int]) -> None:
    ledger = QueryLedger(replace(ORACLE, fidelities=replace(ORACLE.fidelities, resumable=resumable)), Budget.of("3q"))
    ledger.query(CELLS[:1], fidelity=3)
    ledger.query(CELLS[:2], fidelity=9)
    assert [each.epochs for each in ledger.account.trainings] == epochs
    assert [each.seconds for each in ledger.account.trainings] == [2.0 * each for each in epochs]


def test_seconds_are_what_trainings_take_and_remaining_what_they_are_expected_to() -> None:
    cheap = timed(lambda _: 9.0)
    assert cheap.budget == cheap.remaining == 2
    cheap.query(CELLS[:2])
    assert (cheap.remaining, cheap.account.seconds) == (1, 18.0)


def test_a_training_that_the_end_of_the_seconds_cuts_off_is_not_answered() -> None:
    dear = timed(lambda row: 20.0 + 20.0 * row)
    with pytest.raises(BudgetSpent, match="a training takes longer than what is left of 50 seconds"):
        dear.query(CELLS[:2])
    assert len(dear.queries) == len(dear.cells) == 1
    assert dear.account.seconds == 20.0
    with pytest.raises(BudgetSpent, match="2 queries asked, 1 of 2 left"):
        dear.query(CELLS[2:4])  # as expected they do not fit: nothing is evaluated


@pytest.mark.parametrize(
    ("fidelities", "budget", "words"),
    [
        (
            Fidelities(),
            "6h",
            "counting does not say how many seconds a full training takes: give the budget in queries",
        ),
        (Fidelities((3, 9)), "6h", "give the budget in queries or epochs, such as 160q or 20000epochs"),
        (Fidelities(), "90epochs", "counting does not say how many epochs a full training takes"),
        (
            Fidelities((3, 9), 18.0),
            "8epochs",
            "a budget of 8 epochs does not pay a full training of counting, about 9 epochs",
        ),
        (
            Fidelities((3, 9), 18.0),
            "17s",
            "a budget of 17 seconds does not pay a full training of counting, about 18 seconds",
        ),
    ],
)
def test_budget_that_the_benchmark_cannot_count_or_that_pays_nothing_is_one_sentence(
    fidelities: Fidelities, budget: str, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        QueryLedger(replace(ORACLE, fidelities=fidelities), Budget.of(budget))
    with pytest.raises(UserError, match=r"ascending order, from 1 on, not \(9, 3\)"):
        Fidelities((9, 3))


def test_evaluations_of_a_length_are_kept_apart_with_the_seconds_that_answers_say(tmp_path: Path) -> None:
    asked: list[tuple[int | None, int]] = []

    def evaluate(cells: Cells, fidelity: int | None = None) -> list[Evaluation]:
        asked.append((fidelity, len(cells)))
        return [replace(each, seconds=7.0) for each in ORACLE.evaluate(cells, fidelity)]

    def searched() -> list[float]:
        kept = StoredEvaluations.of(answered(ORACLE, evaluate), EvaluationConfig(str(tmp_path)))
        ledger = QueryLedger(answered(ORACLE, kept.evaluate), Budget.of("60s"))
        scores = [*ledger.query(CELLS[:3], fidelity=3), *ledger.query(CELLS[:2])]
        assert ledger.account.seconds == 35.0
        return scores

    assert searched() == searched()
    assert asked == [(3, 3), (None, 2)]
