"""Every method runs on a space and a metric that the package has never seen."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nadlab.benchmarks.oracle import Split
from nadlab.benchmarks.presets import protocol
from nadlab.benchmarks.tabular import TableBenchmark
from nadlab.methods.registry import MULTI_FIDELITY, SEARCHERS
from nadlab.queries.ledger import QueryLedger
from nadlab.searchers.ag_net import AGNet
from nadlab.searchers.arch2vec import Arch2vecBO, Arch2vecRL
from nadlab.searchers.fidelities.semigan_nad import LowFidelitySemiGANNAD
from nadlab.searchers.ga_nas import GANAS
from nadlab.searchers.models.cell_decoder import DecoderPretraining
from nadlab.searchers.models.graph_vae import VAEPretraining
from nadlab.searchers.nao import NAO
from nadlab.searchers.seminas import SemiNAS
from nadlab.semigan.method import SemiGANNAD
from nadlab.semigan.settings import (
    GENERATOR_LIKELIHOOD,
    PAPER,
    PREDICTOR_POOL,
    PREDICTOR_SEMI,
    PREDICTOR_SEQUENTIAL,
    SEQUENTIAL,
)
from nadlab.spaces import space
from tests.spaces.toy import error

DECODER = DecoderPretraining(steps=20, width=16)
VAE = VAEPretraining(epochs=1, width=16)
SMALL: dict[str, Any] = {"epochs": 2, "width": 16, "generated": 100}
ROUNDS = SEQUENTIAL.__class__(labels=8, final_k=16, per_round=8, round_epochs=1, **SMALL)
QUICK: dict[str, Any] = {
    "nao": NAO(epochs=5),
    "seminas": SemiNAS(pretraining_epochs=5, epochs=2, unlabelled=20),
    "arch2vec-rl": Arch2vecRL(pretraining=VAE),
    "arch2vec-bo": Arch2vecBO(pretraining=VAE, epochs=5),
    "ga-nas": GANAS(pretraining=DECODER, initial=12, steps=2),
    "ag-net": AGNet(pretraining=DECODER, epochs=1, initial=12, batch=6),
    "predictor-pool": SemiGANNAD(replace(PREDICTOR_POOL, **SMALL)),
    "predictor-sequential": SemiGANNAD(replace(PREDICTOR_SEQUENTIAL, **SMALL)),
    "predictor-semi": SemiGANNAD(replace(PREDICTOR_SEMI, **SMALL)),
    "generator-likelihood": SemiGANNAD(replace(GENERATOR_LIKELIHOOD, **SMALL)),
    "semigan-nad": SemiGANNAD(SEQUENTIAL.__class__(**SMALL)),
    "semigan-nad-paper": SemiGANNAD(PAPER.__class__(scale="linear", saturating=True, **SMALL)),
    "semigan-nad-sequential": SemiGANNAD(ROUNDS),
    "semigan-nad-fidelities": LowFidelitySemiGANNAD(ROUNDS, low_epochs=2),
}
"""Methods with a training, shortened; the others run as they are."""


@pytest.mark.parametrize("method", list(SEARCHERS))
def test_every_method_minimises_the_error_of_a_space_of_ones_own(method: str) -> None:
    oracle = error("own:error")
    ledger = QueryLedger(oracle, 24)
    QUICK.get(method, SEARCHERS[method])(ledger, np.random.default_rng(0))
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
    QUICK.get(method, SEARCHERS[method])(ledger, np.random.default_rng(0))
    check_spent(method, ledger)
    assert ledger.outcome()["best_reported"] == pytest.approx(max(ledger.accuracies) + 1)


def test_guided_search_ends_with_less_error_than_random_search() -> None:
    def mean_regret(method: str) -> float:
        ledgers = [QueryLedger(error("own:error"), 40) for _ in range(10)]
        for seed, ledger in enumerate(ledgers):
            SEARCHERS[method](ledger, np.random.default_rng(seed))
        return float(np.mean([ledger.regret() for ledger in ledgers]))

    assert mean_regret("local-search") < mean_regret("random-search")
