"""Switches of the terms: each changes what its network learns, and only the switched term goes."""

import numpy as np
import pytest
import torch

from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.methods.registry import SEARCHERS
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan import method as semigan_nad
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.method import start
from nadlab.semigan.settings import PAPER, Settings
from nadlab.study.levels import changed
from tests.conftest import TOY

SMALL = Settings(epochs=1, labels=20, final_k=2, width=8, unlabelled_per_epoch=64, unlabelled_batch=64)


def after_one_step(settings: Settings) -> dict[str, torch.Tensor]:
    """Name of the network -> its parameters after the only step of an epoch."""
    model = start(QueryLedger(benchmark(TOY), settings.budget), settings, np.random.default_rng(0))
    model.steps_taken = 1  # past the first step, whose learning rate is 0
    model.steps_per_epoch = 4
    model.epoch()
    return {
        name: torch.cat([value.flatten() for value in network.parameters()])
        for name, network in model.networks.named_children()
    }


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    ("term", "network"),
    [("generator_adversarial", "AG"), ("predictor_adversarial", "PP"), ("generated_labels", "PP")],
)
def test_switch_changes_its_own_network_alone(term: str, network: str) -> None:
    on, off = after_one_step(SMALL), after_one_step(changed(SMALL, {term: False}))
    assert {name for name in on if not torch.equal(on[name], off[name])} == {network}


def test_generator_without_any_loss_is_refused() -> None:
    with pytest.raises(UserError, match="nothing to train AG on"):
        Settings(generator_adversarial=False, coverage=0)


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(("name", "t"), [("nasbench101", 93.0), (TOY, None)])
def test_paper_setting_has_the_papers_t_where_the_paper_gives_one(
    name: str, t: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[Settings] = []

    def note(_ledger: QueryLedger, settings: Settings, _rng: np.random.Generator) -> BiArch2Perf:
        used.append(settings)
        raise InterruptedError

    monkeypatch.setattr(semigan_nad, "start", note)
    with pytest.raises(InterruptedError):
        SEARCHERS["semigan-nad-paper"](QueryLedger(benchmark(name), 20), np.random.default_rng(0))
    assert [settings.t for settings in used] == [t]
    assert used[0].rank0_share == PAPER.rank0_share == 0.1549
