"""Trials that are trained in one program against the same trials by themselves."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nadlab.benchmarks.registry import benchmark
from nadlab.nets import accelerator
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.method import start
from nadlab.semigan.pack import FREE, Pack, packable, stacked
from nadlab.semigan.settings import Settings
from nadlab.semigan.step import Batch, take_step

SMALL = Settings(labels=20, final_k=5, width=16, epochs=3, unlabelled_per_epoch=100, unlabelled_batch=32)
DIFFERENT: tuple[dict[str, Any], ...] = (
    {},
    {"alpha": 0.1, "alpha_p": 0.9, "temperature": 0.1},
    {"alpha": 0.9, "rank0_share": 0.3},
    {"t": 60.0},
)
"""settings that a pack's trials may differ in"""

pytestmark = pytest.mark.usefixtures("data")


def models(settings: Settings = SMALL, name: str = "nasbench201/toy", count: int = len(DIFFERENT)) -> list[BiArch2Perf]:
    oracle = benchmark(name)
    return [
        start(QueryLedger(oracle, settings.budget), replace(settings, **changes), np.random.default_rng(seed))
        for seed, changes in enumerate(DIFFERENT[:count])
    ]


def weights(model: BiArch2Perf) -> Tensor:
    return torch.cat([value.flatten() for value in model.networks.state_dict().values()])


CPU = torch.device("cpu")
ELSEWHERE = torch.device("meta")
"""computes shapes and devices alone, and like a GPU refuses tensors that lie on the CPU"""


def moved(value: Any, device: torch.device) -> Any:
    """Return a batch whose tensors lie on another device."""
    if isinstance(value, tuple):
        return type(value)(*(moved(part, device) for part in value))
    return value.to(device) if isinstance(value, Tensor) else value


class Noting:
    """Takes the gradients of losses instead of steps."""

    def __init__(self, parameters: dict[str, list[Tensor]]) -> None:
        self.parameters = parameters
        self.gradients: dict[str, tuple[Tensor, ...]] = {}

    def __call__(self, name: str, loss: Tensor) -> None:
        self.gradients[name] = torch.autograd.grad(loss.sum(), self.parameters[name])


def first_batch(model: BiArch2Perf) -> Batch:
    return next(iter(model.batches()))


@pytest.mark.parametrize("accelerated", [True, False], ids=["accelerator", "torch's operators"])
@pytest.mark.parametrize("name", ["nasbench201/toy", "nasbench101"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"saturating": True, "coverage": 0.0, "pseudo_real": 0, "scale": "linear"},
        {"predictor_adversarial": False, "generated_labels": False},
    ],
    ids=["defaults", "as printed", "terms left out"],
)
def test_losses_and_gradients_of_a_step_are_those_of_the_trials_by_themselves(
    name: str, changes: dict[str, Any], accelerated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not accelerated:
        monkeypatch.setattr(accelerator, "fits", lambda *_: False)
    settings = replace(SMALL, **changes)
    singles = models(settings, name)
    pack = Pack(models(settings, name))
    together = Noting({key: each.param_groups[0]["params"] for key, each in pack.optimizers.items()})
    packed_losses = take_step(pack.each, together, stacked([first_batch(each) for each in pack.models], CPU), settings)
    for index, single in enumerate(singles):
        alone = Noting({key: each.param_groups[0]["params"] for key, each in single.optimizers.items()})
        losses = take_step(single.each, alone, first_batch(single), single.settings)
        torch.testing.assert_close(packed_losses[index], losses, rtol=1e-5, atol=1e-6)
        for network, gradients in alone.gradients.items():
            for packed, own in zip(together.gradients[network], gradients, strict=True):
                torch.testing.assert_close(packed[index], own, rtol=1e-4, atol=1e-6)


def test_packed_trials_draw_the_random_numbers_that_they_draw_by_themselves() -> None:
    singles, pack = models(), Pack(models())
    for single in singles:
        single.epoch()
    pack.epoch()
    for single, packed in zip(singles, pack.models, strict=True):
        assert single.random.get_state().equal(packed.random.get_state())
        assert single.steps_taken == packed.steps_taken


def test_every_trial_learns_and_holds_its_own_weights() -> None:
    pack = Pack(models())
    before = [weights(model).clone() for model in pack.models]
    losses = pack.epoch()
    assert len({tuple(asdict(row).values()) for row in losses}) == len(losses)
    for index, model in enumerate(pack.models):
        assert not weights(model).equal(before[index])
        packed = torch.cat([value[index].flatten() for value in pack.weights.values()])
        own = torch.cat([value.flatten() for value in model.networks.parameters()])
        assert own.equal(packed)


def test_trial_that_goes_on_alone_moves_no_other() -> None:
    pack = Pack(models())
    pack.epoch()
    first, second = pack.models[:2]
    others = weights(second).clone()
    steps = [float(state["step"]) for state in second.optimizers["PP"].state.values()]
    first.epoch()
    assert weights(second).equal(others)
    assert [float(state["step"]) for state in second.optimizers["PP"].state.values()] == steps
    assert {float(state["step"]) for state in first.optimizers["PP"].state.values()} == {float(first.steps_taken)}


def test_pack_made_anew_goes_on_as_the_one_before() -> None:
    through, anew = Pack(models()), Pack(models())
    through.epoch(), anew.epoch()
    through.epoch(), Pack(anew.models).epoch()
    for one, other in zip(through.models, anew.models, strict=True):
        assert weights(one).equal(weights(other))


def test_trials_of_other_shapes_or_epochs_are_refused() -> None:
    behind, ahead = models(count=2)
    ahead.epoch()
    with pytest.raises(ValueError, match="differ in"):
        Pack([behind, ahead])
    with pytest.raises(ValueError, match="differ in"):
        Pack([*models(count=1), *models(replace(SMALL, width=8), count=1)])


def test_settings_agree_when_they_differ_in_numbers_of_a_step_alone() -> None:
    assert all(packable(replace(SMALL, **changes)) == packable(SMALL) for changes in DIFFERENT)
    assert packable(replace(SMALL, labels=21)) != packable(SMALL)
    assert set(FREE) <= set(Settings.__dataclass_fields__)


@pytest.mark.parametrize("count", [1, 3])
def test_every_tensor_of_a_step_lies_on_the_device_of_the_networks(count: int) -> None:
    pack = Pack(models(count=count))
    batches = [moved(first_batch(model), ELSEWHERE) for model in pack.models]
    pack.networks.to(ELSEWHERE)
    pack.weights = {name: weight.detach().to(ELSEWHERE).requires_grad_() for name, weight in pack.weights.items()}
    parameters = {
        network: [weight for name, weight in pack.weights.items() if name.startswith(f"{network}.")]
        for network in pack.optimizers
    }
    losses = take_step(pack.each, Noting(parameters), stacked(batches, ELSEWHERE), SMALL)
    assert losses.device == ELSEWHERE
    assert losses.shape == (count, 6)
    single = pack.models[0]
    parameters = {name: list(network.parameters()) for name, network in single.networks.named_children()}
    assert take_step(single.each, Noting(parameters), batches[0], SMALL).device == ELSEWHERE
