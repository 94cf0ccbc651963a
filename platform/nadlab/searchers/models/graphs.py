"""Cells as tensors for the networks of the search methods."""

import numpy as np
import torch
from torch.nn import functional as F

from nadlab.nets.graphs import Graphs
from nadlab.searchers.models.choices import choices_of
from nadlab.spaces import Cells, SearchSpace


def graphs_of(cells: Cells, space: SearchSpace) -> Graphs:
    """Return cells as adjacency and one-hot operations."""
    operations = torch.from_numpy(np.ascontiguousarray(cells.operations)).long()
    adjacency = torch.from_numpy(np.ascontiguousarray(cells.adjacency)).float()
    return Graphs(adjacency, F.one_hot(operations, len(space.operations)).float())


def sequences_of(cells: Cells, space: SearchSpace) -> torch.Tensor:
    """Return the choices that make each cell, isomorphic cells alike, (N, L)."""
    return torch.from_numpy(choices_of(space).encode(space.canonical(cells)))
