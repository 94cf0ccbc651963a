"""The DARTS space of NAS-Bench-301: two inputs, 4 nodes with two inputs each, 7 operations, 1,037,664,180 cells.

The 11-vertex form of arch2vec (Yan et al. 2020) with one cell for both kinds (normal = reduction): vertices 0 and
1 are the outputs of the two cells before, 2 to 9 the operations (two a node, the node's sum is not a vertex), 10
the output, which joins all of them. An operation that reads a node has edges from both of its operations.

Cells that differ by the order of their nodes are isomorphic (the output is a concatenation) and share a key; the
identity tells them apart, as the surrogate does. The notation is the genotype of DARTS, for example
`Genotype(normal=[('skip_connect', 0), ...], normal_concat=[2, 3, 4, 5], reduce=[...], reduce_concat=[2, 3, 4, 5])`.
"""

import numpy as np

from nadlab.errors import UserError
from nadlab.spaces.cells import Cells, Keys, first_broken
from nadlab.spaces.darts.cells import (
    CELL_COUNT,
    CHANGES,
    INNER_OPERATIONS,
    NODES,
    OPERATIONS,
    VERTICES,
    adjacency_of,
    cells_of,
    changed,
    decode,
    encode,
    least_codes,
    operations_of,
    sources_of,
)
from nadlab.spaces.darts.genotypes import format_genotype, parse_genotype

_CHUNK = 1 << 13


class DARTS:
    """The search space; see `SearchSpace` for each method's contract."""

    name = "darts"
    operations = OPERATIONS
    vertices = VERTICES
    size = CELL_COUNT

    def unlabelled(self, count: int, rng: np.random.Generator) -> Cells:
        codes = rng.integers(0, CELL_COUNT, size=count + count // 50 + 16)
        _, first = np.unique(self.keys(cells_of(*decode(codes))), return_index=True)
        if len(first) < count:
            raise UserError(f"{count:,} distinct cells are too many to draw from 'darts': request fewer")
        return cells_of(*decode(codes[np.sort(first)[:count]]))

    def canonical(self, cells: Cells) -> Cells:
        return cells_of(*decode(self.keys(cells)))

    def invalid_reasons(self, cells: Cells) -> list[str | None]:
        inner, sources = cells.operations[:, 2:10], sources_of(cells)
        graphs = adjacency_of(np.maximum(sources, 0))
        rules = [
            (
                np.any(cells.operations[:, :2] != (0, 1), axis=1) | (cells.operations[:, 10] != len(OPERATIONS) - 1),
                "the first two vertices must be the inputs and the last the output",
            ),
            (
                np.any((inner < 2) | (inner >= len(OPERATIONS) - 1), axis=1),
                "an input or the output stands on an operation's vertex",
            ),
            (
                np.any(sources < 0, axis=(1, 2)) | np.any(graphs != cells.adjacency, axis=(1, 2)),
                "an operation must read one input or one earlier node, and feed the output",
            ),
            (np.any(sources[:, :, 0] == sources[:, :, 1], axis=1), "both operations of a node read the same source"),
        ]
        return first_broken(rules)

    def keys(self, cells: Cells) -> Keys:
        # in chunks that fit the processor's cache
        parts = [cells[start : start + _CHUNK] for start in range(0, len(cells), _CHUNK)]
        return np.concatenate([least_codes(sources_of(part), operations_of(part)) for part in parts or [cells]])

    def identities(self, cells: Cells) -> Keys:
        return encode(sources_of(cells), operations_of(cells))

    def parse(self, text: str) -> Cells:
        pairs = parse_genotype(text, INNER_OPERATIONS)
        sources = np.array([source for _, source in pairs]).reshape(1, NODES, 2)
        operations = np.array([INNER_OPERATIONS.index(operation) for operation, _ in pairs]).reshape(1, NODES, 2)
        cell = cells_of(sources, operations)
        reason = self.invalid_reasons(cell)[0]
        if reason:
            raise UserError(f"{text!r} is not a DARTS cell: {reason}")
        return cell

    def format(self, cell: Cells) -> str:
        sources, operations = sources_of(cell)[0].ravel(), operations_of(cell)[0].ravel()
        return format_genotype(
            [(INNER_OPERATIONS[o], s) for o, s in zip(operations.tolist(), sources.tolist(), strict=True)]
        )

    def sample(self, count: int, rng: np.random.Generator) -> Cells:
        return cells_of(*decode(rng.integers(0, CELL_COUNT, size=count)))

    def neighbours(self, cell: Cells) -> Cells:
        return changed(cell[np.zeros(CHANGES, np.int64)], np.arange(CHANGES))
