"""Where a rank is lost: the measurements on networks whose answers are known."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nadlab.benchmarks.registry import benchmark
from nadlab.nets.graphs import GINInput
from nadlab.nets.nade import gumbel
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.pools import one_of_each
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.diagnostics import fidelity, judgements, search_accuracies
from nadlab.semigan.method import start
from nadlab.semigan.networks.condition import right_rank_share, signal
from nadlab.semigan.settings import Settings
from nadlab.spaces.cells import concatenate

SMALL = Settings(labels=30, final_k=5, width=16, epochs=3, unlabelled_per_epoch=64, unlabelled_batch=32, t=60.0)

pytestmark = pytest.mark.usefixtures("data")


def small() -> tuple[BiArch2Perf, QueryLedger]:
    ledger = QueryLedger(benchmark("nasbench201/toy"), SMALL.budget)
    return start(ledger, SMALL, np.random.default_rng(0)), ledger


class Linear(nn.Module):
    """A discriminator whose logit is linear in a cell's operations, weighted by the rank's number."""

    def __init__(self, of_rank: float) -> None:
        super().__init__()
        self.of_rank = of_rank

    def forward(self, cells: GINInput, ranks: Tensor) -> Tensor:
        number = 1 + self.of_rank * (ranks @ torch.arange(5.0))
        return (cells.features @ torch.arange(cells.features.shape[2]).float()).sum(dim=1) * number


def test_rank_that_a_discriminator_likes_for_every_cell_is_not_taken_for_the_right_one() -> None:
    ranks = torch.tensor([0, 1, 2, 3, 4] * 4)
    blind = (torch.arange(20.0) - 9.5)[:, None] + torch.tensor([9.0, 0.0, 0.0, 0.0, 0.0])
    assert right_rank_share(blind, ranks).tolist() == [0.5] * 5
    knowing = nn.functional.one_hot(ranks, 5).float() + torch.tensor([9.0, 0.0, 0.0, 0.0, 0.0])
    assert right_rank_share(knowing, ranks).tolist() == [1.0] * 5
    assert bool(right_rank_share(knowing[ranks != 2], ranks[ranks != 2])[2].isnan())


@pytest.mark.parametrize("of_rank", [0.0, 0.5])
def test_gradient_of_a_linear_discriminator_says_what_replacing_a_choice_does(of_rank: float) -> None:
    model, _ = small()
    noise = gumbel((40, *model.decisions.allowed.shape), model.random)
    D: Any = Linear(of_rank)
    found = signal(model.networks.AG, D, model.latents(40), noise)
    assert found.agrees == pytest.approx(1, abs=1e-4)
    # the last rank's gradient is 1 + 4 of_rank times that of rank 0
    assert found.depends_on_rank == pytest.approx(4 * of_rank, abs=1e-4)
    assert 0 < found.survives < 1


def test_fidelity_counts_new_classes_once_and_the_printed_share_counts_all() -> None:
    model, ledger = small()
    oracle, space = ledger.oracle, ledger.oracle.space
    known = concatenate([space.parse(query.cell) for query in ledger.queries[:3]])
    new = one_of_each(oracle.pool(), space)
    new = new[~ledger.known(new)][:4]
    found = fidelity(model, ledger, concatenate([known, new, new, new]), 20)
    assert (found.valid, found.classes, found.labelled, found.held) == (15, 7, 3, 4)
    assert found.above == (search_accuracies(oracle, new) > 60).mean()
    every = np.concatenate([search_accuracies(oracle, known), *[search_accuracies(oracle, new)] * 3])
    assert found.above_as_printed == pytest.approx((every > 60).mean())
    assert found.base == (search_accuracies(oracle, oracle.pool()) > 60).mean()
    nothing = fidelity(model, ledger, new[:0], 20)
    assert (nothing.valid, nothing.classes, nothing.held) == (0, 0, 0)
    assert np.isnan(nothing.ratio)


def test_judgements_are_shares_of_every_kind_of_pair() -> None:
    model, ledger = small()
    model.epoch()
    found = judgements(model, ledger, 20, 0)
    kinds = ("labelled", "unseen", "generated")
    assert {f"D real: {kind}" for kind in kinds} | {f"D real: {kind}, wrong rank" for kind in kinds} <= set(found)
    assert all(np.isnan(value) or 0 <= value <= 1 for value in found.values())
