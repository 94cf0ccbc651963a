"""Cells as tensors for the networks of the search methods."""

import numpy as np
import torch

from nadlab.nets.graphs import Graphs, graphs_from_bytes
from nadlab.searchers.models.choices import choices_of
from nadlab.spaces import Cells, SearchSpace


def graphs_of(cells: Cells, space: SearchSpace) -> Graphs:
    """Return cells as adjacency and one-hot operations."""
    adjacency, operations = (
        torch.from_numpy(np.ascontiguousarray(each)) for each in (cells.adjacency, cells.operations)
    )
    return graphs_from_bytes(adjacency, operations, len(space.operations))


def sequences_of(cells: Cells, space: SearchSpace) -> torch.Tensor:
    """Return the choices that make each cell, isomorphic cells alike, (N, L)."""
    return torch.from_numpy(choices_of(space).encode(space.canonical(cells)))
