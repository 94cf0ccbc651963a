"""PP, the performance predictor (Supplement C): p(y | A, X) of equation 2 as a regression.

Shapes: B cells, H width, L layers.
"""

from torch import Tensor, nn

from nadlab.nets.gin import GIN
from nadlab.nets.graphs import GINInput


class Predictor(nn.Module):
    """A 4-layer GIN whose layers are joined and averaged over the vertices, then linear layers."""

    def __init__(self, features: int, width: int, depth: int = 4, normalised: bool = False) -> None:
        super().__init__()
        self.gin = GIN(features, width, depth, normalised)
        self.head = nn.Sequential(nn.Linear(depth * width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, cells: GINInput) -> Tensor:
        """Return PP(A, X) of equation 9, the accuracy as a score (`ranks.Scale`), (B,)."""
        scores: Tensor = self.head(self.gin.layer_means(cells)).squeeze(1)
        return scores
