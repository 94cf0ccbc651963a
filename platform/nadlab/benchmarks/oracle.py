"""A benchmark: cells that can be queried, and the accuracies that a query returns."""

import math
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
    """who trained the cells; empty where the benchmark does not say"""
    training_code: str = ""
    """the command that trains them anew; empty where the benchmark names none"""
    held_out: bool = False
    """whether no setting is chosen on it, so that what is reported on it is untouched: tuning studies refuse it"""

    @property
    def free(self) -> bool:
        """Whether an answer costs nothing, so that diagnostics may look at cells that no search queried."""
        return self.answers != "trained"


@dataclass(frozen=True, slots=True)
class Metric:
    """What a benchmark's answers are: name, unit, direction, and the range that they may have."""

    name: str = "accuracy"
    unit: str = "%"
    """empty where there is none"""
    maximise: bool = True
    low: float | None = 0.0
    """least possible value, None where there is none"""
    high: float | None = 100.0
    """greatest possible value, None where there is none"""

    def score(self, value: float) -> float:
        """Return what methods maximise: the value, negated where it is to be minimised."""
        return value if self.maximise else -value

    def text(self, value: float) -> str:
        """Return a value with its unit."""
        return f"{value:.2f} {self.unit}".rstrip()

    @property
    def range_text(self) -> str:
        """The range in words."""
        if self.low is None or self.high is None:
            ends = [("at least", self.low), ("at most", self.high)]
            return " ".join(["a finite number", *(f"of {word} {end:g}" for word, end in ends if end is not None)])
        return f"a number from {self.low:g} to {self.high:g}"

    def number(self, value: object) -> float | None:
        """Return a number in the range, NumPy's too, as a plain float; None for anything else, such as NaN, a bool or text."""
        if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
            return None
        low, high = -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high
        try:
            number = float(value)
        except OverflowError:  # an integer beyond every float
            return None
        return number if math.isfinite(number) and low <= number <= high else None


ACCURACY = Metric()


class Oracle(Protocol):
    """A benchmark. Methods reach it through a `QueryLedger` only.

    It may have `facts` (`Facts`), `metric` (`Metric`) and `optimum`, the best reported answer of a queryable cell, as well.
    """

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
        """Return the evaluations of queryable cells, in their order; a ledger never repeats a cell."""
        ...


STORED, PREDICTED = Facts("stored"), Facts("predicted")


def metric_of(oracle: Oracle) -> Metric:
    """Return what a benchmark's answers are: accuracies in percent where it declares nothing else."""
    metric: Metric = getattr(oracle, "metric", ACCURACY)
    return metric


def facts_of(oracle: Oracle) -> Facts:
    """Return what a benchmark declares about its answers; one that declares nothing may train for every answer."""
    facts: Facts = getattr(oracle, "facts", Facts())
    return facts


def optimum_of(oracle: Oracle) -> float | None:
    """Return the best reported accuracy of a queryable cell in percent, None where the benchmark does not know it."""
    optimum = getattr(oracle, "optimum", None)
    return None if optimum is None else float(optimum)
