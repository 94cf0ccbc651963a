"""A cell as a sequence of choices, for methods that sample, read or write cells symbol by symbol.

Shapes: N cells, L places, each with a number of choices of its own.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nadlab.spaces import Cells, SearchSpace, nasbench101, nasbench201
from nadlab.spaces.darts_cells import (
    INNER_OPERATIONS,
    NODES,
    cells_of,
    operations_of,
    pair_places,
    sources_of,
)

Ints = NDArray[np.int64]


class Choices(Protocol):
    """How a space's cells are written as sequences."""

    @property
    def sizes(self) -> Ints:
        """Number of choices at each place, shape (L,)."""
        ...

    def encode(self, cells: Cells) -> Ints:
        """Return the sequences of valid cells, shape (N, L); isomorphic cells may differ."""
        ...

    def decode(self, sequences: Ints) -> Cells:
        """Return the cells of sequences; in NAS-Bench-101 some may be invalid."""
        ...


class NASBench101Choices:
    """Vertex by vertex the edges into it, then its operation: NAO's and SemiNAS's sequence without its last symbol.

    The output's operation is no choice. A vertex that a cell lacks has no edges, and its operation is the first one.
    """

    def __init__(self) -> None:
        vertices = nasbench101.VERTICES
        edges = [(source, target) for target in range(1, vertices) for source in range(target)]
        self._edges = np.array(edges)
        inner = np.arange(1, vertices - 1)
        self._operation_at = (inner + 1) * (inner + 2) // 2 - 2
        length = len(edges) + len(inner)
        self._edge_at = np.setdiff1d(np.arange(length), self._operation_at)
        self.sizes: Ints = np.full(length, 2)
        self.sizes[self._operation_at] = len(nasbench101.INNER_OPERATIONS)

    def encode(self, cells: Cells) -> Ints:
        sequences = np.zeros((len(cells), len(self.sizes)), np.int64)
        sequences[:, self._edge_at] = cells.adjacency[:, self._edges[:, 0], self._edges[:, 1]]
        inner = cells.operations[:, 1:-1].astype(np.int64)
        sequences[:, self._operation_at] = np.where(inner == nasbench101.ABSENT, 0, inner - 1)
        return sequences

    def decode(self, sequences: Ints) -> Cells:
        vertices = nasbench101.VERTICES
        adjacency = np.zeros((len(sequences), vertices, vertices), np.uint8)
        adjacency[:, self._edges[:, 0], self._edges[:, 1]] = sequences[:, self._edge_at]
        operations = np.full((len(sequences), vertices), nasbench101.OUTPUT, np.uint8)
        operations[:, 0] = nasbench101.INPUT
        operations[:, 1:-1] = sequences[:, self._operation_at] + 1
        return Cells(adjacency, operations)


class NASBench201Choices:
    """The operation of each edge."""

    sizes: Ints = np.full(len(nasbench201.EDGES), len(nasbench201.EDGE_OPERATIONS))

    def encode(self, cells: Cells) -> Ints:
        return cells.operations[:, 1:-1].astype(np.int64) - 1

    def decode(self, sequences: Ints) -> Cells:
        return nasbench201.cells_of(sequences)


class DARTSChoices:
    """Node by node the pair of its sources, then the operation on each; the first node's sources are no choice."""

    def __init__(self) -> None:
        kinds = len(INNER_OPERATIONS)
        pairs = [(node + 2) * (node + 1) // 2 for node in range(NODES)]
        self.sizes: Ints = np.array([size for pair in pairs for size in (pair, kinds, kinds)][1:])

    def encode(self, cells: Cells) -> Ints:
        sources, operations = np.sort(sources_of(cells), axis=2), operations_of(cells)
        parts: list[Ints] = []
        for node in range(NODES):
            places = pair_places(node + 2)[sources[:, node, 0], sources[:, node, 1]]
            parts.append(np.column_stack([places, operations[:, node]]))
        return np.concatenate(parts, axis=1)[:, 1:]

    def decode(self, sequences: Ints) -> Cells:
        full = np.pad(sequences, ((0, 0), (1, 0))).reshape(len(sequences), NODES, 3)
        sources = np.zeros((len(sequences), NODES, 2), np.int64)
        for node in range(NODES):
            low, high = np.nonzero(pair_places(node + 2) >= 0)
            sources[:, node] = np.column_stack([low, high])[full[:, node, 0]]
        return cells_of(sources, full[:, :, 1:])


CHOICES: dict[str, Choices] = {
    "nasbench101": NASBench101Choices(),
    "nasbench201": NASBench201Choices(),
    "darts": DARTSChoices(),
}


def choices_of(space: SearchSpace) -> Choices:
    """Return how a space's cells are written as sequences."""
    return CHOICES[space.name]


def one_hot(sequences: Ints, sizes: Ints) -> NDArray[np.float64]:
    """Return the one-hot choices side by side, shape (N, sum of sizes)."""
    hot = np.zeros((len(sequences), int(sizes.sum())))
    offsets = np.cumsum(sizes) - sizes
    np.put_along_axis(hot, sequences + offsets, 1.0, axis=1)
    return hot
