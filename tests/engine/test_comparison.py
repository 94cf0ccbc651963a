"""The table of a search's methods says after how many queries they find the best cell."""

import pytest

from nadlab.benchmarks.oracle import Oracle, search_optimum_of
from nadlab.benchmarks.registry import benchmark
from nadlab.engine.searches.comparison import compared
from nadlab.engine.searches.result import Search
from nadlab.queries.ledger import Query
from tests.conftest import TOY

pytestmark = pytest.mark.usefixtures("data")


def toy() -> tuple[Oracle, float]:
    oracle = benchmark(TOY)
    best = search_optimum_of(oracle)
    assert best is not None
    return oracle, best


def search_finding(best: float, at: int | None, seed: int, feasible: int | None = None) -> Search:
    answers = [best if number == at else best - 1 for number in range(1, 41)]
    ledger = tuple(Query(number, number, "", answer, answer) for number, answer in enumerate(answers, 1))
    return Search("local-search", TOY, "paper", seed, 40, max(answers), max(answers), 0.0, 1.0, feasible, ledger)


@pytest.mark.parametrize(
    ("found_at", "said"),
    [
        ((7, 9, 20), "9 (worst 20)"),
        ((7, 9, None), "9 (1 of 3 never)"),
        ((7, None, None), "2 of 3 never"),
        ((8, 7), "7.5 (worst 8)"),
    ],
)
def test_median_and_last_query_that_finds_the_best_cell_are_said(found_at: tuple[int | None, ...], said: str) -> None:
    oracle, best = toy()
    (row,) = compared([search_finding(best, at, seed) for seed, at in enumerate(found_at)], oracle)
    assert row["queries to the best"] == said


def test_with_constraints_nothing_is_said_of_a_best_cell_that_they_may_exclude() -> None:
    oracle, best = toy()
    (row,) = compared([search_finding(best, 3, 0, feasible=40)], oracle)
    assert "queries to the best" not in row
