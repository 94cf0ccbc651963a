"""A benchmark: cells that can be queried, and the accuracies that a query returns."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from nadlab.spaces import Cells, SearchSpace

Split = Literal["valid", "test"]
SPLITS: tuple[Split, Split] = ("valid", "test")


class Evaluated(Protocol):
    """Anything with an accuracy in percent for each split, None where the benchmark has none."""

    @property
    def valid(self) -> float | None: ...
    @property
    def test(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One trained architecture: accuracies in percent, None where the benchmark has none."""

    valid: float | None
    test: float | None


def accuracy(evaluated: Evaluated, split: Split) -> float:
    """Return the accuracy on a split that the benchmark has, in percent."""
    value = evaluated.valid if split == "valid" else evaluated.test
    assert value is not None
    return value


def evaluations(valid: NDArray[np.float64], test: NDArray[np.float64]) -> list[Evaluation]:
    """Return accuracies of both splits, (N,), as evaluations; NaN becomes None."""
    pairs = zip(valid.tolist(), test.tolist(), strict=True)
    return [Evaluation(*(None if np.isnan(value) else value for value in pair)) for pair in pairs]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a benchmark declares about its answers; the defaults claim nothing."""

    answers: Literal["stored", "predicted", "trained"] = "trained"
    """`stored` trainings are looked up, `predicted` ones come from a surrogate; each of the others costs a training"""
    trained_by: str = ""
    """who trained the cells and by which code; empty where the benchmark does not say"""
    held_out: bool = False
    """whether no setting is chosen on it, so that what is reported on it is untouched: tuning studies refuse it"""

    @property
    def free(self) -> bool:
        """Whether an answer costs nothing, so that diagnostics may look at cells that no search queried."""
        return self.answers != "trained"


class Oracle(Protocol):
    """A benchmark. Methods reach it through a `QueryLedger` only. It may have `facts` (`Facts`) as well."""

    @property
    def name(self) -> str: ...
    @property
    def space(self) -> SearchSpace: ...
    @property
    def search_split(self) -> Split:
        """The split whose accuracy a query returns; the paper searches NAS-Bench-201 by test accuracy."""
        ...

    @property
    def report_split(self) -> Split:
        """The split by which a result is judged: test where there is one."""
        ...

    @property
    def preset(self) -> str:
        """Name of the protocol (`nadlab.benchmarks.presets`); a result records it."""
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
        """Return whether each valid cell can be queried, shape (N,)."""
        ...

    def evaluate(self, cells: Cells) -> list[Evaluation]:
        """Return the evaluations of queryable cells, in their order."""
        ...


def facts_of(oracle: Oracle) -> Facts:
    """Return what a benchmark declares about its answers; one that declares nothing may train for every answer."""
    facts: Facts = getattr(oracle, "facts", Facts())
    return facts
