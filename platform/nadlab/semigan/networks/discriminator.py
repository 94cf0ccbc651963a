"""D, the discriminator (Supplement C): the probability that a pair of a cell and a rank is real.

Shapes: B cells, H width, L layers, R ranks.
"""

import torch
from torch import Tensor, nn

from nadlab.nets.gin import GIN
from nadlab.nets.graphs import GINInput
from nadlab.semigan.ranks import RANK_EMBEDDING, RANKS


class Discriminator(nn.Module):
    """A 3-layer GIN whose layers are joined and averaged over the vertices, joined with the rank's embedding, then linear layers."""

    def __init__(self, features: int, width: int, depth: int = 3, normalised: bool = False) -> None:
        super().__init__()
        self.gin = GIN(features, width, depth, normalised)
        self.rank_embedding = nn.Linear(RANKS, RANK_EMBEDDING, bias=False)
        self.head = nn.Sequential(nn.Linear(depth * width + RANK_EMBEDDING, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, cells: GINInput, rank_BR: Tensor) -> Tensor:
        """Return the logits of D(x, rank) in equations 6-10, (B,); D is their sigmoid."""
        joined = torch.cat([self.gin.layer_means(cells), self.rank_embedding(rank_BR)], dim=1)
        logits: Tensor = self.head(joined).squeeze(1)
        return logits
