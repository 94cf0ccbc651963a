"""The query ledger: counted up to isomorphism, stopped at the budget, nothing lost."""

from pathlib import Path

import numpy as np
import pytest

from nadlab.benchmarks.oracle import optimum_of
from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.queries.ledger import BudgetSpent, QueryLedger
from nadlab.queries.pools import distinct_cells, one_of_each
from nadlab.queries.sampling import draw
from nadlab.spaces import Cells
from nadlab.spaces.cells import Keys
from tests.conftest import TOY
from tests.spaces.toy import error


@pytest.fixture
def ledger(data: Path) -> QueryLedger:  # noqa: ARG001 - it makes the table
    return QueryLedger(benchmark(TOY), 3)


def cells_of(ledger: QueryLedger, count: int) -> Cells:
    return draw(ledger, count, np.random.default_rng(0))


def test_a_draw_looks_at_no_more_of_a_large_pool_than_it_needs_and_draws_as_a_whole_scan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    oracle = benchmark("mnist1d-201")
    pool, space, looked = oracle.pool(), oracle.space, list[int]()
    order = np.random.default_rng(5).permutation(len(pool))
    whole = one_of_each(pool[order], space)

    def keys(self: object, cells: Cells) -> Keys:  # noqa: ARG001 - of the space
        looked.append(len(cells))
        return counted(cells)

    counted = space.keys
    monkeypatch.setattr(type(space), "keys", keys)
    drawn = draw(QueryLedger(oracle, 50), 50, np.random.default_rng(5))
    assert max(looked) == 200
    assert distinct_cells(oracle, 50) >= 50
    assert max(looked) < len(pool)
    monkeypatch.undo()
    assert space.keys(drawn).tolist() == space.keys(whole[:50]).tolist()
    assert distinct_cells(oracle, len(pool)) == len(whole)
    assert len(draw(QueryLedger(oracle, len(whole)), len(whole), np.random.default_rng(5))) == len(whole)


def test_budget_counts_isomorphic_cells_once(ledger: QueryLedger) -> None:
    space = ledger.oracle.space
    every = space.enumerate()
    keys = space.keys(every)
    pool = ledger.oracle.pool()
    twins = next(every[keys == key] for key in space.keys(pool) if (keys == key).sum() > 1)
    answers = ledger.query(twins)
    assert len(ledger.queries) == 1
    assert len(set(answers.tolist())) == 1


def test_asking_again_costs_nothing_and_answers_alike(ledger: QueryLedger) -> None:
    cells = cells_of(ledger, 3)
    assert (ledger.query(cells) == ledger.query(cells)).all()
    assert ledger.remaining == 0


def test_query_beyond_the_budget_is_refused_before_anything_is_evaluated(ledger: QueryLedger) -> None:
    with pytest.raises(BudgetSpent, match="4 queries asked, 3 of 3 left"):
        ledger.query(cells_of(ledger, 4))
    assert ledger.queries == ()


def test_cell_outside_the_table_is_refused_and_not_counted(ledger: QueryLedger) -> None:
    space = ledger.oracle.space
    every = space.enumerate()
    outside = every[np.flatnonzero(~ledger.oracle.queryable(every))[:1]]
    with pytest.raises(UserError, match="cannot be queried: nasbench201/toy does not hold it"):
        ledger.query(outside)
    assert ledger.remaining == 3


def test_cell_that_breaks_a_rule_of_its_space_is_refused_though_the_benchmark_would_answer_it() -> None:
    ledger = QueryLedger(error("toy"), 3)
    cells = ledger.oracle.pool()[:2]
    cells.operations[1, 1] = 4
    with pytest.raises(UserError, match="the method queried an invalid cell of perceptrons: a label is wrong"):
        ledger.query(cells)
    assert ledger.queries == ()


def test_queries_are_recorded_in_order_with_their_notation(ledger: QueryLedger) -> None:
    cells = cells_of(ledger, 3)
    ledger.query(cells)
    assert [query.number for query in ledger.queries] == [1, 2, 3]
    assert [query.cell for query in ledger.queries] == [ledger.oracle.space.format(cell) for cell in cells]


def test_best_is_chosen_by_search_accuracy_and_judged_by_reported_accuracy(ledger: QueryLedger) -> None:
    ledger.query(cells_of(ledger, 3))
    best = ledger.best()
    assert ledger.answer(best) == max(ledger.answer(query) for query in ledger.queries)
    optimum = optimum_of(ledger.oracle)
    assert optimum is not None
    assert ledger.regret() == pytest.approx(optimum - ledger.reported(best))


@pytest.mark.parametrize("budget", [0, -1])
def test_budget_below_one_is_refused(data: Path, budget: int) -> None:  # noqa: ARG001
    with pytest.raises(UserError, match="at least 1"):
        QueryLedger(benchmark(TOY), budget)
