"""A toy space outside the package: three hidden layers, each reads any earlier vertices; and its error, to be minimised."""

import hashlib
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.fidelity import Fidelities
from nadlab.benchmarks.oracle import Evaluation, Metric, Split
from nadlab.spaces import Cells, SearchSpace, complete

ACTIVATIONS = ("relu", "tanh", "identity")


class Perceptrons:
    """Five vertices: input, three hidden layers in a chain with skips, output; the labels are activations."""

    name = "perceptrons"
    operations = ("input", *ACTIVATIONS, "output")
    vertices = 5

    def enumerate(self) -> Cells:
        skips = list(product((0, 1), repeat=3))
        labels = list(product((1, 2, 3), repeat=3))
        adjacency = np.zeros((len(skips) * len(labels), 5, 5), np.uint8)
        operations = np.zeros((len(adjacency), 5), np.uint8)
        for row, (edges, inner) in enumerate(product(skips, labels)):
            adjacency[row, [0, 1, 2, 3], [1, 2, 3, 4]] = 1
            adjacency[row, [0, 1, 0], [2, 3, 3]] = edges
            operations[row] = (0, *inner, 4)
        return Cells(adjacency, operations)

    def invalid_reasons(self, cells: Cells) -> list[str | None]:
        chain = (cells.adjacency[:, [0, 1, 2, 3], [1, 2, 3, 4]] == 1).all(axis=1)
        to_output = cells.adjacency[:, :3, 4].any(axis=1)
        inner = np.isin(cells.operations[:, 1:4], (1, 2, 3)).all(axis=1)
        ends = (cells.operations[:, 0] == 0) & (cells.operations[:, 4] == 4)
        kept = zip((chain & ~to_output).tolist(), (inner & ends).tolist(), strict=True)
        return [None if a and b else "a layer must read the one before" if b else "a label is wrong" for a, b in kept]

    def keys(self, cells: Cells) -> NDArray[np.int64]:
        edges = cells.adjacency[:, [0, 1, 0], [2, 3, 3]].astype(np.int64) @ np.array([1, 2, 4])
        return np.asarray(edges * 64 + cells.operations[:, 1:4].astype(np.int64) @ np.array([16, 4, 1]), np.int64)


ERROR = Metric("error", "", maximise=False, high=1.0)


@dataclass(frozen=True, eq=False)
class Error:
    """An `Oracle`: the error of a cell, least for skips and `tanh`; a fraction, as a network's loss may be."""

    name: str
    space: SearchSpace
    search_split: Split = "valid"
    report_split: Split = "test"
    preset: str = "paper"
    digest: str = hashlib.sha256(b"perceptrons 1").hexdigest()
    optimum: float = 0.05
    queryable_count: int = 216
    metric: Metric = ERROR
    fidelities: Fidelities = field(default_factory=lambda: Fidelities((3, 9)))

    def pool(self) -> Cells:
        return self.space.enumerate()

    def queryable(self, cells: Cells) -> NDArray[np.bool_]:
        return np.ones(len(cells), bool)

    def evaluate(self, cells: Cells, fidelity: int | None = None) -> list[Evaluation]:
        """A shorter training tells nothing of the skips."""
        skips = cells.adjacency.sum(axis=(1, 2)) - 4 if fidelity is None else 0
        good = (cells.operations == 2).sum(axis=1) + skips
        errors = 0.05 + 0.1 * (6 - good.astype(float))
        return [Evaluation(valid=float(error), test=float(error)) for error in errors]


def toy_space() -> SearchSpace:
    return complete(Perceptrons)


def error(name: str, **changes: Any) -> Error:
    return Error(name, toy_space(), **changes)
