"""A distribution over a space's cells that writes a cell choice by choice, for methods with a generator.

Each choice is read from a layer that is linear in a start state and in the choices before it (NADE, Larochelle and
Murray 2011), so that any joint distribution can be learned and a cell costs one small matrix product a choice.

Shapes: B cells, L places (`nadlab.searchers.models.choices`), C the largest number of choices of a place, H width.
"""

from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nadlab.searchers.models.choices import choices_of
from nadlab.searchers.models.training import descend, seeded
from nadlab.spaces import SPACES
from nadlab.spaces.classes import classes

FORBIDDEN = -1e4
"""logit of a choice that a place does not have"""


@dataclass(frozen=True, slots=True)
class Written:
    """Sequences (B, L), the logarithm of their probabilities (B,), and the decoder's state after them (B, H)."""

    sequences: Tensor
    log_probability: Tensor
    state: Tensor


class CellDecoder(nn.Module):
    """From a start state to a cell. `inputs` is the width of what it is conditioned on, 0 for a constant."""

    def __init__(self, space_name: str, inputs: int, width: int = 128) -> None:
        super().__init__()
        sizes = torch.from_numpy(choices_of(SPACES[space_name]).sizes)
        places, largest = len(sizes), int(sizes.max())
        self.start = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width)) if inputs else None
        self.constant = nn.Parameter(torch.zeros(width))
        self.memory = nn.Parameter(torch.randn(places, largest, width) / places**0.5)
        self.choice = nn.Parameter(torch.randn(places, width, largest) / width**0.5)
        self.bias = nn.Parameter(torch.zeros(places, largest))
        self.register_buffer("allowed", torch.arange(largest) < sizes[:, None], persistent=False)

    def begin(self, condition_BF: Tensor) -> Tensor:
        """Return the start states, (B, H)."""
        conditioned = self.start(condition_BF) if self.start else 0
        return self.constant.expand(len(condition_BF), -1) + conditioned

    def draw(self, condition_BF: Tensor, random: torch.Generator) -> Written:
        """Draw one cell for each condition."""
        state, bias = self.begin(condition_BF), self._bias()
        sequences: list[Tensor] = []
        total = torch.zeros(len(state))
        for place in range(len(bias)):
            logits = torch.addmm(bias[place], F.relu(state), self.choice[place])
            chosen = torch.multinomial(logits.softmax(dim=1), 1, generator=random)
            total = total + logits.log_softmax(dim=1).gather(1, chosen).squeeze(1)
            sequences.append(chosen.squeeze(1))
            state = state + self.memory[place, sequences[-1]]
        return Written(torch.stack(sequences, dim=1), total, state)

    def read(self, condition_BF: Tensor, sequences_BL: Tensor) -> Written:
        """Return the probability of given cells."""
        places = torch.arange(sequences_BL.shape[1])
        remembered = self.memory[places, sequences_BL]
        states = self.begin(condition_BF)[:, None] + remembered.cumsum(dim=1)
        before = states - remembered
        logits = torch.einsum("blh,lhc->blc", F.relu(before), self.choice) + self._bias()
        chosen = logits.log_softmax(dim=2).gather(2, sequences_BL[..., None])
        return Written(sequences_BL, chosen.sum(dim=(1, 2)), states[:, -1])

    def _bias(self) -> Tensor:
        return self.bias + torch.where(self.get_buffer("allowed"), 0.0, FORBIDDEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderPretraining:
    """How a decoder learns the cells of a space before a search."""

    seed: int = 0
    """of weights, conditions and batches: one pretraining serves every search"""
    steps: int = 2000
    batch: int = 256
    learning_rate: float = 3e-3
    width: int = 128


@lru_cache(maxsize=8)
def _pretrained(name: str, inputs: int, settings: DecoderPretraining) -> CellDecoder:
    cells = classes(name)[0]
    random, rng = torch.Generator().manual_seed(settings.seed), np.random.default_rng(settings.seed)
    decoder = fresh_decoder(name, inputs, settings.width, settings.seed)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=settings.learning_rate, foreach=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    for _ in range(settings.steps):
        batch = choices_of(SPACES[name]).encode(cells[rng.integers(len(cells), size=settings.batch)])
        condition = torch.randn(settings.batch, inputs, generator=random)
        loss = -decoder.read(condition, torch.from_numpy(batch)).log_probability.mean()
        descend(optimizer, loss)
        schedule.step()
    return decoder


def pretrained_decoder(name: str, inputs: int, settings: DecoderPretraining) -> CellDecoder:
    """Return a copy of a decoder fitted to a space's cells, one of each class, by maximum likelihood, once a process.

    Conditions are standard normal and carry no information yet.
    """
    return deepcopy(_pretrained(name, inputs, settings))


def fresh_decoder(name: str, inputs: int, width: int, seed: int) -> CellDecoder:
    """Return an untrained decoder whose weights follow from the seed."""
    with seeded(seed):
        return CellDecoder(name, inputs, width)
