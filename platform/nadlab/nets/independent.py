"""A distribution over G discrete decisions that are independent given a state: linear layers read all of them at once.

Shapes as in `nade.py`: B cells, H width, G decisions of up to C choices each; choices are one-hot, (B, G, C).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nadlab.nets.nade import FORBIDDEN, straight_through


class Independent(nn.Module):
    """`allowed`, bool (G, C), says which choices each decision has; `width` is that of the state."""

    def __init__(self, allowed: Tensor, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, allowed.numel())
        self.register_buffer("forbidden", torch.where(allowed, 0.0, FORBIDDEN), persistent=False)

    def logits(self, state_BH: Tensor, _: Tensor | None = None) -> Tensor:
        """Return the decisions' logits, (B, G, C), which do not depend on choices."""
        forbidden = self.get_buffer("forbidden")
        logits: Tensor = self.linear(F.relu(state_BH)).unflatten(1, forbidden.shape)
        return logits + forbidden

    def sample(self, state_BH: Tensor, noise_BGC: Tensor, relaxed: bool = False) -> Tensor:
        """Return choices as `NADE.sample`."""
        soft = F.softmax(self.logits(state_BH) + noise_BGC, dim=2)
        return soft if relaxed else straight_through(soft)

    def log_likelihood(self, state_BH: Tensor, chosen_BGC: Tensor) -> Tensor:
        """Return log p(choices | state) in nats, (B,)."""
        return (F.log_softmax(self.logits(state_BH), dim=2) * chosen_BGC).sum(dim=(1, 2))
