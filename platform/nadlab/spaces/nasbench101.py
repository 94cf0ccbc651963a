"""NAS-Bench-101 (Ying et al. 2019): DAGs of at most 7 vertices and 9 edges, operations on vertices, 423,624 cells.

Here every cell has exactly 7 vertices: input first, output last, and vertices that it lacks are isolated and
labelled `absent`. Isomorphic cells then differ by a permutation of the five inner vertices alone, and the
canonical key is the least code over the permutations that keep the matrix upper triangular.

The notation is that of `nasbench101_sample.csv`: rows of the adjacency matrix joined by '/', a ';', labels joined
by '|', for example `011/001/000;input|conv3x3-bn-relu|output`.
"""

from functools import cache
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from nadlab.errors import UserError
from nadlab.spaces.cells import Cells, Keys, choose, concatenate, first_broken, is_valid
from nadlab.spaces.listings import once

VERTICES = 7
MAX_EDGES = 9
CELL_COUNT = 423_624
INNER_OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
OPERATIONS = ("input", *INNER_OPERATIONS, "output", "absent")
INPUT, OUTPUT, ABSENT = 0, 4, 5

_ROWS, _COLUMNS = np.triu_indices(VERTICES, 1)
_EDGE_BITS = 2 ** np.arange(len(_ROWS), dtype=np.int64)[::-1]
_LABEL_PLACES = 4 ** np.arange(5, dtype=np.int64)[::-1]
_LABEL_CODES = 4**5
_PERMUTATIONS = np.array([(0, *inner, 6) for inner in permutations(range(1, 6))])
_TURNED = 2.0**40
"""code of an edge that a permutation turns around: more than any cell's, and the identity turns none"""
_CHUNK = 1 << 12
_GRAPHS = 1 << 16
"""codes of edges that are looked at together, so that a listing takes little memory"""


class NASBench101:
    """The search space; see `SearchSpace` for each method's contract."""

    name = "nasbench101"
    operations = OPERATIONS
    vertices = VERTICES
    size = CELL_COUNT

    def enumerate(self) -> Cells:
        keys = all_keys()  # part by part: decoding takes several times the memory of the cells
        return concatenate([cells_of_keys(keys[start : start + _GRAPHS]) for start in range(0, len(keys), _GRAPHS)])

    def all_keys(self) -> Keys:
        return all_keys()

    def unlabelled(self, count: int, rng: np.random.Generator) -> Cells:
        return cells_of_keys(choose(all_keys(), count, rng))

    def canonical(self, cells: Cells) -> Cells:
        return cells_of_keys(self.keys(cells))

    def invalid_reasons(self, cells: Cells) -> list[str | None]:
        pruned = prune(cells)
        edges = pruned.adjacency.sum(axis=(1, 2), dtype=np.int64)
        wrong_ends = (cells.operations[:, 0] != INPUT) | (cells.operations[:, -1] != OUTPUT)
        lower = np.tril(cells.adjacency).any(axis=(1, 2))
        inner = pruned.operations[:, 1:-1]
        live = pruned.adjacency[:, :, 1:-1].any(axis=1)
        wrong_inside = (live & ~np.isin(inner, (1, 2, 3))).any(axis=1)
        rules = [
            (wrong_ends, "the first vertex must be 'input' and the last 'output'"),
            (lower, "the adjacency matrix must be upper triangular"),
            (edges == 0, "no path leads from the input to the output"),
            (edges > MAX_EDGES, f"more than {MAX_EDGES} edges lie on paths from input to output"),
            (wrong_inside, f"an inner vertex on a path must be one of {', '.join(INNER_OPERATIONS)}"),
        ]
        return first_broken(rules)

    def keys(self, cells: Cells) -> Keys:
        pruned = prune(cells)
        labels = np.where(pruned.operations[:, 1:-1] == ABSENT, 3, pruned.operations[:, 1:-1] - 1)
        return _least_codes(pruned.adjacency[:, _ROWS, _COLUMNS], labels)

    def identities(self, cells: Cells) -> Keys:
        return self.keys(cells)

    def parse(self, text: str) -> Cells:
        matrix_text, _, label_text = text.strip().partition(";")
        rows, labels = matrix_text.split("/"), label_text.split("|")
        count = len(rows)
        if not 2 <= count <= VERTICES or any(len(row) != count or set(row) - {"0", "1"} for row in rows):
            raise UserError(
                f"{text!r} is not a NAS-Bench-101 cell: the adjacency must be 2 to {VERTICES} rows of as many 0s and 1s, joined by '/'"
            )
        unknown = [label for label in labels if label not in OPERATIONS[:-1]]
        if len(labels) != count or unknown:
            raise UserError(
                f"{text!r} is not a NAS-Bench-101 cell: it needs {count} labels joined by '|', each one of {', '.join(OPERATIONS[:-1])}"
            )
        cell = padded(
            np.array([[int(digit) for digit in row] for row in rows], np.uint8),
            [OPERATIONS.index(label) for label in labels],
        )
        reason = self.invalid_reasons(cell)[0]
        if reason:
            raise UserError(f"{text!r} is not a NAS-Bench-101 cell: {reason}")
        return cell

    def format(self, cell: Cells) -> str:
        pruned = prune(cell)
        present = np.flatnonzero(pruned.operations[0] != ABSENT)
        matrix = pruned.adjacency[0][np.ix_(present, present)]
        rows = "/".join("".join(map(str, row)) for row in matrix.tolist())
        return f"{rows};{'|'.join(OPERATIONS[o] for o in pruned.operations[0, present])}"

    def sample(self, count: int, rng: np.random.Generator) -> Cells:
        keys = all_keys()
        return cells_of_keys(keys[rng.integers(0, len(keys), size=count)])

    def neighbours(self, cell: Cells) -> Cells:
        adjacency = [np.array(cell.adjacency[0]) for _ in _ROWS]
        for matrix, row, column in zip(adjacency, _ROWS, _COLUMNS, strict=True):
            matrix[row, column] ^= 1
        # an absent vertex takes part through any label, so an edge flip can bring it to life
        base = cell.operations[0]
        flipped = [
            Cells(
                np.stack(adjacency),
                np.repeat(np.where(base == ABSENT, label, base)[None], len(_ROWS), axis=0).astype(np.uint8),
            )
            for label in (1, 2, 3)
        ]
        relabelled = [
            Cells(cell.adjacency, np.where(np.arange(VERTICES) == vertex, label, base)[None].astype(np.uint8))
            for vertex in range(1, 6)
            if base[vertex] != ABSENT
            for label in (1, 2, 3)
            if label != base[vertex]
        ]
        near = concatenate([*flipped, *relabelled])
        near = prune(near[is_valid(near, self)])
        keys, first = np.unique(self.keys(near), return_index=True)
        return near[first[keys != self.keys(cell)[0]]]


def padded(adjacency: NDArray[np.uint8], labels: list[int]) -> Cells:
    """Put a cell of 2-7 vertices on 7 vertices: its output last, `absent` vertices before it."""
    places = [*range(len(labels) - 1), VERTICES - 1]
    full = np.zeros((1, VERTICES, VERTICES), np.uint8)
    full[0][np.ix_(places, places)] = adjacency
    operations = np.full((1, VERTICES), ABSENT, np.uint8)
    operations[0, places] = labels
    return Cells(full, operations)


def prune(cells: Cells) -> Cells:
    """Drop every vertex that lies on no path from input to output (the benchmark's own first step)."""
    reach = np.zeros((len(cells), VERTICES), bool)
    useful = np.zeros_like(reach)
    reach[:, 0] = useful[:, -1] = True
    for vertex in range(1, VERTICES):
        reach[:, vertex] = (reach[:, :vertex] & (cells.adjacency[:, :vertex, vertex] > 0)).any(axis=1)
    for vertex in range(VERTICES - 2, -1, -1):
        useful[:, vertex] = (useful[:, vertex + 1 :] & (cells.adjacency[:, vertex, vertex + 1 :] > 0)).any(axis=1)
    live = reach & useful
    live[:, 0] = live[:, -1] = True
    adjacency = cells.adjacency * (live[:, :, None] & live[:, None, :])
    return Cells(adjacency.astype(np.uint8), np.where(live, cells.operations, ABSENT).astype(np.uint8))


@cache
def _code_places() -> NDArray[np.float64]:
    """Return what each edge and each inner vertex's label adds to a cell's code under each permutation, (21 + 5, 120)."""
    new_of_old = np.argsort(_PERMUTATIONS, axis=1)  # new vertex i is old vertex permutation[i]
    sources, targets = new_of_old[:, _ROWS], new_of_old[:, _COLUMNS]
    bits = np.zeros((VERTICES, VERTICES))
    bits[_ROWS, _COLUMNS] = _EDGE_BITS * _LABEL_CODES
    edges = np.where(sources < targets, bits[sources, targets], _TURNED)
    return np.concatenate([edges, _LABEL_PLACES[new_of_old[:, 1:-1] - 1]], axis=1).T.copy()


def _least_codes(edges: NDArray[np.integer], labels: NDArray[np.integer]) -> Keys:
    """Return the least code over all permutations; edges (N, 21) are 0 or 1, labels of inner vertices (N, 5) 0 to 3."""
    digits = np.concatenate([edges, labels], axis=1)
    least = np.empty(len(digits), np.int64)
    for start in range(0, len(digits), _CHUNK):
        part = slice(start, start + _CHUNK)
        # in floats, where a product is fast; all numbers are whole and below 2^53, so it is exact
        least[part] = (digits[part].astype(np.float64) @ _code_places()).min(axis=1)
    return least


def cells_of_keys(keys: Keys) -> Cells:
    """Decode canonical keys, shape (N,), into cells."""
    graphs, labels = np.divmod(keys, _LABEL_CODES)
    adjacency = np.zeros((len(keys), VERTICES, VERTICES), np.uint8)
    adjacency[:, _ROWS, _COLUMNS] = (graphs[:, None] & _EDGE_BITS) > 0
    operations = np.zeros((len(keys), VERTICES), np.uint8)
    inner = labels[:, None] // _LABEL_PLACES % 4 + 1
    operations[:, 1:-1] = np.where(inner == 4, ABSENT, inner)
    operations[:, -1] = OUTPUT
    return Cells(adjacency, operations)


def all_keys() -> Keys:
    """Return the key of every cell, in ascending order; none can be written to."""
    return once("nasbench101", "keys", _enumerate)


def _enumerate() -> Keys:
    """Find one representative graph a class, then its labellings up to automorphism."""
    starts = range(0, 2 ** len(_ROWS), _GRAPHS)
    found = [_representatives(np.arange(start, start + _GRAPHS, dtype=np.int64)) for start in starts]
    keys = np.concatenate([_labellings(graph) for graphs in found for graph in graphs])
    keys.flags.writeable = False  # as it is where workers share it
    return keys


def _representatives(codes: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the graphs of codes of edges that stand for their class, their labels left out."""
    codes = codes[np.bitwise_count(codes) <= MAX_EDGES]
    adjacency = np.zeros((len(codes), VERTICES, VERTICES), np.uint8)
    adjacency[:, _ROWS, _COLUMNS] = (codes[:, None] & _EDGE_BITS) > 0
    ends = np.zeros((len(codes), VERTICES), np.uint8)
    pruned = prune(Cells(adjacency, ends))
    tidy = np.flatnonzero((pruned.adjacency == adjacency).all(axis=(1, 2)) & adjacency.any(axis=(1, 2)))
    adjacency, codes = adjacency[tidy], codes[tidy]
    least = _least_codes(adjacency[:, _ROWS, _COLUMNS], np.zeros((len(codes), 5), np.uint8)) // _LABEL_CODES
    found: NDArray[np.uint8] = adjacency[least == codes]
    return found


def _labellings(graph: NDArray[np.uint8]) -> Keys:
    live = graph[:, 1:-1].max(axis=0)
    labels = np.array(list(product(*[(0, 1, 2) if alive else (3,) for alive in live])), np.uint8)
    edges = graph[_ROWS, _COLUMNS]
    return np.unique(_least_codes(np.broadcast_to(edges, (len(labels), len(edges))), labels))
