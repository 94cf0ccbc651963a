"""Divergence: a loss, a weight or a score that is not a finite number ends a run, for training can't come back from it."""

import math
from collections.abc import Mapping

import torch
from torch import nn

from nadlab.errors import UserError

WORDS = {name: f"the {name}'s loss" for name in ("discriminator", "generator", "predictor")} | {
    "labelled_error": "the predictor's error on labelled cells",
    "generated_error": "the predictor's error on generated cells",
    "coverage": "the generator's coverage loss",
}


class Diverged(UserError):  # noqa: N818 - what became of the run, as BudgetSpent
    """Training left the finite numbers: the same trial diverges again, so it is not run a second time."""

    def __init__(self, when: str, what: str) -> None:
        super().__init__(f"diverged in {when}: {what}; lower learning_rate")


def finite(losses: Mapping[str, float], when: str) -> Mapping[str, float]:
    """Return the losses of an epoch (`EpochLosses` by name); raise Diverged that names the first one that is not finite."""
    for name, value in losses.items():
        if not math.isfinite(value):
            raise Diverged(when, f"{WORDS.get(name, name)} is {value}")
    return losses


def check_weights(networks: nn.Module, when: str) -> None:
    """Raise Diverged that names the first network with a weight that is not finite: no loss has seen the last step."""
    for name, network in networks.named_children():
        if not all(bool(torch.isfinite(weight).all()) for weight in network.parameters()):
            raise Diverged(when, f"a weight of {name} is not finite")
