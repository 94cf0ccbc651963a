"""AG, PP and D (Supplement C): dense GINs over graphs of at most a dozen vertices.

Shapes: B cells, V vertices, K operations, H width. adjacency_BVV and operations_BVK are floats; X is one-hot.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.nn import DenseGINConv

from nadlab.semigan.ranks import RANKS

LATENT = 16
RANK_EMBEDDING = 16


class GIN(nn.Module):
    """GIN layers (Xu et al. 2019) on the graph and its reverse, as in arch2vec: A + A^T.

    Returns the outputs of all layers, each (B, V, H).
    """

    def __init__(self, inputs: int, width: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            DenseGINConv(
                nn.Sequential(
                    nn.Linear(inputs if layer == 0 else width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
                )
            )
            for layer in range(depth)
        )

    def forward(self, features_BVF: Tensor, adjacency_BVV: Tensor) -> list[Tensor]:
        both_ways = adjacency_BVV + adjacency_BVV.transpose(1, 2)
        outputs: list[Tensor] = []
        for layer in self.layers:
            features_BVF = layer(features_BVF, both_ways)
            outputs.append(features_BVF)
        return outputs


class Encoder(nn.Module):
    """A GIN whose layers are joined and averaged over the vertices: (B, depth * H)."""

    def __init__(self, vertices: int, operations: int, width: int, depth: int) -> None:
        super().__init__()
        self.gin = GIN(operations + vertices, width, depth)
        self.register_buffer("positions", torch.eye(vertices), persistent=False)

    def forward(self, adjacency_BVV: Tensor, operations_BVK: Tensor) -> Tensor:
        positions = self.get_buffer("positions").expand(len(operations_BVK), -1, -1)
        layers = self.gin(torch.cat([operations_BVK, positions], dim=2), adjacency_BVV)
        return torch.cat([layer.mean(dim=1) for layer in layers], dim=1)


class Predictor(nn.Module):
    """PP: a 4-layer GIN, layers joined, linear layers; the accuracy in units of the labels' spread, (B,)."""

    def __init__(self, vertices: int, operations: int, width: int, depth: int = 4) -> None:
        super().__init__()
        self.encoder = Encoder(vertices, operations, width, depth)
        self.head = nn.Sequential(nn.Linear(depth * width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, adjacency_BVV: Tensor, operations_BVK: Tensor) -> Tensor:
        predicted: Tensor = self.head(self.encoder(adjacency_BVV, operations_BVK)).squeeze(1)
        return predicted


class Discriminator(nn.Module):
    """D: a 3-layer GIN, layers joined with the rank's embedding, linear layers; logits (B,), D = sigmoid(logit)."""

    def __init__(self, vertices: int, operations: int, width: int, depth: int = 3) -> None:
        super().__init__()
        self.encoder = Encoder(vertices, operations, width, depth)
        self.rank_embedding = nn.Linear(RANKS, RANK_EMBEDDING, bias=False)
        self.head = nn.Sequential(nn.Linear(depth * width + RANK_EMBEDDING, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, adjacency_BVV: Tensor, operations_BVK: Tensor, rank_BR: Tensor) -> Tensor:
        joined = torch.cat([self.encoder(adjacency_BVV, operations_BVK), self.rank_embedding(rank_BR)], dim=1)
        logits: Tensor = self.head(joined).squeeze(1)
        return logits


class Generator(nn.Module):
    """AG: z_A, z_X and a rank to a discrete (A, X), by a 5-layer GIN and linear layers.

    The paper does not say over which graph AG's GIN runs: here the soft graph sigmoid(z_A W z_A^T). What all cells
    of a space share is not generated: `edges` (V, V) and `labels` (V, K) are 1 where a cell may have the edge or the
    label, `fixed_edges` (V, V) where every cell has it. Values are discrete, gradients are those of the
    probabilities (straight-through).
    """

    def __init__(self, edges: Tensor, fixed_edges: Tensor, labels: Tensor, width: int, depth: int = 5) -> None:
        super().__init__()
        vertices, operations = labels.shape
        self.similarity = nn.Linear(LATENT, LATENT, bias=False)
        self.rank_embedding = nn.Linear(RANKS, RANK_EMBEDDING, bias=False)
        self.gin = GIN(LATENT + RANK_EMBEDDING + vertices, width, depth)
        self.source, self.target = nn.Linear(width, width), nn.Linear(width, width)
        self.edge = nn.Linear(width, 1)
        self.operation = nn.Linear(width, operations)
        for name, value in {
            "edges": edges,
            "fixed_edges": fixed_edges,
            "labels": labels,
            "positions": torch.eye(vertices),
        }.items():
            self.register_buffer(name, value.float(), persistent=False)

    def probabilities(self, z_A: Tensor, z_X: Tensor, rank_BR: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probabilities of edges (B, V, V) and operations (B, V, K); z_A and z_X are (B, V, 16)."""
        edges, labels = self.get_buffer("edges"), self.get_buffer("labels")
        batch, vertices, _ = z_A.shape
        graph = torch.sigmoid(self.similarity(z_A) @ z_A.transpose(1, 2) / LATENT**0.5) * edges
        condition = self.rank_embedding(rank_BR)[:, None].expand(-1, vertices, -1)
        positions = self.get_buffer("positions").expand(batch, -1, -1)
        hidden = self.gin(torch.cat([z_X, condition, positions], dim=2), graph)[-1]
        pair = F.relu(self.source(hidden)[:, :, None] + self.target(hidden)[:, None])
        edge_probability = torch.sigmoid(self.edge(pair).squeeze(3)) * edges
        label_probability = F.softmax(self.operation(hidden).masked_fill(labels == 0, -torch.inf), dim=2)
        return edge_probability, label_probability

    def forward(self, z_A: Tensor, z_X: Tensor, rank_BR: Tensor) -> tuple[Tensor, Tensor]:
        soft_A, soft_X = self.probabilities(z_A, z_X, rank_BR)
        hard_A = torch.maximum((soft_A > 0.5).float(), self.get_buffer("fixed_edges"))
        hard_X = F.one_hot(soft_X.argmax(dim=2), soft_X.shape[2]).float()
        return hard_A + soft_A - soft_A.detach(), hard_X + soft_X - soft_X.detach()
