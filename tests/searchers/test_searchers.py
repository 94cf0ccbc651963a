"""The one contract of every search method."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nadlab.benchmarks.registry import benchmark
from nadlab.engine.searches.run import searches
from nadlab.errors import UserError
from nadlab.methods.registry import MULTI_FIDELITY, SEARCHERS, Searcher, run_search
from nadlab.queries.budget import Budget
from nadlab.queries.ledger import QueryLedger
from nadlab.searchers.ag_net import AGNet
from nadlab.searchers.arch2vec import Arch2vecBO, Arch2vecRL
from nadlab.searchers.bananas import BANANAS
from nadlab.searchers.baselines.random_forest import RandomForest
from nadlab.searchers.bayesian_optimisation import BayesianOptimisation
from nadlab.searchers.fidelities.hyperband import Hyperband
from nadlab.searchers.fidelities.semigan_nad import LowFidelitySemiGANNAD
from nadlab.searchers.ga_nas import GANAS
from nadlab.searchers.local_search import LocalSearch
from nadlab.searchers.models import cell_decoder, graph_vae
from nadlab.searchers.models.ensemble import Perceptrons
from nadlab.searchers.nao import NAO
from nadlab.searchers.objectives.nsga2 import NSGA2
from nadlab.searchers.pre_nas import PRENAS
from nadlab.searchers.random_search import random_search
from nadlab.searchers.regularized_evolution import RegularizedEvolution
from nadlab.searchers.reinforce import Reinforce
from nadlab.searchers.seminas import SemiNAS
from nadlab.semigan.method import SemiGANNAD
from nadlab.semigan.settings import (
    GENERATOR_LIKELIHOOD,
    PAPER,
    PREDICTOR_POOL,
    PREDICTOR_SEMI,
    PREDICTOR_SEQUENTIAL,
    SEQUENTIAL,
    Settings,
)
from tests.conftest import TOY
from tests.oracles import counting

BUDGET = 24


def quick(settings: Settings) -> Settings:
    """Return settings with a short training."""
    return replace(settings, epochs=2, width=16, unlabelled_per_epoch=512, generated=300, candidates=20)


QUICK_ROUNDS = replace(SEQUENTIAL, epochs=2, round_epochs=1, width=16, unlabelled_per_epoch=512, candidates=20)
VECTORS = graph_vae.VAEPretraining(cells=400, epochs=2, width=16)
WRITER = cell_decoder.DecoderPretraining(steps=60, batch=64, width=32)
QUICK_SEARCHERS: dict[str, Callable[[], Searcher]] = {
    "random-search": lambda: random_search,
    "regularized-evolution": RegularizedEvolution,
    "local-search": LocalSearch,
    "reinforce": Reinforce,
    "random-forest": lambda: RandomForest(initial=10, candidates=200, trees=10),
    "bayesian-optimisation": lambda: BayesianOptimisation(candidates=50),
    "bananas": lambda: BANANAS(candidates=10, perceptrons=Perceptrons(epochs=2)),
    "nao": lambda: NAO(epochs=2),
    "seminas": lambda: SemiNAS(pretraining_epochs=2, unlabelled=50, epochs=1),
    "arch2vec-rl": lambda: Arch2vecRL(pretraining=VECTORS),
    "arch2vec-bo": lambda: Arch2vecBO(pretraining=VECTORS, epochs=5),
    "ga-nas": lambda: GANAS(pretraining=WRITER, initial=10, steps=3),
    "ag-net": lambda: AGNet(pretraining=WRITER, epochs=2),
    "pre-nas": lambda: PRENAS(initial=10, trees=10),
    "nsga-ii": lambda: NSGA2(population=8),
    "successive-halving": lambda: Hyperband(brackets=1),
    "hyperband": Hyperband,
    "predictor-pool": lambda: SemiGANNAD(quick(PREDICTOR_POOL)),
    "predictor-sequential": lambda: SemiGANNAD(quick(PREDICTOR_SEQUENTIAL)),
    "predictor-semi": lambda: SemiGANNAD(quick(PREDICTOR_SEMI)),
    "generator-likelihood": lambda: SemiGANNAD(quick(GENERATOR_LIKELIHOOD)),
    "semigan-nad": lambda: SemiGANNAD(quick(Settings())),
    "semigan-nad-paper": lambda: SemiGANNAD(replace(PAPER, epochs=1, width=16, unlabelled_batch=8192, generated=300)),
    "semigan-nad-sequential": lambda: SemiGANNAD(QUICK_ROUNDS),
    "semigan-nad-fidelities": lambda: LowFidelitySemiGANNAD(QUICK_ROUNDS, low_epochs=2),
}
OWN_BUDGETS_LEAST = {name: 3 for name, method in SEARCHERS.items() if isinstance(method, SemiGANNAD)}
OWN_BUDGETS_LEAST["semigan-nad-fidelities"] = 4
SHORTER = [name for name, method in SEARCHERS.items() if isinstance(method, MULTI_FIDELITY)]


@pytest.fixture(params=sorted(SEARCHERS))
def name(request: pytest.FixtureRequest, data: Path) -> str:  # noqa: ARG001 - it makes the tables
    return str(request.param)


def ledger_of(name: str, seed: int, budget: int | Budget = BUDGET, table: str = TOY) -> QueryLedger:
    ledger = QueryLedger(counting("darts", 300) if table == "darts" else benchmark(table), budget)
    run_search(QUICK_SEARCHERS[name](), ledger, np.random.default_rng(seed))
    return ledger


def test_contract_covers_every_method() -> None:
    assert QUICK_SEARCHERS.keys() == SEARCHERS.keys()


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


@pytest.mark.parametrize("name", SHORTER)
def test_method_of_shorter_trainings_refuses_a_benchmark_with_full_ones_alone(name: str) -> None:
    said = r"^[\w: -]*mnist1d-201 answers by full trainings alone, [^\n]+ such as nasbench101$"
    with pytest.raises(UserError, match=said):
        next(searches(["random-search", name], "mnist1d-201", 24, [0], 1))
    with pytest.raises(UserError, match=said):
        ledger_of(name, 0, table="mnist1d-201")


@pytest.fixture(scope="module")
def elsewhere(data: Path) -> dict[str, list[dict[str, Any]]]:  # noqa: ARG001 - it makes the tables
    """Method -> its ledger with seed 3, from another process."""
    code = (
        "import json; from dataclasses import asdict; from tests.searchers.test_searchers import QUICK_SEARCHERS, ledger_of;"
        "print(json.dumps({name: [asdict(query) for query in ledger_of(name, 3).queries] for name in QUICK_SEARCHERS}))"
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
        QUICK_SEARCHERS[name]()(ledger, np.random.default_rng(0))
    assert not ledger.queries


def test_smallest_budget_is_spent_or_refused_in_a_sentence(name: str) -> None:
    least = OWN_BUDGETS_LEAST.get(name, 1)
    ledger = ledger_of(name, 0, budget=least)
    assert ledger.remaining == 0
    assert len(ledger.queries) == least or name == "semigan-nad-fidelities"
    if least > 1:
        with pytest.raises(UserError, match=f"needs a budget of at least {least}"):
            ledger_of(name, 0, budget=1)
