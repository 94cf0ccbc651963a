"""Steps that the training of every model shares."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn


def torch_generator(rng: np.random.Generator) -> torch.Generator:
    """Return a torch generator whose stream follows from `rng`."""
    return torch.Generator().manual_seed(int(rng.integers(2**31)))


@contextmanager
def seeded(source: int | torch.Generator) -> Iterator[None]:
    """Seed torch's global generator, from which modules draw their weights, and restore it at the end."""
    seed = source if isinstance(source, int) else int(torch.randint(2**31, (1,), generator=source))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def descend(optimizer: torch.optim.Optimizer, loss: Tensor, clip: nn.Module | None = None, norm: float = 5.0) -> None:
    """Take one step down the gradient of a loss; the gradient of `clip` is scaled to at most `norm`."""
    optimizer.zero_grad()
    loss.backward()
    if clip is not None:
        nn.utils.clip_grad_norm_(clip.parameters(), norm, foreach=True)
    optimizer.step()
