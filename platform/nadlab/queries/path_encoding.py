"""Path encoding: which sequences of operations lead from the input to the output of a cell.

White et al., BANANAS, AAAI 2021, Section 4: one feature for each possible path, alike for isomorphic cells of
NAS-Bench-101. Paths come in the order of their lengths, so a truncated encoding is a prefix of the full one. As
published for NAS-Bench-201, `none` counts as an operation. The two inputs of a DARTS cell start paths of their own.

Shapes: N cells, F features.
"""

from functools import cache
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from nadlab.spaces import Cells, SearchSpace

STARTS = {"nasbench101": 1, "nasbench201": 1, "darts": 2}
"""vertices of a cell that are inputs"""
LONGEST = {"nasbench101": 5, "nasbench201": 3, "darts": 4}
"""operations on the longest path"""
ENDS_ONLY = {"nasbench101": 3, "nasbench201": 2, "darts": 3}
"""labels that stand on no path's inside: inputs, output, `absent`"""


def path_encoding(cells: Cells, space: SearchSpace, longest: int | None = None) -> NDArray[np.bool_]:
    """Return the features of valid cells, (N, F), of paths of at most `longest` operations, by default of all."""
    name = space.name
    starts, kinds = STARTS[name], len(space.operations) - ENDS_ONLY[name]
    lengths = range((LONGEST[name] if longest is None else min(longest, LONGEST[name])) + 1)
    offsets = np.cumsum([0, *(starts * kinds**length for length in lengths)])
    encoded = np.zeros((len(cells), int(offsets[-1])), bool)
    edges = cells.adjacency > 0
    # the inner labels stand behind the inputs' in `operations`
    labels = cells.operations.astype(np.int64) - starts
    for route in _routes(space.vertices, starts, len(lengths) - 1):
        there = np.logical_and.reduce([edges[:, a, b] for a, b in pairwise(route)])
        number = np.full(len(cells), route[0])
        for vertex in route[1:-1]:
            number = number * kinds + labels[:, vertex]
        rows = np.flatnonzero(there)
        encoded[rows, offsets[len(route) - 2] + number[rows]] = True
    return encoded


@cache
def _routes(vertices: int, starts: int, longest: int) -> tuple[tuple[int, ...], ...]:
    """Return every increasing sequence of vertices from an input to the output."""
    inner = range(starts, vertices - 1)
    return tuple(
        (start, *middle, vertices - 1)
        for start in range(starts)
        for length in range(longest + 1)
        for middle in combinations(inner, length)
    )
