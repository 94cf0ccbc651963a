"""A distribution over a space's cells that writes a cell choice by choice, for methods with a generator.

The choices are those of `nadlab.nets.nade`: each depends on a start state and on the choices before it.

Shapes: B cells, L places (`nadlab.searchers.models.choices`), C the largest number of choices of a place, H width.
"""

from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nadlab.nets.nade import NADE, gumbel
from nadlab.parameters.hyperparameters import at_least, positive
from nadlab.searchers.models.choices import choices_of
from nadlab.searchers.models.training import descend, seeded
from nadlab.spaces import SearchSpace
from nadlab.spaces.classes import classes


@dataclass(frozen=True, slots=True)
class Written:
    """Sequences (B, L), the logarithm of their probabilities (B,), and the decoder's state after them (B, H)."""

    sequences: Tensor
    log_probability: Tensor
    state: Tensor


class CellDecoder(nn.Module):
    """From a start state to a cell. `inputs` is the width of what it is conditioned on, 0 for a constant."""

    def __init__(self, space: SearchSpace, inputs: int, width: int = 128) -> None:
        super().__init__()
        sizes = torch.from_numpy(choices_of(space).sizes)
        largest = int(sizes.max())
        self.start = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width)) if inputs else None
        self.constant = nn.Parameter(torch.zeros(width))
        self.nade = NADE(torch.arange(largest) < sizes[:, None], width)

    def begin(self, condition_BF: Tensor) -> Tensor:
        """Return the start states, (B, H)."""
        conditioned = self.start(condition_BF) if self.start else 0
        return self.constant.expand(len(condition_BF), -1) + conditioned

    def draw(self, condition_BF: Tensor, random: torch.Generator) -> Written:
        """Draw one cell for each condition."""
        noise = gumbel((len(condition_BF), *self.nade.bias.shape), random)
        chosen = self.nade.sample(self.begin(condition_BF), noise)
        return self.read(condition_BF, chosen.argmax(dim=2))

    def read(self, condition_BF: Tensor, sequences_BL: Tensor) -> Written:
        """Return the probability of given cells."""
        start = self.begin(condition_BF)
        chosen = F.one_hot(sequences_BL, self.nade.bias.shape[1]).float()
        return Written(sequences_BL, self.nade.log_likelihood(start, chosen), self.nade.final_state(start, chosen))


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderPretraining:
    """How a decoder learns the cells of a space before a search."""

    seed: int = 0
    """of weights, conditions and batches: one pretraining serves every search; ours"""
    steps: int = 2000
    """steps of the optimizer; ours"""
    batch: int = 256
    """cells in a step; ours"""
    learning_rate: float = 3e-3
    """first one of Adam, with a cosine to zero; ours"""
    width: int = 128
    """of the decoder's states; ours"""

    def __post_init__(self) -> None:
        at_least(0, self, "seed")
        at_least(1, self, "steps", "batch", "width")
        positive(self, "learning_rate")


@lru_cache(maxsize=8)
def _pretrained(space: SearchSpace, inputs: int, settings: DecoderPretraining) -> CellDecoder:
    cells = classes(space)[0]
    random, rng = torch.Generator().manual_seed(settings.seed), np.random.default_rng(settings.seed)
    decoder = fresh_decoder(space, inputs, settings.width, settings.seed)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=settings.learning_rate, foreach=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    for _ in range(settings.steps):
        batch = choices_of(space).encode(cells[rng.integers(len(cells), size=settings.batch)])
        condition = torch.randn(settings.batch, inputs, generator=random)
        loss = -decoder.read(condition, torch.from_numpy(batch)).log_probability.mean()
        descend(optimizer, loss)
        schedule.step()
    return decoder


def pretrained_decoder(space: SearchSpace, inputs: int, settings: DecoderPretraining) -> CellDecoder:
    """Return a copy of a decoder fitted to a space's cells, one of each class, by maximum likelihood, once a process.

    Conditions are standard normal and carry no information yet.
    """
    return deepcopy(_pretrained(space, inputs, settings))


def fresh_decoder(space: SearchSpace, inputs: int, width: int, seed: int) -> CellDecoder:
    """Return an untrained decoder whose weights follow from the seed."""
    with seeded(seed):
        return CellDecoder(space, inputs, width)
