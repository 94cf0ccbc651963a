"""A search space of one's own: what it leaves out follows from what it has.

Needed: `name`, `operations`, `vertices`, `invalid_reasons`, `keys`, and either `enumerate`, or for a space that is too
large to list `size`, `sample` and `canonical`. Any other method of `SearchSpace` may be there and is then used as it is.
"""

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nadlab.errors import UserError
from nadlab.plugins import instance
from nadlab.spaces.cells import Cells, Keys, SearchSpace, changes, choose, concatenate, is_valid, shown
from nadlab.spaces.check import broken_promises
from nadlab.spaces.structure import LISTED

PROTOCOL = tuple(name for name in vars(SearchSpace) if not name.startswith("_"))
NEEDED = ("name", "operations", "vertices", "invalid_reasons", "keys")
UNLISTED = ("size", "sample", "canonical")
"""needed as well where there is no `enumerate`"""
DRAWS = 20
"""batches that are drawn from a large space to find distinct cells"""


def complete(own: Any) -> SearchSpace:
    """Return a whole `SearchSpace` from an object or a class (called without arguments) that has at least what is needed.

    Raises UserError that names what is absent, or every promise that it breaks.
    """
    made = unchecked(own)
    if made is not own and (broken := broken_promises(made)):
        raise UserError(f"{_class(own)} is not a search space: {'; '.join(broken)}")
    return made


def unchecked(own: Any) -> SearchSpace:
    """Return what `complete` returns, whatever promises it breaks; raise UserError that names what is absent."""
    own = instance(_class(own), own)
    if isinstance(own, DerivedSpace):
        return cast(SearchSpace, own)
    needed = NEEDED if hasattr(own, "enumerate") else NEEDED + UNLISTED
    absent = [name for name in needed if not hasattr(own, name)]
    if absent:
        listed = "" if hasattr(own, "enumerate") else "; with `enumerate` it needs no size, sample and canonical"
        raise UserError(
            f"{_class(own)} is not a search space: it lacks {', '.join(absent)} (nadlab.spaces.SearchSpace){listed}"
        )
    if not hasattr(own, "enumerate") and own.size <= LISTED:
        raise UserError(f"{_class(own)} has {own.size} cells, and up to {LISTED:,} are listed: give it `enumerate`")
    return cast(SearchSpace, DerivedSpace(own))


def _class(own: Any) -> str:
    named = own if isinstance(own, type) else type(own)
    return f"{named.__module__}:{named.__qualname__}"


class DerivedSpace:
    """A `SearchSpace`, equal to itself alone. The methods here are those of a space that has none of its own."""

    name: str
    operations: tuple[str, ...]
    vertices: int
    keys: Callable[[Cells], Keys]
    invalid_reasons: Callable[[Cells], list[str | None]]

    def __init__(self, own: Any) -> None:
        self.own = own
        # an attribute of the object hides the method of its class
        given = {name: getattr(own, name) for name in PROTOCOL if hasattr(own, name) and name != "enumerate"}
        vars(self).update(given)

    @cached_property
    def size(self) -> int:
        return len(self._listed)

    @cached_property
    def _listed(self) -> Cells:
        cells: Cells = self.own.enumerate()
        return cells

    def enumerate(self) -> Cells:
        if not hasattr(self.own, "enumerate"):
            raise UserError(
                f"the space {self.name!r} has {self.size:,} cells, too many to list: draw some by `unlabelled`"
            )
        return self._listed

    @cached_property
    def _listed_keys(self) -> Keys:
        return self.keys(self.enumerate())

    def all_keys(self) -> Keys:
        return self._listed_keys

    @cached_property
    def _first(self) -> tuple[Keys, NDArray[np.int64]]:
        """Return the distinct keys, ascending, and the row of the first cell of each."""
        keys, rows = np.unique(self.all_keys(), return_index=True)
        return keys, rows.astype(np.int64)

    def canonical(self, cells: Cells) -> Cells:
        keys, rows = self._first
        wanted = self.keys(cells)
        places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        unknown = np.flatnonzero(keys[places] != wanted)
        if len(unknown):
            cell = shown(cells[unknown[:1]], cast(SearchSpace, self))
            raise UserError(f"{cell} is not a cell of {self.name!r}: `enumerate` lists none with its key")
        return self.enumerate()[rows[places]]

    def identities(self, cells: Cells) -> Keys:
        return self.keys(cells)

    def sample(self, count: int, rng: np.random.Generator) -> Cells:
        return self.enumerate()[rng.integers(0, self.size, size=count)]

    def unlabelled(self, count: int, rng: np.random.Generator) -> Cells:
        if self.size <= LISTED and hasattr(self.own, "enumerate"):
            return self.enumerate()[choose(np.arange(self.size), count, rng)]
        found = self.sample(0, rng)
        for _ in range(DRAWS):
            found = distinct(concatenate([found, self.sample(count, rng)]))
            if len(found) >= count:
                return found[:count]
        raise UserError(f"{count:,} distinct cells are too many to draw from {self.name!r}: request fewer")

    def format(self, cell: Cells) -> str:
        rows = "/".join("".join(map(str, row)) for row in cell.adjacency[0].tolist())
        return f"{rows};{'|'.join(self.operations[label] for label in cell.operations[0])}"

    def parse(self, text: str) -> Cells:
        matrix, _, names = text.strip().partition(";")
        rows, labels = matrix.split("/"), names.split("|")
        if len(rows) != self.vertices or any(not re.fullmatch(f"[01]{{{self.vertices}}}", row) for row in rows):
            raise UserError(
                f"{text!r} is not a cell of {self.name!r}: it must begin with {self.vertices} rows of 0s and 1s"
            )
        if len(labels) != self.vertices or not set(labels) <= set(self.operations):
            known = ", ".join(self.operations)
            raise UserError(
                f"{text!r} is not a cell of {self.name!r}: it must end with {self.vertices} labels of {known}"
            )
        adjacency = np.array([[[int(digit) for digit in row] for row in rows]], np.uint8)
        cell = Cells(adjacency, np.array([[self.operations.index(label) for label in labels]], np.uint8))
        reason = self.invalid_reasons(cell)[0]
        if reason:
            raise UserError(f"{text!r} is not a cell of {self.name!r}: {reason}")
        return cell

    def neighbours(self, cell: Cells) -> Cells:
        near = distinct(changes(cell, len(self.operations)))
        near = near[is_valid(near, cast(SearchSpace, self))]
        if not len(near):
            return near
        keys, first = np.unique(self.keys(near), return_index=True)
        return near[np.sort(first[keys != self.keys(cell)[0]])]


def distinct(cells: Cells) -> Cells:
    """Return the first of equal cells, in order."""
    flat = np.concatenate([cells.operations, cells.adjacency.reshape(len(cells), -1)], axis=1)
    _, first = np.unique(flat, axis=0, return_index=True)
    return cells[np.sort(first)]
