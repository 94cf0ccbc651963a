"""Rival searches on real trainings, against what their papers report: NAS-Bench-201, or AnalogNAS-Bench without its table."""

import numpy as np
import pytest

from nadlab.benchmarks.oracle import Oracle, optimum_of
from nadlab.benchmarks.packages.installed import absent
from nadlab.benchmarks.registry import benchmark
from nadlab.benchmarks.table import read_nasbench101, read_nasbench201
from nadlab.methods.registry import Searcher
from nadlab.queries.ledger import QueryLedger
from nadlab.searchers.bananas import BANANAS
from nadlab.searchers.bayesian_optimisation import BayesianOptimisation
from nadlab.searchers.local_search import LocalSearch
from nadlab.searchers.nao import NAO
from nadlab.searchers.random_search import random_search
from nadlab.searchers.regularized_evolution import RegularizedEvolution
from nadlab.searchers.reinforce import Reinforce
from nadlab.searchers.seminas import SemiNAS
from tests.conftest import REAL_DATA, real_data

pytestmark = pytest.mark.slow

SEEDS = 20


@pytest.fixture(scope="module")
def cifar10() -> Oracle:
    if REAL_DATA is None or not (REAL_DATA / "nasbench201.csv").exists():
        if "analog-nasbench" in absent():
            pytest.skip("no nasbench201.csv in $NADLAB_DATA, and no pip install 'nadlab[analog-nasbench]'")
        return benchmark("analog-nasbench/baseline_accuracy")
    return read_nasbench201(REAL_DATA / "nasbench201.csv", "cifar10", "nasbench201/cifar10", "test")


@pytest.fixture(scope="module")
def sample101() -> Oracle:
    return read_nasbench101(real_data("nasbench101_sample.csv"), "nasbench101")


def best_of(searcher: Searcher, oracle: Oracle, budget: int, seeds: int = SEEDS) -> np.ndarray:
    """Return the best reported accuracy of each seed."""
    ledgers = [QueryLedger(oracle, budget) for _ in range(seeds)]
    for seed, ledger in enumerate(ledgers):
        searcher(ledger, np.random.default_rng(seed))
    return np.array([ledger.reported(ledger.best()) for ledger in ledgers])


def test_regularized_evolution_is_as_good_as_published_and_beats_random_search(cifar10: Oracle) -> None:
    # Table 2: 94.27 and 94.12 after 400 queries, of 94.37
    evolved = best_of(RegularizedEvolution(), cifar10, 400)
    assert evolved.mean() > (optimum_of(cifar10) or 100) - 0.10
    assert (evolved - best_of(random_search, cifar10, 400)).mean() > 0.1


def test_local_search_reaches_the_optimum_within_300_queries(cifar10: Oracle) -> None:
    assert best_of(LocalSearch(), cifar10, 300).mean() > (optimum_of(cifar10) or 100) - 0.02


def test_reinforce_is_as_good_as_published_and_far_from_evolution_at_160_queries(cifar10: Oracle) -> None:
    # Table 2: 94.13 after 400 queries, of 94.37
    assert best_of(Reinforce(), cifar10, 400).mean() > (optimum_of(cifar10) or 100) - 0.24
    assert (best_of(RegularizedEvolution(), cifar10, 160) - best_of(Reinforce(), cifar10, 160)).mean() > 0.1


@pytest.mark.parametrize("searcher", [BayesianOptimisation(), BANANAS()], ids=["bayesian-optimisation", "bananas"])
def test_model_based_search_beats_random_search_with_half_the_queries(searcher: Searcher, cifar10: Oracle) -> None:
    assert best_of(searcher, cifar10, 50, seeds=5).mean() > best_of(random_search, cifar10, 100).mean()


@pytest.mark.parametrize("searcher", [NAO(epochs=200), SemiNAS(200, 300, 20)], ids=["nao", "seminas"])
def test_latent_ascent_finds_better_cells_than_it_started_from(searcher: Searcher, cifar10: Oracle) -> None:
    for seed in range(2):
        ledger = QueryLedger(cifar10, 100)
        searcher(ledger, np.random.default_rng(seed))
        accuracies = np.array([ledger.answer(query) for query in ledger.queries])
        assert np.median(accuracies[55:]) > np.median(accuracies[:55]) + 1


def test_neighbourhoods_of_a_sample_still_lead_to_better_cells(sample101: Oracle) -> None:
    accuracies = np.array([answer.valid for answer in sample101.evaluate(sample101.pool())], float)
    rng = np.random.default_rng(0)
    drawn = [rng.choice(accuracies, 110, replace=False).max() for _ in range(500)]
    assert best_of(LocalSearch(), sample101, 110, seeds=5).mean() > np.mean(drawn) + 0.1
