"""What a benchmark is: cells that can be queried, and the answer to a query."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from nadlab.spaces import Cells, SearchSpace

Split = Literal["valid", "test"]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One trained architecture: accuracies in percent, None where the benchmark has none."""

    valid: float | None
    test: float | None


def evaluations(valid: NDArray[np.float64], test: NDArray[np.float64]) -> list[Evaluation]:
    """Return accuracies of both splits, (N,), as evaluations; NaN becomes None."""
    pairs = zip(valid.tolist(), test.tolist(), strict=True)
    return [Evaluation(*(None if np.isnan(value) else value for value in pair)) for pair in pairs]


class Oracle(Protocol):
    """A benchmark. Methods never see it: they see the `QueryLedger` in front of it."""

    @property
    def name(self) -> str: ...
    @property
    def space(self) -> SearchSpace: ...
    @property
    def search_split(self) -> Split:
        """The accuracy that a query answers with; the paper searches NAS-Bench-201 by test accuracy."""
        ...

    @property
    def report_split(self) -> Split:
        """The accuracy that a result is judged by: test where there is one."""
        ...

    @property
    def preset(self) -> str:
        """Name of the protocol that it answers by (`nadlab.benchmarks.presets`); a result records it."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of the table's file."""
        ...

    @property
    def optimum(self) -> float:
        """Best reported accuracy of a queryable cell, in percent."""
        ...

    @property
    def queryable_count(self) -> int:
        """Number of cells that can be queried."""
        ...

    def pool(self) -> Cells:
        """Return the cells that can be queried, in a fixed order; where the space is too large to list, a fixed sample."""
        ...

    def queryable(self, cells: Cells) -> NDArray[np.bool_]:
        """Say which valid cells can be queried, shape (N,)."""
        ...

    def evaluate(self, cells: Cells) -> list[Evaluation]:
        """Answer for queryable cells, in their order."""
        ...
