"""What AG decides about a cell of a space, one choice after another, and the way from choices to (A, X) and back.

Shapes: B cells, V vertices, K operations, G decisions of up to C = max(K, 2) choices each.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from nadlab.nets.graphs import Graphs


class Decisions(NamedTuple):
    """Vertex by vertex: the vertex's operation, then the edges into it; what all cells share is not decided."""

    allowed: Tensor
    """bool (G, C): choices that some cell makes"""
    vertex: Tensor
    """(number of decided operations,): their vertices"""
    vertex_at: Tensor
    """their places among the decisions"""
    edge: Tensor
    """(number of decided edges, 2): source and target; choice 0 is not an edge, 1 an edge"""
    edge_at: Tensor
    """their places among the decisions"""
    read_at: Tensor
    """(G,): where each choice lies in a cell's operations followed by the rows of its adjacency"""
    A: Tensor
    """(V, V): the edges that every cell has"""
    X: Tensor
    """(V, K): the operations that every cell has, zero rows where one is decided"""

    def of(self, adjacency_BVV: Tensor, operations_BV: Tensor) -> Tensor:
        """Return the one-hot choices (B, G, C) that make cells, whose edges and operations are bytes."""
        chosen = torch.cat([operations_BV, adjacency_BVV.flatten(1)], dim=1)[:, self.read_at]
        return F.embedding(chosen.int(), torch.eye(self.allowed.shape[1], device=chosen.device))

    def cells(self, chosen: Tensor) -> Graphs:
        """Return the cells of one-hot choices (B, G, C); gradients pass."""
        # filled from `chosen`, so that under vmap they are a trial's own
        adjacency, operations = (chosen.new_zeros(len(chosen), *shared.shape) + shared for shared in (self.A, self.X))
        operations[:, self.vertex] = chosen[:, self.vertex_at, : self.X.shape[1]]
        adjacency[:, self.edge[:, 0], self.edge[:, 1]] = chosen[:, self.edge_at, 1]
        return Graphs(adjacency, operations)


def decisions_of(sometimes: Tensor, always: Tensor, labels: Tensor) -> Decisions:
    """Return what there is to decide.

    sometimes, always: bool (V, V), edges that some cell and that every cell has. labels: bool (V, K), operations that
    a vertex has in some cell.
    """
    vertices, operations = labels.shape
    choices = max(operations, 2)
    allowed: list[Tensor] = []
    vertex: list[tuple[int, int]] = []
    edge: list[tuple[int, int, int]] = []
    for target in range(vertices):
        if labels[target].sum() > 1:
            vertex.append((target, len(allowed)))
            allowed.append(F.pad(labels[target], (0, choices - operations)))
        for source in range(target):
            if sometimes[source, target] and not always[source, target]:
                edge.append((source, target, len(allowed)))
                allowed.append(torch.arange(choices) < 2)
    vertex_table = torch.tensor(vertex, dtype=torch.long).reshape(-1, 2)
    edge_table = torch.tensor(edge, dtype=torch.long).reshape(-1, 3)
    read_at = torch.empty(len(allowed), dtype=torch.long)
    read_at[vertex_table[:, 1]] = vertex_table[:, 0]
    read_at[edge_table[:, 2]] = vertices + edge_table[:, 0] * vertices + edge_table[:, 1]
    shared = labels & (labels.sum(dim=1, keepdim=True) == 1)
    return Decisions(
        torch.stack(allowed),
        vertex_table[:, 0],
        vertex_table[:, 1],
        edge_table[:, :2],
        edge_table[:, 2],
        read_at,
        always.float(),
        shared.float(),
    )
