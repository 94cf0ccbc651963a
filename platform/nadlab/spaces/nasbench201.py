"""NAS-Bench-201 (Dong and Yang 2020): 6 edges, 5 operations, 15,625 cells, 6,466 of them unique.

The 8-vertex form of arch2vec (Yan et al. 2020) puts each edge's operation on a vertex between an input and an
output vertex; the adjacency is then the same for every cell. The notation is the benchmark's own, for example
`|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|`.
"""

import re
from functools import cache

import numpy as np
from numpy.typing import NDArray

from nadlab.errors import UserError
from nadlab.spaces.cells import Cells, Keys, choose, first_broken

EDGE_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(source, target) of the six edges, in the order of the notation."""
CELL_COUNT = len(EDGE_OPERATIONS) ** len(EDGES)
_PLACE_VALUES = len(EDGE_OPERATIONS) ** np.arange(len(EDGES))[::-1]


def _graph_form() -> NDArray[np.uint8]:
    adjacency = np.zeros((8, 8), np.uint8)
    for position, (source, target) in enumerate(EDGES):
        if source == 0:
            adjacency[0, position + 1] = 1
        if target == 3:
            adjacency[position + 1, 7] = 1
        for later, (next_source, _) in enumerate(EDGES):
            if next_source == target:
                adjacency[position + 1, later + 1] = 1
    return adjacency


ADJACENCY = _graph_form()


class NASBench201:
    """The search space; see `SearchSpace` for each method's contract."""

    name = "nasbench201"
    operations = ("input", *EDGE_OPERATIONS, "output")
    vertices = 8
    size = CELL_COUNT

    def enumerate(self) -> Cells:
        return cells_of(_all_choices())

    def all_keys(self) -> Keys:
        return _class_of_index()

    def unlabelled(self, count: int, rng: np.random.Generator) -> Cells:
        return self.enumerate()[choose(np.arange(CELL_COUNT), count, rng)]

    def canonical(self, cells: Cells) -> Cells:
        return self.enumerate()[self.keys(cells)]

    def invalid_reasons(self, cells: Cells) -> list[str | None]:
        last = len(self.operations) - 1
        wrong_ends = (cells.operations[:, 0] != 0) | (cells.operations[:, 7] != last)
        wrong_inside = ((cells.operations[:, 1:7] == 0) | (cells.operations[:, 1:7] >= last)).any(axis=1)
        wrong_graph = (cells.adjacency != ADJACENCY).any(axis=(1, 2))
        return first_broken(
            [
                (wrong_ends, "the first vertex must be 'input' and the last 'output'"),
                (wrong_inside, "'input' or 'output' stands on an inner vertex"),
                (wrong_graph, "the graph is not the fixed 8-vertex graph of NAS-Bench-201"),
            ]
        )

    def keys(self, cells: Cells) -> Keys:
        return _class_of_index()[index_of(cells)]

    def identities(self, cells: Cells) -> Keys:
        return index_of(cells)

    def parse(self, text: str) -> Cells:
        nodes = text.strip().split("+")
        found: list[int] = []
        for target, node in enumerate(nodes, start=1):
            edges = re.fullmatch(r"\|((?:[^|~]+~\d\|)+)", node)
            for source, edge in enumerate(edges.group(1).rstrip("|").split("|") if edges else []):
                operation, _, origin = edge.partition("~")
                if operation not in EDGE_OPERATIONS:
                    raise UserError(
                        f"{text!r} is not a NAS-Bench-201 cell: operation {operation!r} is not one of {', '.join(EDGE_OPERATIONS)}"
                    )
                if origin != str(source) or source >= target:
                    raise UserError(
                        f"{text!r} is not a NAS-Bench-201 cell: edge {edge!r} into node {target} must come from node {source}"
                    )
                found.append(EDGE_OPERATIONS.index(operation))
            if len(found) != target * (target + 1) // 2:
                raise UserError(
                    f"{text!r} is not a NAS-Bench-201 cell: node {target} must have {target} edges written |op~source|"
                )
        if len(nodes) != 3:
            raise UserError(
                f"{text!r} is not a NAS-Bench-201 cell: it must have 3 nodes joined by '+', not {len(nodes)}"
            )
        return cells_of(np.array([found]))

    def format(self, cell: Cells) -> str:
        edges = [f"{EDGE_OPERATIONS[o - 1]}~{s}" for o, (s, _) in zip(cell.operations[0, 1:7], EDGES, strict=True)]
        return "+".join(f"|{'|'.join(node)}|" for node in (edges[:1], edges[1:3], edges[3:]))

    def sample(self, count: int, rng: np.random.Generator) -> Cells:
        return cells_of(rng.integers(0, 5, size=(count, 6)))

    def neighbours(self, cell: Cells) -> Cells:
        changed = np.repeat(cell.operations[:, 1:7].astype(np.int64) - 1, 24, axis=0)
        edges, shifts = np.divmod(np.arange(24), 4)
        changed[np.arange(24), edges] = (changed[np.arange(24), edges] + shifts + 1) % 5
        return cells_of(changed)


def cells_of(edge_operations: NDArray[np.int64]) -> Cells:
    """Build cells from indices into EDGE_OPERATIONS, shape (N, 6)."""
    count = len(edge_operations)
    operations = np.zeros((count, 8), np.uint8)
    operations[:, 1:7] = edge_operations + 1
    operations[:, 7] = len(EDGE_OPERATIONS) + 1
    return Cells(np.broadcast_to(ADJACENCY, (count, 8, 8)), operations)


def index_of(cells: Cells) -> Keys:
    """Return each cell's place in `enumerate`, shape (N,)."""
    return np.asarray((cells.operations[:, 1:7].astype(np.int64) - 1) @ _PLACE_VALUES, np.int64)


def computation(edge_operations: tuple[int, ...]) -> str:
    """Describe what a cell computes, alike for isomorphic cells.

    The benchmark's own rule (its API's `to_unique_str` with zeroize considered, NAS-Bench-201 Section 3): a node
    is the sorted sum of its edges, `skip_connect` passes a node on as it is, `none` and all that follows from
    nothing but it is zero. It leaves 6,466 of the 15,625 cells.
    """
    nodes = ["0"]
    edges = iter(zip(EDGES, edge_operations, strict=True))
    for target in (1, 2, 3):
        terms: list[str] = []
        for _ in range(target):
            (source, _), operation = next(edges)
            if operation == 0 or nodes[source] == "#":
                terms.append("#")
            else:
                terms.append(nodes[source] if operation == 1 else f"({nodes[source]})@{operation}")
        nodes.append("+".join(sorted(terms)))
    return nodes[3]


@cache
def _class_of_index() -> Keys:
    first: dict[str, int] = {}
    found = [first.setdefault(computation(tuple(choice)), i) for i, choice in enumerate(_all_choices().tolist())]
    return np.array(found, np.int64)


def _all_choices() -> NDArray[np.int64]:
    return np.stack(np.unravel_index(np.arange(CELL_COUNT), (len(EDGE_OPERATIONS),) * len(EDGES)), axis=1)
