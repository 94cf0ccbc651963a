"""PP and D (Supplement C): dense GINs over graphs of at most a dozen vertices.

Shapes: B cells, V vertices, K operations, F features, H width, R ranks.
"""

from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nadlab.semigan.gin import GINInput, Layer, gin_input, joined_weights, last_layer, layers_of, mean_layers
from nadlab.semigan.linear import scored
from nadlab.semigan.ranks import RANKS

RANK_EMBEDDING = 16
Tensors = TypeVar("Tensors", bound=tuple[Tensor, ...])


class Graphs(NamedTuple):
    """B cells as AG writes them: adjacency A, float (B, V, V), and one-hot operations X, float (B, V, K)."""

    A: Tensor
    X: Tensor

    @property
    def number(self) -> int:
        """B."""
        return len(self.A)


def joined(*parts: Tensors) -> Tensors:
    """Return the rows of named tuples of tensors one after the other."""
    return type(parts[0])(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def read(graphs: Graphs, precision: torch.dtype = torch.float32) -> GINInput:
    """Return cells as PP and D read them, with the operation and the position of a vertex as its features; gradients reach A and X."""
    positions = torch.eye(graphs.A.shape[1], device=graphs.A.device).expand(graphs.number, -1, -1)
    return gin_input(torch.cat([graphs.X, positions], dim=2), graphs.A, precision)


def vertex_features(vertices: int, operations: int) -> Tensor:
    """Return the features of a vertex by its operation and position, (K, V, K + V)."""
    shape = operations, vertices, -1
    return torch.cat([torch.eye(operations)[:, None].expand(shape), torch.eye(vertices).expand(shape)], dim=2)


def read_bytes(adjacency_BVV: Tensor, operations_BV: Tensor, features_KVF: Tensor) -> GINInput:
    """Return cells, as bytes, as PP and D read them: what `read` returns, with fewer operators, in the type of `vertex_features`."""
    vertices = adjacency_BVV.shape[1]
    positions = torch.arange(vertices, device=operations_BV.device)
    itself = torch.eye(vertices, dtype=adjacency_BVV.dtype, device=adjacency_BVV.device)
    features = F.embedding(operations_BV.int() * vertices + positions, features_KVF.flatten(0, 1))
    return GINInput((adjacency_BVV + adjacency_BVV.mT + itself).to(features.dtype), features)


class GIN(nn.Module):
    """GIN layers on the graph and its reverse, as in arch2vec: A + A^T.

    One layer is MLP(h + (A + A^T) h), an MLP being linear, ReLU, linear, ReLU: the numbers of torch-geometric's
    GINConv and DenseGINConv (tests/semigan/test_networks.py). The products run in the type of the messages, the weights stay in float32.
    """

    def __init__(self, inputs: int, width: int, depth: int) -> None:
        super().__init__()
        self.inputs, self.width = inputs, width
        sizes = [inputs, *[width] * (depth - 1)]
        pairs = zip([nn.Linear(size, width) for size in sizes], [nn.Linear(width, width) for _ in sizes], strict=True)
        layers = [[weight for linear in pair for weight in (linear.weight, linear.bias)] for pair in pairs]
        self.weights = nn.Parameter(joined_weights(layers).detach())

    def forward(self, cells: GINInput) -> Tensor:
        """Return the output of the last layer, (B, V, H)."""
        return last_layer(cells, self.weights, self.width)

    def layers(self) -> list[Layer]:
        """Return views of the weights."""
        return layers_of(self.weights, self.inputs, self.width)


class Encoder(nn.Module):
    """A GIN over operations and positions, whose layers are joined and averaged over the vertices: (B, depth * H)."""

    def __init__(self, vertices: int, operations: int, width: int, depth: int) -> None:
        super().__init__()
        self.gin = GIN(operations + vertices, width, depth)

    def forward(self, cells: GINInput, fixed: bool = False) -> Tensor:
        """Return the means; `fixed` weights take no gradient."""
        weights = self.gin.weights
        return mean_layers(cells, weights.detach() if fixed else weights, self.gin.width)


def head_weights(head: nn.Sequential, fixed: bool = False) -> list[Tensor]:
    """Return those of a linear layer, ReLU and a linear layer; `fixed` weights take no gradient."""
    weights = [getattr(layer, name) for layer in (head[0], head[2]) for name in ("weight", "bias")]
    return [weight.detach() for weight in weights] if fixed else weights


class Predictor(nn.Module):
    """PP: a 4-layer GIN, layers joined and averaged, linear layers; the accuracy as a score (`ranks.Scale`), (B,)."""

    def __init__(self, vertices: int, operations: int, width: int, depth: int = 4) -> None:
        super().__init__()
        self.encoder = Encoder(vertices, operations, width, depth)
        self.head = nn.Sequential(nn.Linear(depth * width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, cells: GINInput) -> Tensor:
        return scored([self.encoder(cells)], head_weights(self.head), cells.features.dtype)


class Discriminator(nn.Module):
    """D: a 3-layer GIN, layers joined and averaged, with the rank's embedding, linear layers; logits (B,), D = sigmoid(logit)."""

    def __init__(self, vertices: int, operations: int, width: int, depth: int = 3) -> None:
        super().__init__()
        self.encoder = Encoder(vertices, operations, width, depth)
        self.rank_embedding = nn.Linear(RANKS, RANK_EMBEDDING, bias=False)
        self.head = nn.Sequential(nn.Linear(depth * width + RANK_EMBEDDING, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, cells: GINInput, rank_BR: Tensor, fixed: bool = False) -> Tensor:
        """Return logits; `fixed` weights take no gradient."""
        parts = self.encoder(cells, fixed), self.rank_embedding(rank_BR)
        return scored(parts, head_weights(self.head, fixed), cells.features.dtype)
