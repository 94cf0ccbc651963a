"""Cells that a search may still query: at random, and near a parent where a benchmark holds a part of its space."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nadlab.queries.ledger import QueryLedger
from nadlab.queries.path_encoding import path_encoding
from nadlab.queries.sampling import draw
from nadlab.spaces import Cells
from nadlab.spaces.cells import concatenate

WALK = 100
"""steps after which the search for a child far from its parent gives up"""


class Neighbourhood:
    """The neighbourhood of cells as far as it can be queried.

    A benchmark may lack most neighbours of a cell: two of three cells of NAS-Bench-101 have none among 12,000 of the
    423,624. For each neighbour that it lacks, the nearest cell of the pool that is no neighbour stands in; near is what
    has few paths that the other has not (`path_encoding`). So a neighbourhood has as many cells as in the whole space,
    and where the benchmark holds the whole space, it is made of true neighbours alone.
    """

    def __init__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        self.ledger = ledger
        self.rng = rng
        self._found: dict[int, Cells] = {}

    def around(self, cell: Cells) -> Iterator[Cells]:
        """Yield what is not queried yet in the neighbourhood of a cell, in random order."""
        near = self.of(cell)
        for row in self.rng.permutation(len(near)).tolist():
            # asked one by one: who takes a cell may query it before the next, which may be isomorphic
            if not self.ledger.known(near[row : row + 1])[0]:
                yield near[row : row + 1]

    def child(self, parent: Cells) -> Cells:
        """Return a cell to query from the neighbourhood of a parent.

        When all there is paid for, the search walks on from neighbour to neighbour, and after `WALK` steps any random
        cell will do. Raises UserError when nothing is left.
        """
        for _ in range(WALK):
            for cell in self.around(parent):
                return cell
            parent = self.step(parent)
        return draw(self.ledger, 1, self.rng)

    def step(self, cell: Cells) -> Cells:
        """Return a random cell of a cell's neighbourhood, known or not, or of the space when it has none."""
        near = self.of(cell)
        if not len(near):  # NAS-Bench-101's cell of a single edge
            return self.ledger.oracle.space.sample(1, self.rng)
        chosen = int(self.rng.integers(len(near)))
        return near[chosen : chosen + 1]

    def of(self, cell: Cells) -> Cells:
        """Return a cell's neighbours, each that cannot be queried replaced by a near cell that can."""
        identity = int(self.ledger.oracle.space.identities(cell)[0])
        if identity not in self._found:
            near = self.ledger.oracle.space.neighbours(cell)
            there = self.ledger.oracle.queryable(near)
            lacking = int((~there).sum())
            self._found[identity] = concatenate([near[there], self._nearest(cell, near, lacking)]) if lacking else near
        return self._found[identity]

    def _nearest(self, cell: Cells, neighbours: Cells, count: int) -> Cells:
        space, pool = self.ledger.oracle.space, self.ledger.oracle.pool()
        paths = path_encoding(cell, space)[0]
        pool_paths, pool_counts = self._pool_paths
        distance = pool_counts - 2 * pool_paths[paths].sum(axis=0, dtype=np.int64)
        order = np.lexsort((self.rng.random(len(pool)), distance))[: count + len(neighbours) + 1]
        taken = space.keys(concatenate([cell, neighbours]))
        return pool[order[~np.isin(space.keys(pool[order]), taken)][:count]]

    @cached_property
    def _pool_paths(self) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Path encodings of the pool, (F, N), since a few paths of all cells are read; their number of each cell, (N,)."""
        encoded = path_encoding(self.ledger.oracle.pool(), self.ledger.oracle.space)
        return np.ascontiguousarray(encoded.T), encoded.sum(axis=1, dtype=np.int64)
