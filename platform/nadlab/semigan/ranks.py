"""Performance ranks: equation 11, the scale on which PP predicts, and the differentiable rank that equation 8 needs.

Accuracies are in percent, so the paper's 0.02 is 2 and its t = 0.93 is 93. In another unit the width of a rank follows
the labels (`width_of`).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from torch import Tensor
from torch.nn import functional as F

RANKS = 5
RANK_EMBEDDING = 16
"""numbers of a rank's embedding in AG and D (Supplement C)"""
WIDTH = 2.0


def rank(y: Tensor, t: float, width: float = WIDTH) -> Tensor:
    """Equation 11: floor((t + 2 - y) / 2) above t - 6, else 4; long, shape of y. `width` is its 2.

    Clamped to 0: for y > t + 2 the printed equation gives -1.
    """
    inner = torch.floor((t + width - y) / width).clamp(0, RANKS - 1)
    return torch.where(y > t - 3 * width, inner, torch.full_like(y, RANKS - 1)).long()


@dataclass(frozen=True)
class Scale:
    """An increasing map from accuracies to scores: linear between knots, and beyond them as before the last ones."""

    y: NDArray[np.float64]
    score: NDArray[np.float64]

    def __call__(self, y: ArrayLike) -> NDArray[np.float64]:
        """Return the scores of accuracies."""
        values = np.asarray(y, np.float64)
        right = np.clip(np.searchsorted(self.y, values), 1, len(self.y) - 1)
        slope = (self.score[right] - self.score[right - 1]) / (self.y[right] - self.y[right - 1])
        scores: NDArray[np.float64] = self.score[right] + slope * (values - self.y[right])
        return scores


def linear_scale(y: NDArray[np.float64]) -> Scale:
    """Return accuracies less their mean in units of their standard deviation: equation 9 but for a constant factor."""
    mean, deviation = y.mean(), max(float(y.std()), 1e-6)
    return Scale(np.array([mean - deviation, mean + deviation]), np.array([-1.0, 1.0]))


def normal_scores(accuracies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard normal quantile of each accuracy's rank, ties alike."""
    # scipy.stats has a name for both steps, and takes a second to import before a trial's first epoch
    _, which, number = np.unique(accuracies, return_inverse=True, return_counts=True)
    ranks = np.cumsum(number) - (number - 1) / 2
    return np.asarray(ndtri((ranks[which] - 0.5) / len(accuracies)))


def normal_scale(y: NDArray[np.float64]) -> Scale:
    """Return the normal score of an accuracy's place among the labels (van der Waerden 1952).

    Architectures pile up near the best accuracy and have a long tail of bad ones: on this scale PP's squared error
    tells good from better as well as bad from worse.
    """
    knots, first = np.unique(y, return_index=True)
    return Scale(knots, normal_scores(y)[first]) if len(knots) > 1 else linear_scale(y)


SCALES = {"normal": normal_scale, "linear": linear_scale}


def threshold(y: NDArray[np.float64], share: float) -> float:
    """Return the t that leaves a share of the labels (n,) above it, in rank 0; fewer where labels tie at t.

    Where that would be none, since too many tie for the best, t is the next best label: AG is asked for rank 0 and must
    have learned it. Labels that are all equal leave nothing above.
    """
    t = float(np.quantile(y, 1 - share))
    return t if t < y.max() else float(y[y < y.max()].max(initial=y.min()))


def width_of(y: NDArray[np.float64], unit: str) -> float:
    """Return the width of a rank: the paper's 2 percentage points, elsewhere half the labels' standard deviation."""
    return WIDTH if unit == "%" else max(0.5 * float(y.std()), 1e-9)


def cuts(scale: Scale, t: float, width: float = WIDTH) -> Tensor:
    """Return the scores of t, t - 2, t - 4 and t - 6, where equation 11 changes from one rank to the next, (4,)."""
    return torch.tensor(scale(t - width * np.arange(RANKS - 1)), dtype=torch.float32)


def at_most(score: Tensor, cuts: Tensor, temperature: float) -> Tensor:
    """Return P(rank <= k) for k from 0 to 3, (B, 4), of the cumulative logistic model (McCullagh 1980)."""
    return torch.sigmoid((score[:, None] - cuts) / temperature)


def soft_rank(score: Tensor, cuts: Tensor, temperature: float) -> Tensor:
    """Return rank weights (B, 5) whose value is the one-hot of equation 11 and whose gradient reaches the score.

    Straight-through (Bengio et al. 2013): the gradient is that of `at_most`.
    """
    soft = at_most(score, cuts, temperature)
    above = (score[:, None] > cuts).to(score.dtype) + (soft - soft.detach())
    return torch.diff(F.pad(F.pad(above, (1, 0)), (0, 1), value=1.0), dim=1)
