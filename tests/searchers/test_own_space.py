"""Every method runs on a space and a metric that the package has never seen."""

import numpy as np
import pytest
from numpy.typing import NDArray

from nadlab.benchmarks.oracle import Split
from nadlab.benchmarks.presets import protocol
from nadlab.benchmarks.tabular import TableBenchmark
from nadlab.methods.registry import MULTI_FIDELITY, SEARCHERS
from nadlab.queries.ledger import QueryLedger
from nadlab.spaces import space
from tests.searchers.shortened import SHORTENED
from tests.spaces.toy import error


@pytest.mark.parametrize("method", list(SEARCHERS))
def test_every_method_minimises_the_error_of_a_space_of_ones_own(method: str) -> None:
    oracle = error("own:error")
    ledger = QueryLedger(oracle, 24)
    SHORTENED[method](ledger, np.random.default_rng(0))
    errors = [query.valid for query in ledger.queries if query.valid is not None]
    check_spent(method, ledger)
    assert ledger.best().valid == min(errors)
    assert ledger.regret() == pytest.approx(min(errors) - oracle.optimum)
    assert ledger.outcome()["best_reported"] == min(errors)


def check_spent(method: str, ledger: QueryLedger) -> None:
    """The whole budget was spent, by methods of shorter trainings not on full ones alone."""
    assert ledger.remaining == 0
    shorter = isinstance(SEARCHERS[method], MULTI_FIDELITY)
    assert 0 < len(ledger.queries) < 24 if shorter else len(ledger.queries) == 24


def channels() -> TableBenchmark:
    """NATS-Bench's size space, on which accuracy grows with the channels, of the first layers most."""
    size = space("natssize")
    cells = size.enumerate()
    accuracies = (cells.operations[:, 1:-1] * np.array([5.0, 3.0, 2.0, 1.0, 1.0])).sum(axis=1)[:, None] / 2
    runs: dict[Split, NDArray[np.float64]] = {"valid": accuracies, "test": accuracies + 1}
    return TableBenchmark(
        "channels",
        size,
        "x",
        protocol("paper", "channels", ("valid", "test"), size.name),
        size.keys(cells),
        runs,
        lambda: cells,
        epochs=9,
        shorter={3: {split: values // 2 for split, values in runs.items()}},
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", list(SEARCHERS))
def test_every_method_runs_on_a_chain_of_layers(method: str) -> None:
    ledger = QueryLedger(channels(), 24)
    SHORTENED[method](ledger, np.random.default_rng(0))
    check_spent(method, ledger)
    assert ledger.outcome()["best_reported"] == pytest.approx(max(ledger.accuracies) + 1)


def test_guided_search_ends_with_less_error_than_random_search() -> None:
    def mean_regret(method: str) -> float:
        ledgers = [QueryLedger(error("own:error"), 40) for _ in range(10)]
        for seed, ledger in enumerate(ledgers):
            SEARCHERS[method](ledger, np.random.default_rng(seed))
        return float(np.mean([ledger.regret() for ledger in ledgers]))

    assert mean_regret("local-search") < mean_regret("random-search")
