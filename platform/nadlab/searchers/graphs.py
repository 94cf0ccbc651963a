"""Cells as the networks of the search methods read them, and back."""

import numpy as np
import torch
from torch.nn import functional as F

from nadlab.nets.graphs import Graphs
from nadlab.spaces import Cells, SearchSpace


def graphs_of(cells: Cells, space: SearchSpace) -> Graphs:
    """Return cells as adjacency and one-hot operations."""
    operations = torch.from_numpy(np.ascontiguousarray(cells.operations)).long()
    adjacency = torch.from_numpy(np.ascontiguousarray(cells.adjacency)).float()
    return Graphs(adjacency, F.one_hot(operations, len(space.operations)).float())


def cells_of(graphs: Graphs) -> Cells:
    """Return discrete graphs as cells, valid or not."""
    return Cells(graphs.A.byte().numpy(), graphs.X.argmax(dim=2).byte().numpy())


def torch_generator(rng: np.random.Generator) -> torch.Generator:
    """Return a torch generator whose stream follows from `rng`."""
    return torch.Generator().manual_seed(int(rng.integers(2**31)))
