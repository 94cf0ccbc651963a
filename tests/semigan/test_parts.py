"""Parts of SemiGAN-NAD: what is off is neither trained nor computed, and candidates come from where the settings say."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.method import SemiGANNAD, finish, start
from nadlab.semigan.nacg import design, pool_cells
from nadlab.semigan.networks.ensemble import bound
from nadlab.semigan.pack import Pack
from nadlab.semigan.settings import (
    GENERATOR_LIKELIHOOD,
    PREDICTOR_POOL,
    PREDICTOR_SEMI,
    PREDICTOR_SEQUENTIAL,
    SEQUENTIAL,
    Settings,
)
from tests.conftest import TOY

SMALL: dict[str, Any] = {
    "labels": 20,
    "final_k": 4,
    "epochs": 2,
    "width": 16,
    "unlabelled_per_epoch": 64,
    "unlabelled_batch": 32,
}
PARTS = {"pool": PREDICTOR_POOL, "semi": PREDICTOR_SEMI, "likelihood": GENERATOR_LIKELIHOOD, "full": Settings()}

pytestmark = pytest.mark.usefixtures("data")


def started(settings: Settings, table: str = TOY) -> tuple[BiArch2Perf, QueryLedger]:
    settings = replace(settings, **SMALL)
    ledger = QueryLedger(benchmark(table), settings.budget)
    return start(ledger, settings, np.random.default_rng(0)), ledger


def weights(model: BiArch2Perf) -> dict[str, Tensor]:
    return {
        name: torch.cat([value.detach().flatten() for value in network.parameters()])
        for name, network in model.networks.named_children()
    }


@pytest.mark.parametrize(
    ("part", "trained"),
    [("pool", {"PP"}), ("semi", {"PP", "D"}), ("likelihood", {"PP", "AG"}), ("full", {"PP", "D", "AG"})],
)
def test_networks_of_a_part_alone_are_trained(part: str, trained: set[str]) -> None:
    model, _ = started(PARTS[part])
    before = weights(model)
    losses = asdict(model.epoch())
    assert {name for name, own in weights(model).items() if not own.equal(before[name])} == trained
    assert (losses["discriminator"] == 0) == ("D" not in trained)
    assert (losses["coverage"] == 0) == ("AG" not in trained)


def test_supervised_predictors_are_the_same_with_a_generator_and_without() -> None:
    models = [started(replace(PARTS[part], generator_depth=1))[0] for part in ("pool", "likelihood")]
    for model in models:
        model.epoch()
    first, second = (weights(model)["PP"] for model in models)
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize("part", list(PARTS))
def test_packed_parts_learn_what_they_learn_alone(part: str) -> None:
    settings = replace(PARTS[part], ensemble=2)
    alone, packed = started(settings)[0], [started(settings)[0] for _ in range(2)]
    expected = asdict(alone.epoch())
    for found in Pack(packed).epoch():
        assert asdict(found) == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_whole_pool_is_ranked_and_its_best_are_queried() -> None:
    model, ledger = started(PREDICTOR_POOL)
    scores = model.predict(ledger.oracle.space.canonical(ledger.oracle.pool()))
    unknown = ~ledger.known(ledger.oracle.pool())
    found = finish(model, ledger)
    assert (found.generated, found.share_valid, found.pool_fallback) == (0, None, 0)
    chosen = ledger.oracle.space.canonical(ledger.cells[SMALL["labels"] :])
    assert model.predict(chosen).min() >= np.sort(np.unique(scores[unknown]))[-SMALL["final_k"]]


def test_both_sources_are_ranked_together() -> None:
    best = []
    for source in ("generator", "pool", "both"):
        model, ledger = started(replace(Settings(), candidates_from=source, generated=50, generation_rounds=1))
        design(model, ledger, 4, 50)
        best.append(model.predict(ledger.oracle.space.canonical(ledger.cells[SMALL["labels"] :])))
    assert best[2] == pytest.approx(best[1])
    assert best[0].mean() <= best[2].mean()


def test_random_cells_stand_for_a_pool_that_cannot_be_listed() -> None:
    model, ledger = started(PREDICTOR_POOL, "mnist1d-darts")
    assert len(ledger.oracle.pool()) < ledger.oracle.queryable_count
    first, second = (pool_cells(model, ledger, 30) for _ in range(2))
    assert len(first) == len(second) == 30
    assert (ledger.oracle.space.keys(first) != ledger.oracle.space.keys(second)).any()
    model, ledger = started(PREDICTOR_POOL, "nasbench101")  # a table of a part of its space
    assert pool_cells(model, ledger, 30) is ledger.oracle.pool()


def test_random_cells_are_a_part_of_a_pool_that_can_be_listed() -> None:
    model, ledger = started(replace(PREDICTOR_POOL, candidates_from="random"))
    space = ledger.oracle.space
    first, second = (pool_cells(model, ledger, 30) for _ in range(2))
    assert len(np.unique(space.identities(first))) == len(np.unique(space.identities(second))) == 30
    assert set(space.identities(first)) != set(space.identities(second))
    assert len(pool_cells(model, ledger, 10**9)) == len(ledger.oracle.pool())


def test_a_round_without_a_better_cell_is_followed_by_one_around_the_best() -> None:
    ledger = QueryLedger(benchmark(TOY), 60)
    SemiGANNAD(replace(PREDICTOR_SEQUENTIAL, epochs=1, round_epochs=1, width=16))(ledger, np.random.default_rng(0))
    origins = [query.origin for query in ledger.queries]
    assert origins[:10] == ["initial"] * 10
    better = np.maximum.accumulate(ledger.accuracies)
    rounds = range(15, 60, 5)
    around = [number for number in rounds if better[number - 1] == better[number - 6]]
    assert origins[around[0] : around[0] + 5] == ["neighbour"] * 5
    for number in set(rounds) - {*around}:
        assert origins[number : number + 5] == ["pool"] * 5
    # the rest of a round, where few neighbours are left unqueried
    assert all(sorted(each) == each for each in (origins[number : number + 5] for number in around))


@pytest.mark.parametrize(
    ("settings", "budget", "labels"),
    [(PREDICTOR_SEQUENTIAL, 20, 5), (PREDICTOR_SEQUENTIAL, 40, 10), (PREDICTOR_SEQUENTIAL, 500, 10),
     (SEQUENTIAL, 110, 27), (SEQUENTIAL, 160, 40), (replace(SEQUENTIAL, labels=80, final_k=80), 100, 50),
     (SEQUENTIAL, 3, 2), (Settings(final_share=0.75), 4, 2), (Settings(final_share=0.9), 10, 2)],
)  # fmt: skip
def test_first_labels_of_rounds_take_no_more_than_their_share_of_a_small_budget(
    settings: Settings, budget: int, labels: int
) -> None:
    found = settings.within(budget)
    assert (found.labels, found.budget) == (labels, budget)


def test_ensemble_is_its_members_mean_and_their_deviation() -> None:
    scores = torch.tensor([[1.0, 2.0], [3.0, 2.0]])
    torch.testing.assert_close(bound(scores, 0.0), torch.tensor([2.0, 2.0]))
    torch.testing.assert_close(bound(scores, -1.0), torch.tensor([2.0 - 2**0.5, 2.0]))
    torch.testing.assert_close(bound(scores[0], 1.0), scores[0])
    model, ledger = started(replace(PREDICTOR_POOL, ensemble=3))
    own = model.networks.PP(model.labelled)
    assert own.shape == (3, SMALL["labels"])
    assert not own[0].equal(own[1])
    expected = own.mean(dim=0).double().detach().numpy()
    canonical = ledger.oracle.space.canonical(ledger.cells)
    assert model.predict(canonical) == pytest.approx(expected, abs=1e-5)


def test_candidates_of_a_generator_that_is_not_trained_are_refused() -> None:
    with pytest.raises(UserError, match="set candidates_from to pool or random"):
        Settings(generator=False)
    with pytest.raises(UserError, match="candidates_from must be one of generator, pool, both, random"):
        Settings(candidates_from="anywhere")


def test_rounds_choose_from_the_pool_too() -> None:
    ledger = QueryLedger(benchmark(TOY), 24)
    SemiGANNAD(replace(PREDICTOR_POOL, **SMALL, per_round=2, round_epochs=1))(ledger, np.random.default_rng(0))
    assert len(ledger.queries) == 24
