"""Each reading of a gap of the paper: the trial that it makes, alone and in a pack, and arch2vec's layer written out."""

from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.nets import accelerator
from nadlab.nets.gin import GIN, NormalisedLayer
from nadlab.nets.graphs import GINInput
from nadlab.nets.independent import Independent
from nadlab.nets.nade import gumbel
from nadlab.parameters.hyperparameters import hyperparameters
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.losses import mismatch_loss
from nadlab.semigan.method import start
from nadlab.semigan.networks.readings import Readings
from nadlab.semigan.pack import Pack
from nadlab.semigan.settings import Settings
from nadlab.study.levels import changed

SMALL = Settings(labels=20, final_k=5, width=16, epochs=3, unlabelled_per_epoch=100, unlabelled_batch=32, alpha=0.4)
OTHERS: tuple[dict[str, Any], ...] = (
    {"generator_output": "independent"},
    {"generator_choice": "likeliest"},
    {"generator_choice": "relaxed"},
    {"latents": "graph"},
    {"gin": "arch2vec"},
    {"discriminator_steps": 3},
    {"discriminator_rate": 0.3},
    {"annealed": False},
    {"mismatched": 1.0},
)
"""a level of each reading that is not its default"""

pytestmark = pytest.mark.usefixtures("data")


def model(seed: int = 0, **changes: Any) -> BiArch2Perf:
    settings = changed(SMALL, changes)
    return start(QueryLedger(benchmark("nasbench201/toy"), settings.budget), settings, np.random.default_rng(seed))


def weights(model: BiArch2Perf) -> Tensor:
    return torch.cat([value.flatten().float() for value in model.networks.state_dict().values()])


def test_every_reading_is_a_setting_with_a_meaning() -> None:
    assert {name for each in OTHERS for name in each} == set(Readings.__dataclass_fields__)
    assert set(Readings.__dataclass_fields__) <= set(Settings.__dataclass_fields__)
    assert all(hyperparameters(Settings())[name].meaning for name in Readings.__dataclass_fields__)


@pytest.mark.parametrize("changes", OTHERS, ids=str)
def test_reading_trains_another_model_than_the_default(changes: dict[str, Any]) -> None:
    other, default = model(**changes), model()
    for each in (other, default):
        losses = [each.epoch() for _ in range(2)]
        assert all(np.isfinite(list(asdict(row).values())).all() for row in losses)
    assert weights(other).shape != weights(default).shape or not weights(other).equal(weights(default))


@pytest.mark.parametrize("changes", [each for each in OTHERS if "gin" not in each], ids=str)
def test_packed_trials_of_a_reading_end_as_they_do_by_themselves(changes: dict[str, Any]) -> None:
    singles, pack = [model(seed, **changes) for seed in (0, 1)], Pack([model(seed, **changes) for seed in (0, 1)])
    losses = [asdict(single.epoch()) for single in singles]
    for own, packed in zip(losses, pack.epoch(), strict=True):
        assert asdict(packed) == pytest.approx(own, rel=1e-3, abs=1e-4)


def test_packs_of_batch_normalised_trials_are_refused() -> None:
    with pytest.raises(UserError, match="leave out --pack"):
        Pack([model(gin="arch2vec")])


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"gin": "gcn"}, "gin must be one of"), ({"discriminator_steps": 0}, "at least 1"),
     ({"discriminator_rate": 0.0}, "positive"), ({"mismatched": -1.0}, "at least 0")],
)  # fmt: skip
def test_values_that_no_reading_has_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        replace(SMALL, **changes)


def test_normalised_layer_is_arch2vecs_written_out() -> None:
    torch.manual_seed(0)
    layer, adjacency = NormalisedLayer(6, 8), torch.ones(4, 5, 5).triu(1)
    layer.epsilon.data.fill_(0.2)
    rows = torch.randn(4, 5, 6)
    both_ways = adjacency + adjacency.mT
    middle = ((1 + 0.2) * rows + both_ways @ rows).flatten(0, 1)
    for linear in (layer.inner, layer.outer):
        middle = middle @ linear.weight.T + linear.bias
        middle = ((middle - middle.mean(0)) / (middle.var(0, unbiased=False) + 1e-5).sqrt()).relu()
    torch.testing.assert_close(layer(rows, both_ways + torch.eye(5)), middle.unflatten(0, (4, 5)))


def test_accelerator_itself_refuses_batch_normalised_layers() -> None:
    cells = GINInput(torch.eye(5).expand(4, -1, -1), torch.randn(4, 5, 16))
    normalised = GIN(16, 16, 2, normalised=True)
    assert not accelerator.fits(cells, normalised.weights())
    assert not accelerator.accelerates(16, normalised=True)
    assert accelerator.fits(cells, GIN(16, 16, 2).weights()) == accelerator.accelerates(16)


def test_predictions_of_a_trained_batch_normalised_model_do_not_depend_on_their_batch() -> None:
    trained = model(gin="arch2vec")
    trained.epoch()
    cells = benchmark("nasbench201/toy").space.canonical(benchmark("nasbench101").pool()[:10])
    np.testing.assert_allclose(trained.predict(cells)[:3], trained.predict(cells[:3]), rtol=1e-5)


def test_independent_decisions_are_drawn_with_the_probability_that_their_likelihood_says() -> None:
    torch.manual_seed(0)
    allowed = torch.tensor([[True, True, True], [True, True, False]])
    decisions, state = Independent(allowed, 4), torch.randn(1, 4)
    drawn = decisions.sample(state.expand(20_000, -1), gumbel((20_000, 2, 3), torch.Generator().manual_seed(0)))
    assert not drawn[:, 1, 2].any()
    chosen = torch.zeros(1, 2, 3)
    chosen[0, 0, 1] = chosen[0, 1, 0] = 1
    expected = decisions.log_likelihood(state, chosen).exp().item()
    assert (drawn.detach() * chosen).sum(dim=(1, 2)).eq(2).float().mean().item() == pytest.approx(expected, abs=0.02)


def test_relaxed_cells_are_probabilities_in_training_and_discrete_when_generated() -> None:
    relaxed = model(generator_choice="relaxed")
    ranks = relaxed.ranks[:8]
    AG, latents, noise = (
        relaxed.networks.AG,
        relaxed.latents(8),
        gumbel((8, *relaxed.decisions.allowed.shape), torch.Generator()),
    )
    shown = AG.training_cells(AG.features(latents, ranks), noise).X
    assert bool(((shown > 0.01) & (shown < 0.99)).any())
    assert set(AG(latents, noise, ranks).X.unique().tolist()) <= {0.0, 1.0}


def test_mismatched_pairs_of_equal_ranks_count_for_nothing() -> None:
    logits = torch.tensor([2.0, -1.0, 5.0])
    assert mismatch_loss(logits, torch.tensor([1.0, 1.0, 0.0])).item() == pytest.approx(
        (np.log1p(np.exp(2.0)) + np.log1p(np.exp(-1.0))) / 2, rel=1e-5
    )
    assert mismatch_loss(logits, torch.zeros(3)).item() == 0


def test_constant_learning_rate_and_share_of_the_discriminator() -> None:
    constant = model(annealed=False)
    rates = [constant.learning_rate for _ in constant.batches()]
    assert all(one == other == SMALL.learning_rate for one, other in pairwise(rates))
