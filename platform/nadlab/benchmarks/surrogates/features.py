"""What a surrogate reads of a cell."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nadlab.spaces import Cells, space
from nadlab.spaces.darts.cells import INNER_OPERATIONS as DARTS_OPERATIONS
from nadlab.spaces.darts.cells import NODES, operations_of, pair_places, sources_of
from nadlab.spaces.nasbench101 import INNER_OPERATIONS, VERTICES, prune

_UPPER = np.triu_indices(VERTICES, 1)
_FIRST_EDGE = (0, 2, 5, 9)
"""Edge number of (node, source 0): node 2 has edges 0 and 1, node 3 edges 2 to 4, and so on."""
CHOICES = tuple(f"edge_{edge}" for edge in range(14)) + tuple(f"inputs_node_{node}" for node in (3, 4, 5))
"""What `darts_choices` returns, as NAS-Bench-301 names it."""


def nasbench101_vectors(cells: Cells) -> NDArray[np.float64]:
    """Return the features of valid NAS-Bench-101 cells, (N, 52), alike for isomorphic cells.

    The class representative's adjacency above the diagonal (21) and labels one-hot (15); of each operation how many
    there are, the most and the fewest on a path, and how many feed the output (4 x 3 = 12); edges, vertices, the
    logarithm of the number of paths, and whether the input feeds the output (4).
    """
    pruned = prune(space("nasbench101").canonical(cells))
    adjacency = pruned.adjacency.astype(np.float64)
    labels = np.stack([pruned.operations == label for label in range(1, 1 + len(INNER_OPERATIONS))], axis=2)
    count = labels.sum(axis=1)
    most, fewest, paths = _along_paths(adjacency, labels.astype(np.float64))
    before_output = (adjacency[:, :, -1, None] * labels).sum(axis=1)
    whole = np.stack(
        [
            adjacency.sum(axis=(1, 2)),
            count.sum(axis=1),
            np.log(paths),
            adjacency[:, 0, -1],
        ],
        axis=1,
    )
    parts = (adjacency[:, *_UPPER], labels[:, 1:-1].reshape(len(cells), -1), count, most, fewest, before_output, whole)
    return np.concatenate(parts, axis=1).astype(np.float64)


def _along_paths(
    adjacency: NDArray[np.float64], labels: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the most and the fewest of each operation on a path to the output, (N, 3), and the number of paths, (N,)."""
    most, fewest = np.full_like(labels, -np.inf), np.full_like(labels, np.inf)
    paths = np.zeros(labels.shape[:2])
    most[:, 0], fewest[:, 0], paths[:, 0] = 0.0, 0.0, 1.0
    for vertex in range(1, VERTICES):
        edges = adjacency[:, :vertex, vertex, None] > 0
        most[:, vertex] = np.where(edges, most[:, :vertex], -np.inf).max(axis=1) + labels[:, vertex]
        fewest[:, vertex] = np.where(edges, fewest[:, :vertex], np.inf).min(axis=1) + labels[:, vertex]
        paths[:, vertex] = (adjacency[:, :vertex, vertex] * paths[:, :vertex]).sum(axis=1)
    return most[:, -1], fewest[:, -1], paths[:, -1]


def darts_vectors(cells: Cells) -> NDArray[np.float64]:
    """Return the features of valid DARTS cells, (N, 77).

    Of each operation how many there are, and how many read an input, the earlier one, the later one (28) and at each
    node (28); how many operations read each input and node (5); of each node the most operations on a path from an
    input, and the most and the fewest convolutions on one (12), their greatest values and sums (4).
    """
    sources, operations = sources_of(cells), operations_of(cells)
    kinds = operations[..., None] == np.arange(len(DARTS_OPERATIONS))
    read = [np.ones_like(sources, bool), sources < 2, sources == 0, sources == 1]
    counts = [(kinds & which[..., None]).sum(axis=(1, 2)) for which in read]
    readers = (sources[..., None] == np.arange(2 + NODES - 1)).sum(axis=(1, 2))
    convolution = (operations >= DARTS_OPERATIONS.index("sep_conv_3x3")).astype(np.int64)
    steps = (np.ones_like(convolution), convolution, convolution)
    longest = [np.zeros((len(cells), 2 + NODES)) for _ in steps]
    rows = np.arange(len(cells))[:, None]
    for node in range(NODES):
        for length, step, pick in zip(longest, steps, (np.max, np.max, np.min), strict=True):
            length[:, 2 + node] = pick(length[rows, sources[:, node]] + step[:, node], axis=1)
    most, deepest, fewest = (length[:, 2:] for length in longest)
    whole = np.stack([most.max(axis=1), most.sum(axis=1), deepest.max(axis=1), deepest.sum(axis=1)], axis=1)
    per_node = kinds.sum(axis=2).reshape(len(cells), -1)
    return np.concatenate([*counts, per_node, readers, most, deepest, fewest, whole], axis=1).astype(np.float64)


def darts_choices(cells: Cells) -> NDArray[np.float64]:
    """Return the choices that NAS-Bench-301 describes valid DARTS cells by, (N, 17), in the order of CHOICES.

    Of each edge its operation's index, -1 where it does not exist; of each later node the place of its pair of inputs.
    """
    sources, operations = sources_of(cells), operations_of(cells)
    choices = np.full((len(cells), len(CHOICES)), -1.0)
    rows = np.arange(len(cells))
    for node, first_edge in enumerate(_FIRST_EDGE):
        for slot in range(2):
            choices[rows, first_edge + sources[:, node, slot]] = operations[:, node, slot]
        if node:
            low, high = sources[:, node].min(axis=1), sources[:, node].max(axis=1)
            choices[:, CHOICES.index(f"inputs_node_{node + 2}")] = pair_places(node + 2)[low, high]
    return choices


VECTORS: dict[str, Callable[[Cells], NDArray[np.float64]]] = {
    "darts_choices": darts_choices,
    "nasbench101": nasbench101_vectors,
    "darts": darts_vectors,
}
"""Name -> features of valid cells, float64 (N, F). A surrogate's file names the ones that it was fitted to."""

WIDTHS = {"darts_choices": 17, "nasbench101": 52, "darts": 77}
"""Name -> F."""
