"""The cells that a benchmark can be asked for, and how many of them are distinct."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.oracle import Oracle
from nadlab.spaces import Cells, SearchSpace


def enough_of(pool: Cells, order: NDArray[np.int64], count: int, keep: Callable[[Cells], Cells]) -> Cells:
    """Return what `keep` leaves of a pool in an order: of ever longer parts, until `count` cells are left, at last of the whole.

    A pool may be large, and the keys of all its cells take seconds.
    """
    length = 2 * count + 100
    while len(found := keep(pool[order[:length]])) < count and length < len(order):
        length *= 4
    return found


def distinct_cells(oracle: Oracle, enough: int) -> int:
    """Return how many architectures up to isomorphism a benchmark's pool holds; the count may end at `enough` or more."""
    pool = oracle.pool()
    return len(enough_of(pool, np.arange(len(pool)), enough, lambda cells: one_of_each(cells, oracle.space)))


def one_of_each(cells: Cells, space: SearchSpace) -> Cells:
    """Return the first cell of each isomorphism class, in order."""
    _, first = np.unique(space.keys(cells), return_index=True)
    return cells[np.sort(first)]
