"""AG, PP and D as one module, so that a function of all three can be given other weights."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from nadlab.semigan.decisions import decisions_of
from nadlab.semigan.generator import Generator
from nadlab.semigan.networks import Discriminator, Predictor
from nadlab.semigan.precision import precision
from nadlab.semigan.settings import Settings
from nadlab.spaces import Cells


class Networks(nn.Module):
    """The three networks under the paper's names."""

    def __init__(self, AG: Generator, PP: Predictor, D: Discriminator) -> None:
        super().__init__()
        self.AG, self.PP, self.D = AG, PP, D

    def forward(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return a function of the networks: `torch.func.functional_call` gives it other weights."""
        return function(self, *arguments)


def networks(known: Sequence[Cells], operations: int, settings: Settings, seed: int, device: torch.device) -> Networks:
    """Return untrained networks on a device; AG decides what differs between the given cells."""
    vertices, width, dtype = known[0].operations.shape[1], settings.width, precision(settings.precision, device)
    labels = np.any(
        [[(cells.operations == operation).any(axis=0) for operation in range(operations)] for cells in known], axis=0
    ).T
    sometimes = np.any([cells.adjacency.any(axis=0) for cells in known], axis=0)
    always = np.all([cells.adjacency.all(axis=0) for cells in known], axis=0)
    decisions = decisions_of(*(torch.from_numpy(array) for array in (sometimes, always, labels)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        untrained = Networks(
            Generator(decisions, width, settings.generator_depth, dtype),
            Predictor(vertices, operations, width, settings.predictor_depth),
            Discriminator(vertices, operations, width, settings.discriminator_depth),
        )
    return untrained.to(device)
