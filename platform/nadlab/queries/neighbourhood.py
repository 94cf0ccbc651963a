"""Neighbours of a cell that can be queried, also where a benchmark holds a part of its space."""

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
"""steps of the random walk to a child"""


class Neighbourhood:
    """The queryable neighbourhood of cells.

    A benchmark may lack most neighbours of a cell: two of three cells of NAS-Bench-101 have none among 12,000 of the
    423,624. Each missing neighbour is replaced by the nearest other cell of the pool, by the Hamming distance of path
    encodings. A neighbourhood then has as many cells as in the whole space; without gaps it holds true neighbours alone.
    """

    def __init__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        self.ledger = ledger
        self.rng = rng
        self._found: dict[int, Cells] = {}

    def around(self, cell: Cells) -> Iterator[Cells]:
        """Yield the unqueried cells of a neighbourhood in random order."""
        near = self.of(cell)
        for row in self.rng.permutation(len(near)).tolist():
            # one by one: the caller may query a cell before the next, which may be isomorphic
            if not self.ledger.known(near[row : row + 1])[0]:
                yield near[row : row + 1]

    def child(self, parent: Cells) -> Cells:
        """Return an unqueried cell from the neighbourhood of a parent; raise UserError when none is left.

        Without one, a random walk goes on from neighbour to neighbour; after `WALK` steps any random cell is returned.
        """
        for _ in range(WALK):
            for cell in self.around(parent):
                return cell
            parent = self.step(parent)
        return draw(self.ledger, 1, self.rng)

    def step(self, cell: Cells) -> Cells:
        """Return a random cell of a cell's neighbourhood, queried or not, or of the space when it has none."""
        near = self.of(cell)
        if not len(near):  # NAS-Bench-101's cell of a single edge
            return self.ledger.oracle.space.sample(1, self.rng)
        chosen = int(self.rng.integers(len(near)))
        return near[chosen : chosen + 1]

    def of(self, cell: Cells) -> Cells:
        """Return a cell's neighbours, those that cannot be queried replaced by near cells that can."""
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
        """Path encodings of the pool, (F, N), for reading a few paths of all cells; number of paths of each cell, (N,)."""
        encoded = path_encoding(self.ledger.oracle.pool(), self.ledger.oracle.space)
        return np.ascontiguousarray(encoded.T), encoded.sum(axis=1, dtype=np.int64)
