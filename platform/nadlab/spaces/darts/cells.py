"""DARTS cells as arrays: sources and operations, the 11-vertex graph, codes, single changes.

Shapes: N cells, 4 nodes, 2 operations a node.
"""

from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from nadlab.spaces.cells import Cells, Keys

INNER_OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
OPERATIONS = ("c_k-2", "c_k-1", *INNER_OPERATIONS, "output")
NODES, VERTICES = 4, 11
CELL_COUNT = (1 * 3 * 6 * 10) * len(INNER_OPERATIONS) ** (2 * NODES)

Ints = NDArray[np.int64]

_PAIRS = np.array(sorted(combinations(range(NODES + 1), 2), key=lambda pair: pair[::-1]))
"""pairs of sources, those of an earlier node first"""
_PAIR_PLACE = np.zeros((NODES + 1, NODES + 1), np.int64)
_PAIR_PLACE[tuple(_PAIRS.T)] = np.arange(len(_PAIRS))
_PERMUTATIONS = np.array(list(permutations(range(NODES))))
_RADIX = np.array([node * (node + 1) // 2 * 49 for node in range(1, NODES + 1)])
_SOURCE_CHANGES = np.array(
    [(node, slot, other) for node in range(NODES) for slot in range(2) for other in range(node)], np.int64
)
_OPERATION_CHANGES = 2 * NODES * (len(INNER_OPERATIONS) - 1)
CHANGES = _OPERATION_CHANGES + len(_SOURCE_CHANGES)


def sources_of(cells: Cells) -> Ints:
    """Return the source of each operation, shape (N, 4, 2): 0 and 1 the inputs, 2 to 5 the nodes, -1 neither."""
    found = np.full((len(cells), 2 * NODES), -1, np.int64)
    for source, vertex in enumerate((0, 1, 2, 4, 6)):
        found[cells.adjacency[:, vertex, 2:10] > 0] = source
    return found.reshape(-1, NODES, 2)


def operations_of(cells: Cells) -> Ints:
    """Return each operation as an index into INNER_OPERATIONS, shape (N, 4, 2)."""
    return cells.operations[:, 2:10].astype(np.int64).reshape(-1, NODES, 2) - 2


def cells_of(sources: Ints, operations: Ints) -> Cells:
    """Build cells from `sources_of` and `operations_of`; a node's operations are put in the order of their sources."""
    order = np.argsort(sources, axis=2, kind="stable")
    sources, operations = np.take_along_axis(sources, order, 2), np.take_along_axis(operations, order, 2)
    labels = np.zeros((len(sources), VERTICES), np.uint8)
    labels[:, 1] = 1
    labels[:, 2:10] = operations.reshape(-1, 2 * NODES) + 2
    labels[:, 10] = len(OPERATIONS) - 1
    return Cells(adjacency_of(sources), labels)


def pair_places(sources: int) -> Ints:
    """Return the place of each pair (low, high) among all pairs of that many sources, by low and then high: NAS-Bench-301's order."""
    places = np.full((sources, sources), -1, np.int64)
    low, high = np.triu_indices(sources, 1)
    places[low, high] = np.arange(len(low))
    return places


def adjacency_of(sources: Ints) -> NDArray[np.uint8]:
    """Return the graphs, shape (N, 11, 11)."""
    adjacency = np.zeros((len(sources), VERTICES, VERTICES), np.uint8)
    adjacency[:, 2:10, 10] = 1
    flat = sources.reshape(-1, 2 * NODES)
    rows, targets = np.indices(flat.shape)
    first = np.where(flat < 2, flat, 2 * flat - 2)
    adjacency[rows, first, targets + 2] = 1
    node = flat >= 2
    adjacency[rows[node], first[node] + 1, targets[node] + 2] = 1
    return adjacency


def encode(sources: Ints, operations: Ints) -> Keys:
    """Number cells from 0 to CELL_COUNT - 1, alike for either order of a node's operations, shape (N,)."""
    first, second = sources[:, :, 0], sources[:, :, 1]
    swapped = first > second
    low, high = np.where(swapped[:, :, None], operations[:, :, ::-1], operations).transpose(2, 0, 1)
    digits = _PAIR_PLACE[np.minimum(first, second), np.maximum(first, second)] * 49 + low * 7 + high
    codes = np.zeros(len(sources), np.int64)
    for node in range(NODES):
        codes = codes * _RADIX[node] + digits[:, node]
    return codes


def least_codes(sources: Ints, operations: Ints) -> Keys:
    """Return the least code among all orders of the nodes, alike for isomorphic cells, shape (N,)."""
    best = np.full(len(sources), np.iinfo(np.int64).max)
    for order in _PERMUTATIONS:
        # the new node i is the old node order[i]
        place = np.concatenate([[0, 1], 2 + np.argsort(order)])
        moved = place[sources[:, order]]
        possible = (moved < np.arange(2, 2 + NODES)[:, None]).all(axis=(1, 2))
        codes = encode(moved[possible], operations[possible][:, order])
        best[possible] = np.minimum(best[possible], codes)
    return best


def decode(codes: Keys) -> tuple[Ints, Ints]:
    """Return sources and operations, each (N, 4, 2), of codes."""
    sources, operations = (np.zeros((len(codes), NODES, 2), np.int64) for _ in range(2))
    for node in reversed(range(NODES)):
        codes, digits = np.divmod(codes, _RADIX[node])
        sources[:, node] = _PAIRS[digits // 49]
        operations[:, node] = np.stack(np.divmod(digits % 49, 7), axis=1)
    return sources, operations


def changed(cells: Cells, which: Ints) -> Cells:
    """Apply one of the 60 single changes to each cell: another operation, or another source of one operation."""
    sources, operations = sources_of(cells), operations_of(cells)
    kinds = len(INNER_OPERATIONS)
    relabel = np.flatnonzero(which < _OPERATION_CHANGES)
    place, shift = np.divmod(which[relabel], kinds - 1)
    node, slot = np.divmod(place, 2)
    operations[relabel, node, slot] = (operations[relabel, node, slot] + shift + 1) % kinds
    rewire = np.flatnonzero(which >= _OPERATION_CHANGES)
    node, slot, other = _SOURCE_CHANGES[which[rewire] - _OPERATION_CHANGES].T
    taken = np.sort(sources[rewire, node], axis=1)
    other = other + (other >= taken[:, 0])
    sources[rewire, node, slot] = other + (other >= taken[:, 1])
    return cells_of(sources, operations)
