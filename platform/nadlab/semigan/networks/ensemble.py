"""PP as an ensemble: members that differ in their first weights (Lakshminarayanan et al. 2017).

Shapes: E members, B cells.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from nadlab.nets.graphs import GINInput
from nadlab.semigan.networks.predictor import Predictor


class Ensemble(nn.Module):
    """Several PPs."""

    def __init__(self, members: Iterable[Predictor]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, cells: GINInput) -> Tensor:
        """Return every member's scores, (E, B)."""
        return torch.stack([member(cells) for member in self.members])


def predictor_of(members: list[Predictor]) -> Predictor | Ensemble:
    """Return a single PP as it is, several as an ensemble."""
    return members[0] if len(members) == 1 else Ensemble(members)


def mean_score(scores: Tensor) -> Tensor:
    """Return the mean over the members, (B,), of an ensemble's scores (E, B); those of a single PP, (B,), as they are."""
    return scores if scores.dim() == 1 else scores.mean(dim=0)


def bound(scores: Tensor, optimism: float) -> Tensor:
    """Return the mean over the members and so many of their standard deviations, (B,); a single PP has no deviation."""
    mean = mean_score(scores)
    return mean + optimism * scores.std(dim=0) if optimism and scores.dim() > 1 else mean
