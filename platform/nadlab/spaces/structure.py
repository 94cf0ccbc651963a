"""What the cells of a space have in common, read off its cells: which edges and labels occur, and where paths run.

Shapes: N cells, V vertices, K operation labels.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nadlab.spaces.cells import Cells, SearchSpace, concatenate

LISTED = 600_000
"""cells up to which a space is listed; of a larger one a sample stands for it"""
SAMPLE = 20_000
"""cells drawn from a larger space, their canonical forms beside them"""


@dataclass(frozen=True, eq=False)
class Structure:
    """What occurs in a space.

    edges: bool (V, V), edges that some cell has.
    labels: bool (V, K), labels that a vertex has in some cell.
    inside: bool (K,), labels of vertices that some cell both leads to and leads on from.
    sources: codes of the sets of sources that a vertex has in some cell, ascending, for each of the V vertices: source
    s adds 2^s.
    """

    edges: NDArray[np.bool_]
    labels: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    sources: tuple[NDArray[np.int64], ...]

    @property
    def starts(self) -> tuple[int, ...]:
        """Vertices to which no cell leads and from which some path leads to the last one: the inputs."""
        ahead = self._operations_ahead()
        return tuple(v for v in range(len(self.edges) - 1) if not self.edges[:, v].any() and v in ahead)

    @property
    def longest(self) -> int:
        """Vertices between an input and the last vertex on the longest path along edges that occur."""
        ahead = self._operations_ahead()
        return max((ahead[start] for start in self.starts), default=0)

    def _operations_ahead(self) -> dict[int, int]:
        """Vertex from which the last one can be reached -> most vertices between the two."""
        last = len(self.edges) - 1
        ahead = {last: -1}
        for vertex in range(last - 1, -1, -1):
            further = [ahead[target] for target in np.flatnonzero(self.edges[vertex]).tolist() if target in ahead]
            if further:
                ahead[vertex] = 1 + max(further)
        return ahead


@lru_cache(maxsize=16)
def structure_of(space: SearchSpace) -> Structure:
    """Return the structure of a space: of all its cells, or where they are too many of a fixed sample of them."""
    return structure(_cells_of(space), len(space.operations))


def structure(cells: Cells, operations: int) -> Structure:
    """Return what occurs in cells; at least one."""
    edges, labels = cells.adjacency > 0, cells.operations
    passing = edges.any(axis=1) & edges.any(axis=2)
    places = 1 << np.arange(labels.shape[1], dtype=np.int64)
    return Structure(
        np.asarray(edges.any(axis=0)),
        np.array([(labels == operation).any(axis=0) for operation in range(operations)]).T,
        np.array([(passing & (labels == operation)).any() for operation in range(operations)]),
        tuple(np.unique(edges[:, :, target] @ places) for target in range(labels.shape[1])),
    )


def _cells_of(space: SearchSpace) -> Cells:
    if space.size <= LISTED:
        return space.enumerate()
    drawn = space.sample(SAMPLE, np.random.default_rng(0))
    return concatenate([drawn, space.canonical(drawn)])
