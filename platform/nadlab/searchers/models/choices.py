"""A cell as a sequence of choices, for methods that sample, read or write cells symbol by symbol.

Shapes: N cells, L places, each with a number of choices of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nadlab.spaces import SPACES, Cells, SearchSpace, nasbench101
from nadlab.spaces.darts.cells import (
    INNER_OPERATIONS,
    NODES,
    cells_of,
    operations_of,
    pair_places,
    sources_of,
)
from nadlab.spaces.structure import Structure, structure_of

Ints = NDArray[np.int64]
MOST_SETS = 64
"""sets of vertices leading to one that are told apart as choices"""


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
        """Return the cells of sequences; in most spaces some may be invalid."""
        ...


class NASBench101Choices:
    """Vertex by vertex the edges into it, then its operation: NAO's and SemiNAS's sequence without its last symbol.

    The output's operation is not a choice. A vertex that a cell lacks has no edges, and its operation is the first one.
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


class DerivedChoices:
    """Vertex by vertex the vertices that lead to it, then its operation; what all cells share is not a choice.

    The vertices that lead to one are one choice among the sets that occur; where a space has more than `MOST_SETS` of
    them, each edge is a choice of its own. A set that never occurred is written as the nearest, such a label as the first.
    """

    def __init__(self, space: SearchSpace) -> None:
        found = structure_of(space)
        self._vertices, self._places = space.vertices, [*_places(found)]
        self._shared = np.array([np.bitwise_and.reduce(codes) for codes in found.sources])
        self._labels = found.labels.argmax(axis=1)
        self.sizes: Ints = np.array([len(place.values) for place in self._places])

    def encode(self, cells: Cells) -> Ints:
        sequences = np.zeros((len(cells), len(self._places)), np.int64)
        weights = 1 << np.arange(self._vertices, dtype=np.int64)
        codes = np.einsum("nst,s->nt", cells.adjacency > 0, weights)
        for column, place in enumerate(self._places):
            if place.mask:
                differing = np.bitwise_count((codes[:, place.vertex, None] & place.mask) ^ place.values)
                sequences[:, column] = differing.argmin(axis=1)
            else:
                sequences[:, column] = (cells.operations[:, place.vertex, None] == place.values).argmax(axis=1)
        return sequences

    def decode(self, sequences: Ints) -> Cells:
        count = len(sequences)
        codes, operations = np.tile(self._shared, (count, 1)), np.tile(self._labels, (count, 1))
        for column, place in enumerate(self._places):
            chosen = place.values[sequences[:, column]]
            if place.mask:
                codes[:, place.vertex] |= chosen
            else:
                operations[:, place.vertex] = chosen
        adjacency = codes[:, None, :] >> np.arange(self._vertices)[:, None] & 1
        return Cells(adjacency.astype(np.uint8), operations.astype(np.uint8))


@dataclass(frozen=True, slots=True)
class _Place:
    """One choice: labels of a vertex, or, where `mask` has bits, codes of the sets of vertices that lead to it."""

    vertex: int
    mask: int
    """codes of the edges that are chosen here; 0 for a label"""
    values: Ints


def _places(found: Structure) -> Iterator[_Place]:
    for vertex, codes in enumerate(found.sources):
        every = int(np.bitwise_or.reduce(codes))
        if 1 < len(codes) <= MOST_SETS:
            yield _Place(vertex, every, codes)
        elif len(codes) > 1:
            chosen = every & ~int(np.bitwise_and.reduce(codes))
            edges = [1 << source for source in range(vertex) if chosen >> source & 1]
            yield from (_Place(vertex, edge, np.array([0, edge])) for edge in edges)
        labels = np.flatnonzero(found.labels[vertex])
        if len(labels) > 1:
            yield _Place(vertex, 0, labels)


PUBLISHED: dict[SearchSpace, Choices] = {
    SPACES["nasbench101"]: NASBench101Choices(),
    SPACES["darts"]: DARTSChoices(),
}
"""Sequences that methods were published with; those of other spaces are derived from their cells."""


@lru_cache(maxsize=16)
def choices_of(space: SearchSpace) -> Choices:
    """Return how a space's cells are written as sequences."""
    return PUBLISHED.get(space) or DerivedChoices(space)


def one_hot(sequences: Ints, sizes: Ints) -> NDArray[np.float64]:
    """Return the one-hot choices side by side, shape (N, sum of sizes)."""
    hot = np.zeros((len(sequences), int(sizes.sum())))
    offsets = np.cumsum(sizes) - sizes
    np.put_along_axis(hot, sequences + offsets, 1.0, axis=1)
    return hot
