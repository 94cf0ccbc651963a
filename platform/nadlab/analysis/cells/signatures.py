"""Architecture signatures (Section 4.3.3, Supplement B): where cells have edges and operations, how long their skips are.

Shapes: N cells, V vertices, K operations.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from nadlab.spaces import Cells, SearchSpace


@dataclass(frozen=True, slots=True)
class Signature:
    """What a group of cells has in common; shares are of the group's cells."""

    edges: NDArray[np.float64]
    """with each edge, (V, V)"""
    operations: NDArray[np.float64]
    """with each operation at each vertex, (V, K)"""
    includes: NDArray[np.float64]
    """with each operation anywhere, (K,)"""
    shortest_paths: NDArray[np.float64]
    """whose shortest path from the first vertex to the last has 1, 2, ... edges, (V - 1,); the rest has no path"""


def signature(cells: Cells, space: SearchSpace) -> Signature:
    """Return the signature of valid cells, N >= 1, each in its class's canonical form, so that vertices compare."""
    canonical = space.canonical(cells)
    one_hot = canonical.operations[:, :, None] == np.arange(len(space.operations))
    lengths = shortest_path_lengths(canonical)
    return Signature(
        edges=(canonical.adjacency > 0).mean(axis=0),
        operations=one_hot.mean(axis=0),
        includes=one_hot.any(axis=1).mean(axis=0),
        shortest_paths=(lengths[:, None] == np.arange(1, space.vertices)).mean(axis=0),
    )


def mean_signature(found: Sequence[Signature]) -> Signature:
    """Return the mean over seeds of signatures of one space, N >= 1."""
    return Signature(*(np.mean([getattr(each, part.name) for each in found], axis=0) for part in fields(Signature)))


def shortest_path_lengths(cells: Cells) -> NDArray[np.int64]:
    """Return the number of edges on each cell's shortest path from the first vertex to the last, (N,); 0 for no path."""
    edges = cells.adjacency > 0
    reached: NDArray[np.bool_] = np.zeros((len(cells), edges.shape[1]), bool)
    reached[:, 0] = True
    lengths = np.zeros(len(cells), np.int64)
    for length in range(1, reached.shape[1]):
        reached = np.asarray((reached[:, :, None] & edges).any(axis=1))
        lengths[(lengths == 0) & reached[:, -1]] = length
    return lengths


def largest(shares: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Return where the `count` largest entries are, (as `shares`)."""
    marks = np.zeros(shares.size, bool)
    marks[np.argsort(-shares, axis=None, kind="stable")[:count]] = True
    return marks.reshape(shares.shape)


def overlap(one: NDArray[np.float64], other: NDArray[np.float64], count: int) -> int:
    """Return how many of the `count` largest entries two arrays of one shape have in common (Figure 2's marks)."""
    return int((largest(one, count) & largest(other, count)).sum())
