"""Several trials of Bi-Arch2Perf in one program: their weights stacked, every step taken by all of them at once.

Each trial draws its own random numbers from its own generator, as it would alone, and Adam works number by number; so
trials that are packed end as they would by themselves, but for the rounding of sums. Between epochs the trials' own
networks and optimizers hold the stacked numbers (as views), and can be asked, saved or trained alone.
"""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from nadlab.errors import UserError
from nadlab.semigan.biarch2perf import BiArch2Perf, adam, descend, share_of_rate
from nadlab.semigan.losses import EpochLosses, mean_losses
from nadlab.semigan.settings import Settings
from nadlab.semigan.step import take_step

FREE = ("alpha", "alpha_p", "temperature", "t", "rank0_share")
"""settings in which trials of a pack may differ: they enter a step as numbers and change no shape"""


def packable(settings: Settings) -> tuple[Hashable, ...]:
    """Return the settings that trials of a pack must agree on; raise UserError where none can be packed."""
    if settings.gin == "arch2vec":
        raise UserError("trials with gin = arch2vec keep statistics of their own batches: leave out --pack")
    return tuple(getattr(settings, name) for name in Settings.__dataclass_fields__ if name not in FREE)


def alike(model: BiArch2Perf) -> tuple[Hashable, ...]:
    """Return what running trials of a pack must agree on: these settings, the epoch and the number of unlabelled cells."""
    return packable(model.settings), model.steps_taken, len(model.unlabelled)


class Pack:
    """Trials that are `alike`.

    Raises ValueError for others.
    """

    def __init__(self, models: Sequence[BiArch2Perf]) -> None:
        if len({alike(model) for model in models}) > 1:
            raise ValueError("these trials differ in a shape, in their epoch or in the number of unlabelled cells")
        self.models = models
        # the structure alone: its own numbers are never read
        self.networks = models[0].networks
        self.weights: dict[str, Tensor] = {}
        self.optimizers = {name: self._stacked(name) for name, _ in self.networks.named_children()}

    def epoch(self) -> list[EpochLosses]:
        """Train every trial for an epoch, and return the losses of each."""
        steps = zip(*(model.batches() for model in self.models), strict=True)
        settings, device = self.models[0].settings, self.models[0].device
        rows = [take_step(self.each, self.update, stacked(batches, device), settings) for batches in steps]
        self._count_steps()
        return [mean_losses(column) for column in zip(*rows, strict=True)]

    def each(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a part of a step for every trial (`step.Each`)."""
        with self.models[0].autocast():
            return vmap(partial(self._one, function))(self.weights, *arguments)

    def _one(self, function: Callable[..., Any], weights: dict[str, Tensor], *arguments: Any) -> Any:
        return functional_call(self.networks, weights, (function, *arguments))

    def update(self, name: str, loss_S: Tensor) -> None:
        """Take one Adam step of one network of every trial: no trial's loss depends on another's weights."""
        model = self.models[0]
        descend(self.optimizers[name], loss_S.sum(), model.learning_rate * share_of_rate(name, model.settings))

    def _stacked(self, name: str) -> torch.optim.Adam:
        """Stack the weights and moments of one network, and let the trials' own be views of them."""
        modules = [getattr(model.networks, name) for model in self.models]
        networks = [dict(module.named_parameters()) for module in modules]
        optimizers = [model.optimizers[name] for model in self.models]
        weights, _ = stack_module_state(modules)
        stacked_optimizer = adam(weights.values(), name, self.models[0].settings)
        for key, weight in weights.items():
            states = [optimizer.state[own[key]] for optimizer, own in zip(optimizers, networks, strict=True)]
            if states[0]:
                moments = {moment: torch.stack([state[moment] for state in states]) for moment in MOMENTS}
                step = states[0]["step"].clone()
            else:
                moments = {moment: torch.zeros_like(weight, requires_grad=False) for moment in MOMENTS}
                step = torch.zeros((), device=weight.device)
            stacked_optimizer.state[weight] = {"step": step, **moments}
            for index, (own, state) in enumerate(zip(networks, states, strict=True)):
                own[key].data = weight.data[index]
                state.update({moment: value[index] for moment, value in moments.items()})
            self.weights[f"{name}.{key}"] = weight
        return stacked_optimizer

    def _count_steps(self) -> None:
        """Let the trials' optimizers know how many steps they have taken: of Adam's state the one number that is not a view."""
        for name, optimizer in self.optimizers.items():
            for model in self.models:
                states = zip(model.optimizers[name].state.values(), optimizer.state.values(), strict=True)
                for own, together in states:
                    own["step"] = together["step"].clone()


MOMENTS = ("exp_avg", "exp_avg_sq")
"""of Adam"""


def stacked(items: Sequence[Any], device: torch.device) -> Any:
    """Return named tuples of tensors and numbers as one, each value with a first axis for the items."""
    first = items[0]
    if isinstance(first, Tensor):
        return torch.stack(list(items))
    if isinstance(first, float):
        return torch.tensor(items, device=device)
    return type(first)(*(stacked(values, device) for values in zip(*items, strict=True)))
