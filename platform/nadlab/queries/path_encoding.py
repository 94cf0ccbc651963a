"""Path encoding: which sequences of operations lead from the input to the output of a cell.

White et al., BANANAS, AAAI 2021, Section 4: one feature for each possible path, alike for isomorphic cells of
NAS-Bench-101. Paths come in the order of their lengths, so a truncated encoding is a prefix of the full one. As
published for NAS-Bench-201, `none` counts as an operation. The two inputs of a DARTS cell start paths of their own.
What is an input and what an operation is read off the cells of a space (`nadlab.spaces.structure`). Where every path of
a space is too long to have a feature, or there is one path alone, as in a chain of layers, so that no two cells would
share a feature, a cell's labels and edges are its features instead: the adjacency matrix encoding of White et al., A
Study on Neural Architecture Encodings, NeurIPS 2020, Section 3.

Shapes: N cells, F features.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nadlab.spaces import Cells, SearchSpace
from nadlab.spaces.structure import Structure, structure_of

MOST_FEATURES = 10_000
"""longer paths have no features where there would be more: DARTS has 5,602"""

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Paths:
    """How the paths of a space's cells are numbered.

    starts: vertices that are inputs. longest: most operations on a path. inner: int64 (K,), the number of each label
    that stands inside a path, -1 for others. first, last: the same of labels at the inputs and at the last vertex, where
    a cell has a choice of them. routes: every sequence of vertices from an input to the last one, none where all have
    more operations.
    """

    starts: tuple[int, ...]
    longest: int
    inner: Ints
    first: Ints
    last: Ints
    routes: tuple[tuple[int, ...], ...]

    @property
    def kinds(self) -> int:
        """Labels inside a path."""
        return int(self.inner.max()) + 1

    @property
    def ends(self) -> int:
        """Beginnings and ends of a path: inputs, their labels, labels of the last vertex."""
        return len(self.starts) * (int(self.first.max()) + 1) * (int(self.last.max()) + 1)

    def features(self, longest: int) -> list[int]:
        """Return the number of paths of 0, 1, ..., `longest` operations."""
        return [self.ends * self.kinds**length for length in range(longest + 1)]


@lru_cache(maxsize=16)
def paths_of(space: SearchSpace) -> Paths:
    """Return how the paths of a space's cells are numbered."""
    found = structure_of(space)
    starts = found.starts
    first, last = (_numbers(_choice(found.labels[list(vertices)])) for vertices in (starts, (-1,)))
    paths = Paths(starts, found.longest, _numbers(found.inside), first, last, ())
    while paths.longest > 1 and sum(paths.features(paths.longest)) > MOST_FEATURES:
        paths = replace(paths, longest=paths.longest - 1)
    return replace(paths, routes=_routes(found, paths.longest))


def path_encoding(cells: Cells, space: SearchSpace, longest: int | None = None) -> NDArray[np.bool_]:
    """Return the features of valid cells, (N, F), of paths of at most `longest` operations, by default of all."""
    paths = paths_of(space)
    longest = paths.longest if longest is None else min(longest, paths.longest)
    if len(paths.routes) < 2 or len(paths.routes[0]) > longest + 2:
        return _labels_and_edges(space.canonical(cells), len(space.operations))
    offsets = np.cumsum([0, *paths.features(longest)])
    encoded = np.zeros((len(cells), int(offsets[-1])), bool)
    edges, labels = cells.adjacency > 0, cells.operations
    for route in paths.routes:
        if len(route) > longest + 2:
            continue
        there = np.logical_and.reduce([edges[:, a, b] for a, b in pairwise(route)])
        number = np.full(len(cells), paths.starts.index(route[0]))
        digits = [(paths.first, route[0]), (paths.last, route[-1]), *((paths.inner, vertex) for vertex in route[1:-1])]
        for numbers, vertex in digits:
            digit = numbers[labels[:, vertex]]
            there &= digit >= 0
            number = number * (int(numbers.max()) + 1) + digit
        rows = np.flatnonzero(there)
        encoded[rows, offsets[len(route) - 2] + number[rows]] = True
    return encoded


def _labels_and_edges(cells: Cells, kinds: int) -> NDArray[np.bool_]:
    """Return for each vertex which label it has, and for each pair whether an edge joins it, (N, V K + V V)."""
    labels = cells.operations[:, :, None] == np.arange(kinds)
    return np.concatenate([part.reshape(len(cells), -1) for part in (labels, cells.adjacency > 0)], axis=1)


def _choice(labels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which labels stand on some of the vertices, (K,), all where none of the vertices has a choice."""
    chosen = np.asarray(labels.any(axis=0))
    return chosen if (labels.sum(axis=1) > 1).any() else np.zeros_like(chosen)


def _numbers(labels: NDArray[np.bool_]) -> Ints:
    """Return 0, 1, ... for the labels that are there, -1 for others; 0 for every label where there is none."""
    return np.where(labels, np.cumsum(labels) - 1, -1) if labels.any() else np.zeros(len(labels), np.int64)


def _routes(found: Structure, longest: int) -> tuple[tuple[int, ...], ...]:
    """Return every path of at most `longest` operations from an input to the last vertex along edges that occur."""
    last = len(found.edges) - 1
    growing: list[tuple[int, ...]] = [(start,) for start in found.starts]
    routes: list[tuple[int, ...]] = []
    while growing:
        route = growing.pop()
        for target in np.flatnonzero(found.edges[route[-1]]).tolist():
            if target == last:
                routes.append((*route, target))
            elif len(route) <= longest:
                growing.append((*route, target))
    return tuple(sorted(routes, key=len))
