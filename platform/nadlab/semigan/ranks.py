"""Performance ranks: equation 11, and the differentiable form that equation 8 needs.

Accuracies are in percent, so the paper's 0.02 is 2 and its t = 0.93 is 93.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

RANKS = 5


def rank(y: Tensor, t: float, width: float = 2.0) -> Tensor:
    """Equation 11: floor((t + width - y) / width) above t - 3 width, else 4; long, shape of y.

    Clamped to 0: for y > t + width the printed equation gives -1.
    """
    inner = torch.floor((t + width - y) / width).clamp(0, RANKS - 1)
    return torch.where(y > t - 3 * width, inner, torch.full_like(y, RANKS - 1)).long()


def soft_rank(y: Tensor, t: float, width: float = 2.0, temperature: float = 1.0) -> Tensor:
    """Return rank weights (batch, 5) whose value is the one-hot of equation 11 and whose gradient reaches y.

    Straight-through (Bengio et al. 2013): the gradient is that of a softmax over the distances from y to the
    middle of each rank's interval, in units of width * temperature; the outer ranks are open intervals.
    """
    middles = t + width / 2 - width * torch.arange(RANKS, dtype=y.dtype, device=y.device)
    inside = torch.minimum(torch.maximum(y, middles[-1] - width), middles[0] + width)
    # the clamp of the outer intervals must not cut the gradient
    inside = y + (inside - y).detach()
    soft = F.softmax(-(((inside[:, None] - middles) / (width * temperature)) ** 2), dim=1)
    hard = F.one_hot(rank(y, t, width), RANKS).to(y.dtype)
    return hard + (soft - soft.detach())
