"""The one contract of every search method."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nadlab.benchmarks.oracle import Evaluation
from nadlab.benchmarks.registry import benchmark
from nadlab.engine.searches.run import searches
from nadlab.errors import UserError
from nadlab.methods.registry import MULTI_FIDELITY, SEARCHERS, run_search
from nadlab.queries.budget import Budget
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.opening import answered
from nadlab.semigan.method import SemiGANNAD
from nadlab.spaces import Cells
from tests.conftest import TOY
from tests.oracles import counting
from tests.searchers.shortened import SHORTENED

BUDGET = 24


OWN_BUDGETS_LEAST = {name: 3 for name, method in SEARCHERS.items() if isinstance(method, SemiGANNAD)}
OWN_BUDGETS_LEAST["semigan-nad-fidelities"] = 4
SHORTER = [name for name, method in SEARCHERS.items() if isinstance(method, MULTI_FIDELITY)]


@pytest.fixture(params=sorted(SEARCHERS))
def name(request: pytest.FixtureRequest, data: Path) -> str:  # noqa: ARG001 - it makes the tables
    return str(request.param)


def ledger_of(name: str, seed: int, budget: int | Budget = BUDGET, table: str = TOY) -> QueryLedger:
    ledger = QueryLedger(counting("darts", 300) if table == "darts" else benchmark(table), budget)
    run_search(SHORTENED[name], ledger, np.random.default_rng(seed))
    return ledger


def test_contract_covers_every_method() -> None:
    assert SHORTENED.keys() == SEARCHERS.keys()


@pytest.mark.parametrize("table", [TOY, "nasbench101", "darts"])
def test_method_spends_its_budget_to_the_last_query_on_distinct_cells_of_every_space_or_a_part_of_it(
    name: str, table: str
) -> None:
    ledger = ledger_of(name, 0, table=table)
    space = ledger.oracle.space
    keys = {int(space.keys(space.parse(query.cell))[0]) for query in ledger.queries}
    assert len(keys) == len(ledger.queries)
    assert ledger.remaining == 0
    if name in SHORTER:
        # what full trainings leave went to shorter ones, whose epochs count
        assert 0 < len(keys) < BUDGET < len(ledger.account.trainings)
    else:
        assert len(keys) == BUDGET


@pytest.mark.parametrize("name", ["random-search", "regularized-evolution", "semigan-nad-sequential", *SHORTER])
@pytest.mark.parametrize("budget", ["9h", "900epochs"])
def test_method_keeps_to_a_budget_in_seconds_or_epochs(name: str, budget: str) -> None:
    ledger = ledger_of(name, 0, Budget.of(budget), "nasbench101")
    assert ledger.queries
    if budget == "9h":
        assert (ledger.account.seconds or 0) <= 9 * 3600
    else:
        assert 900 - 108 < (ledger.account.epochs or 0) <= 900


@pytest.mark.slow
def test_seconds_that_outlast_the_pool_end_with_its_last_cell(name: str) -> None:
    counted = counting("nasbench201", 40, whole=False)

    def cheap(cells: Cells, fidelity: int | None = None) -> list[Evaluation]:
        return [replace(each, seconds=0.1) for each in counted.evaluate(cells, fidelity)]

    ledger = QueryLedger(answered(counted, cheap), Budget.of("500s"))
    run_search(SHORTENED[name], ledger, np.random.default_rng(0))
    assert ledger.remaining == 0
    assert len(ledger.queries) == len(np.unique(counted.space.keys(counted.pool())))


@pytest.mark.parametrize("name", SHORTER)
def test_method_of_shorter_trainings_refuses_a_benchmark_with_full_ones_alone(name: str) -> None:
    said = r"^[\w: -]*mnist1d-201 has only full trainings, [^\n]+ such as nasbench101$"
    with pytest.raises(UserError, match=said):
        next(searches(["random-search", name], "mnist1d-201", 24, [0], 1))
    with pytest.raises(UserError, match=said):
        ledger_of(name, 0, table="mnist1d-201")


@pytest.fixture(scope="module")
def elsewhere(data: Path) -> dict[str, list[dict[str, Any]]]:  # noqa: ARG001 - it makes the tables
    """Method -> its ledger with seed 3, from another process."""
    code = (
        "import json; from dataclasses import asdict; from tests.searchers.shortened import SHORTENED; from tests.searchers.test_searchers import ledger_of;"
        "print(json.dumps({name: [asdict(query) for query in ledger_of(name, 3).queries] for name in SHORTENED}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ledgers: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return ledgers


def test_same_seed_gives_the_same_ledger_in_another_process(
    name: str, elsewhere: dict[str, list[dict[str, Any]]]
) -> None:
    assert elsewhere[name] == [asdict(query) for query in ledger_of(name, 3).queries]


def test_other_seed_gives_another_ledger(name: str, elsewhere: dict[str, list[dict[str, Any]]]) -> None:
    assert elsewhere[name] != [asdict(query) for query in ledger_of(name, 1).queries]


def test_pool_that_is_smaller_than_the_budget_is_refused_before_anything_is_spent(name: str) -> None:
    ledger = QueryLedger(benchmark(TOY), 301)
    with pytest.raises(UserError, match=r"request fewer"):
        SHORTENED[name](ledger, np.random.default_rng(0))
    assert not ledger.queries


def test_smallest_budget_is_spent_or_refused_in_a_sentence(name: str) -> None:
    least = OWN_BUDGETS_LEAST.get(name, 1)
    ledger = ledger_of(name, 0, budget=least)
    assert ledger.remaining == 0
    assert len(ledger.queries) == least or name == "semigan-nad-fidelities"
    if least > 1:
        with pytest.raises(UserError, match=f"needs a budget of at least {least}"):
            ledger_of(name, 0, budget=1)
