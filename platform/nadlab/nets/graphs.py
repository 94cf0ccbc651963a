"""Cells as tensors, and what a graph network reads of them.

Shapes: B cells, V vertices, K operations, F features.
"""

from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

Tensors = TypeVar("Tensors", bound=tuple[Tensor, ...])


class Graphs(NamedTuple):
    """B cells: adjacency A, float (B, V, V), and one-hot operations X, float (B, V, K)."""

    A: Tensor
    X: Tensor

    @property
    def number(self) -> int:
        """B."""
        return len(self.A)


class GINInput(NamedTuple):
    """What a GIN reads of B cells."""

    aggregation: Tensor
    """A + A^T + I, the symmetrised adjacency with self-loops, (B, V, V)"""
    features: Tensor
    """of the vertices, (B, V, F)"""

    def detach(self) -> "GINInput":
        """Return the same without its history of gradients."""
        return GINInput(self.aggregation.detach(), self.features.detach())


def gin_input(features_BVF: Tensor, adjacency_BVV: Tensor) -> GINInput:
    """Return vertices with these features as a GIN reads them; gradients reach both."""
    identity = torch.eye(adjacency_BVV.shape[1], device=adjacency_BVV.device, dtype=adjacency_BVV.dtype)
    return GINInput(adjacency_BVV + adjacency_BVV.mT + identity, features_BVF)


def read(graphs: Graphs) -> GINInput:
    """Return cells whose vertices have operation and position, both one-hot, as features; gradients reach A and X."""
    positions = torch.eye(graphs.A.shape[1], device=graphs.A.device, dtype=graphs.X.dtype)
    return gin_input(torch.cat([graphs.X, positions.expand(graphs.number, -1, -1)], dim=2), graphs.A)


def graphs_from_bytes(adjacency_BVV: Tensor, operations_BV: Tensor, operation_count: int) -> Graphs:
    """Return cells whose edges and operations are bytes, on their device."""
    one_hot = torch.eye(operation_count, device=operations_BV.device)
    return Graphs(adjacency_BVV.float(), one_hot[operations_BV.long()])


def joined(*parts: Tensors) -> Tensors:
    """Return the rows of named tuples of tensors one after the other."""
    return type(parts[0])(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))
