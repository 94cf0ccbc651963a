"""PP and D (Supplement C): dense GINs over graphs of at most a dozen vertices.

Shapes: B cells, V vertices, K operations, F features, H width, R ranks.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from nadlab.semigan.layer import gin_layer
from nadlab.semigan.ranks import RANKS

RANK_EMBEDDING = 16


class Graphs(NamedTuple):
    """B cells as the networks read them: adjacency A, float (B, V, V), and one-hot operations X, float (B, V, K)."""

    A: Tensor
    X: Tensor

    @property
    def number(self) -> int:
        """B."""
        return len(self.A)

    def detach(self) -> "Graphs":
        """Return the same cells, cut off from what made them."""
        return Graphs(self.A.detach(), self.X.detach())

    def first(self, count: int) -> "Graphs":
        """Return the first cells."""
        return Graphs(self.A[:count], self.X[:count])


def joined(*parts: Graphs) -> Graphs:
    """Return all cells of the parts in order."""
    return Graphs(torch.cat([part.A for part in parts]), torch.cat([part.X for part in parts]))


class GIN(nn.Module):
    """GIN layers (Xu et al. 2019) on the graph and its reverse, as in arch2vec: A + A^T.

    One layer is MLP(h + (A + A^T) h), an MLP being linear, ReLU, linear, ReLU: the numbers of torch-geometric's
    GINConv and DenseGINConv (tests/test_networks.py) in three matrix products (`layer.py`). The products run in `precision`,
    the weights stay in float32.
    """

    def __init__(self, inputs: int, width: int, depth: int, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        sizes = [inputs, *[width] * (depth - 1)]
        self.inner = nn.ModuleList(nn.Linear(size, width) for size in sizes)
        self.outer = nn.ModuleList(nn.Linear(width, width) for _ in sizes)
        self.precision = precision

    def forward(self, features_BVF: Tensor, adjacency_BVV: Tensor) -> list[Tensor]:
        """Return the outputs of all layers, each (B, V, H) in `precision`."""
        itself = torch.eye(adjacency_BVV.shape[1], device=adjacency_BVV.device)
        neighbours = (adjacency_BVV + adjacency_BVV.transpose(1, 2) + itself).to(self.precision)
        hidden = features_BVF.to(self.precision)
        outputs: list[Tensor] = []
        for inner, outer in zip(self.inner, self.outer, strict=True):
            weights = tuple(
                getattr(linear, name).to(self.precision) for linear in (inner, outer) for name in ("weight", "bias")
            )
            hidden = gin_layer(hidden, neighbours, weights)
            outputs.append(hidden)
        return outputs


class Encoder(nn.Module):
    """A GIN whose layers are joined and averaged over the vertices: (B, depth * H)."""

    def __init__(self, vertices: int, operations: int, width: int, depth: int, precision: torch.dtype) -> None:
        super().__init__()
        self.gin = GIN(operations + vertices, width, depth, precision)
        self.register_buffer("positions", torch.eye(vertices), persistent=False)

    def forward(self, graphs: Graphs) -> Tensor:
        positions = self.get_buffer("positions").expand(graphs.number, -1, -1)
        layers = self.gin(torch.cat([graphs.X, positions], dim=2), graphs.A)
        # divided after the sum: the gradient of a mean would be written out for every vertex
        return torch.cat([layer.sum(dim=1) for layer in layers], dim=1).float() / graphs.A.shape[1]


class Predictor(nn.Module):
    """PP: a 4-layer GIN, layers joined, linear layers; the accuracy as a score (`ranks.Scale`), (B,)."""

    def __init__(
        self, vertices: int, operations: int, width: int, depth: int = 4, precision: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.encoder = Encoder(vertices, operations, width, depth, precision)
        self.head = nn.Sequential(nn.Linear(depth * width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, graphs: Graphs) -> Tensor:
        predicted: Tensor = self.head(self.encoder(graphs)).squeeze(1)
        return predicted


class Discriminator(nn.Module):
    """D: a 3-layer GIN, layers joined with the rank's embedding, linear layers; logits (B,), D = sigmoid(logit)."""

    def __init__(
        self, vertices: int, operations: int, width: int, depth: int = 3, precision: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.encoder = Encoder(vertices, operations, width, depth, precision)
        self.rank_embedding = nn.Linear(RANKS, RANK_EMBEDDING, bias=False)
        self.head = nn.Sequential(nn.Linear(depth * width + RANK_EMBEDDING, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, graphs: Graphs, rank_BR: Tensor) -> Tensor:
        features = torch.cat([self.encoder(graphs), self.rank_embedding(rank_BR)], dim=1)
        logits: Tensor = self.head(features).squeeze(1)
        return logits
