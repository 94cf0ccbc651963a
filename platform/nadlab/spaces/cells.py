"""Architectures as values: a batch of cells (A, X) and the protocol that every search space meets.

Shapes: N cells, V vertices, K operation labels. A cell is the paper's adjacency matrix A (V x V, upper
triangular) and operation matrix X (V x K, one-hot, here as label indices); one cell is a batch of one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nadlab.errors import UserError

Keys = NDArray[np.int64]
LONGEST = 120
"""characters of a cell in a sentence"""


@dataclass(frozen=True, slots=True)
class Cells:
    """N cells of one space.

    adjacency: uint8 (N, V, V), 1 where an edge runs from row to column, upper triangular.
    operations: uint8 (N, V), index into the space's `operations`.
    """

    adjacency: NDArray[np.uint8]
    operations: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.operations)

    def __getitem__(self, index: slice | NDArray[np.int64] | NDArray[np.bool_] | list[int]) -> "Cells":
        return Cells(self.adjacency[index], self.operations[index])

    def __iter__(self) -> Iterator["Cells"]:
        return (self[i : i + 1] for i in range(len(self)))


def concatenate(parts: list[Cells]) -> Cells:
    """Join batches of one space in order; at least one part."""
    return Cells(
        np.concatenate([part.adjacency for part in parts]), np.concatenate([part.operations for part in parts])
    )


def choose(keys: Keys, count: int, rng: np.random.Generator) -> Keys:
    """Draw `count` of the keys without replacement; raise UserError when there are fewer."""
    if count > len(keys):
        raise UserError(f"{count:,} distinct cells were requested, but the space has {len(keys):,}: request fewer")
    return rng.choice(keys, count, replace=False)


def first_broken(rules: Sequence[tuple[NDArray[np.bool_], str]]) -> list[str | None]:
    """Return for each cell the sentence of the first rule that it breaks, or None; a rule: where it is broken, (N,)."""
    found = np.full(len(rules[0][0]), None, object)
    for broken, sentence in reversed(rules):
        found[broken] = sentence
    return list(found)


class SearchSpace(Protocol):
    """A search space: what needs no query. The last vertex is the output.

    One of your own may leave out what `nadlab.spaces.complete` derives: docs/own_space.md. Methods propose cells with any
    labels and any edges from an earlier to a later vertex; `invalid_reasons` meets them all, the other methods valid ones.
    """

    def __hash__(self) -> int:
        """What is made for a space is kept by the object; its name alone may be another's."""
        ...

    @property
    def name(self) -> str: ...
    @property
    def operations(self) -> tuple[str, ...]:
        """Labels of the vertices; the position is the column of X."""
        ...

    @property
    def vertices(self) -> int: ...
    @property
    def size(self) -> int:
        """Number of cells, without listing them."""
        ...

    def enumerate(self) -> Cells:
        """Return every cell of the space once, always in the same order; raise UserError where they are too many."""
        ...

    def all_keys(self) -> Keys:
        """Return the canonical key of every cell of `enumerate`, without computing it anew; raise as it does."""
        ...

    def unlabelled(self, count: int, rng: np.random.Generator) -> Cells:
        """Draw distinct cells uniformly, for methods that learn from cells without accuracies.

        Raises UserError when the space has fewer.
        """
        ...

    def canonical(self, cells: Cells) -> Cells:
        """Return the one cell of `enumerate` that stands for each valid cell's isomorphism class."""
        ...

    def invalid_reasons(self, cells: Cells) -> list[str | None]:
        """Return for each cell None, or a sentence that names the first rule that it breaks."""
        ...

    def keys(self, cells: Cells) -> Keys:
        """Return the canonical key of each valid cell, shape (N,): equal exactly for isomorphic cells."""
        ...

    def identities(self, cells: Cells) -> Keys:
        """Return the number of each valid cell's notation, shape (N,): a table may tell isomorphic strings apart."""
        ...

    def parse(self, text: str) -> Cells:
        """Read one cell from the benchmark's notation; raise UserError with the reason when it is none."""
        ...

    def format(self, cell: Cells) -> str:
        """Write one cell (a batch of one) in the benchmark's notation."""
        ...

    def sample(self, count: int, rng: np.random.Generator) -> Cells:
        """Draw cells uniformly from the enumeration, with replacement."""
        ...

    def neighbours(self, cell: Cells) -> Cells:
        """Return every distinct valid cell one change away from one cell, itself left out."""
        ...


def shown(cell: Cells, space: SearchSpace) -> str:
    """Return a cell's notation for a sentence; of a long one the middle is left out."""
    text = space.format(cell)
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 4]}…{text[-LONGEST // 2 :]}"


def is_valid(cells: Cells, space: SearchSpace) -> NDArray[np.bool_]:
    """Return whether each cell keeps every rule of the space, (N,)."""
    return np.array([reason is None for reason in space.invalid_reasons(cells)], bool)


def changes(cell: Cells, operations: int) -> Cells:
    """Return one cell with one label changed, one edge turned on or off, or one edge led from another source."""
    adjacency, labels = cell.adjacency[0], cell.operations[0]
    vertices = len(labels)
    parts: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    for vertex in range(vertices):
        for label in range(operations):
            other = labels.copy()
            other[vertex] = label
            parts.append((adjacency, other))
    for target in range(1, vertices):
        before = adjacency[:target, target]
        flips = before ^ np.eye(target, dtype=np.uint8)
        moves = [
            flip ^ again
            for i, flip in enumerate(np.eye(target, dtype=np.uint8))
            for again in np.eye(target, dtype=np.uint8)[:i]
        ]
        moved = [before ^ both for both in moves if (before & both).sum() == 1]
        for column in [*flips, *moved]:
            matrix = adjacency.copy()
            matrix[:target, target] = column
            parts.append((matrix, labels))
    return Cells(*(np.stack(arrays) for arrays in zip(*parts, strict=True)))
