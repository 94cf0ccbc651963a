"""A benchmark: cells that can be queried, and the accuracies that a query returns."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from nadlab.spaces import Cells, SearchSpace

Split = Literal["valid", "test"]
SPLITS: tuple[Split, Split] = ("valid", "test")


class Evaluated(Protocol):
    """Anything with an accuracy in percent for each split, None where the benchmark has none, and further quantities."""

    @property
    def valid(self) -> float | None: ...
    @property
    def test(self) -> float | None: ...
    @property
    def extras(self) -> Mapping[str, float]: ...
    @property
    def failed(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One trained architecture: accuracies in percent, None where the benchmark has none."""

    valid: float | None
    test: float | None
    extras: Mapping[str, float] = field(default_factory=dict, hash=False)
    """name -> value of the quantities that the benchmark declares and knows of this architecture (`quantities_of`)"""
    failed: str = ""
    """why the training failed, and the accuracies are the metric's worst; empty where it did not"""
    seconds: float | None = field(default=None, compare=False)
    """of the whole training, None where the benchmark does not say"""


def accuracy(evaluated: Evaluated, split: Split) -> float:
    """Return the accuracy on a split that the benchmark has, in percent."""
    value = evaluated.valid if split == "valid" else evaluated.test
    assert value is not None
    return value


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
        return f"{value:.{self.places}f} {self.unit}".rstrip()

    @property
    def worst(self) -> float | None:
        """The worst possible value, None where there is none."""
        return self.low if self.maximise else self.high

    @property
    def places(self) -> int:
        """Digits after the point: two of a percentage, four where the scale is not known."""
        return {"%": 2, "points": 2, "queries": 1, "s": 1}.get(self.unit, 4)

    @property
    def heading(self) -> str:
        """Name and unit, as a table heads its column."""
        return f"{self.name} {self.unit}".rstrip()

    @property
    def label(self) -> str:
        """Name and unit, as an axis has them."""
        return f"{self.name}, {self.unit}" if self.unit else self.name

    @property
    def difference_unit(self) -> str:
        """The unit of a difference: percentage points of a percentage; empty where there is none."""
        return "percentage points" if self.unit == "%" else self.unit

    def difference(self, value: float, sign: str = "") -> str:
        """Return a difference of two values with its unit; `sign` is a format's, such as +."""
        unit = "points" if self.unit == "%" else self.unit
        return f"{value:{sign}.{self.places}f} {unit}".rstrip()

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


@dataclass(frozen=True, slots=True)
class Cost:
    """What one evaluation takes. A benchmark that declares it is evaluated cell by cell, in tasks on the whole cluster."""

    cpus: float = 1
    gpus: float = 0
    memory_bytes: int | None = None
    """None: not reserved"""
    seconds: float | None = None
    """expected; None where that is not known"""


class Oracle(Protocol):
    """A benchmark. Methods reach it through a `QueryLedger` only.

    It may have `facts` (`Facts`), `cost` (`Cost`), `metric` (`Metric`), `fidelities` (`nadlab.benchmarks.fidelity`), `quantities`
    (`quantities_of`), `ranges` (`ranges_of`) and `optimum`, the best reported answer of a queryable cell, as well.
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
    return getattr(oracle, "metric", None) or ACCURACY


def facts_of(oracle: Oracle) -> Facts:
    """Return what a benchmark declares about its answers; one that declares nothing may train for every answer."""
    return getattr(oracle, "facts", None) or Facts()


def cost_of(oracle: Oracle) -> Cost | None:
    """Return what an evaluation takes, None where the benchmark does not say: it is evaluated in the process that queries."""
    return getattr(oracle, "cost", None)


def quantity(name: str, unit: str, *, maximise: bool = False) -> Metric:
    """Return a quantity beside accuracy, such as latency in seconds: any number, less of it is better unless declared."""
    return Metric(name, unit, maximise, None, None)


def quantities_of(oracle: Oracle) -> Sequence[Metric]:
    """Return what a benchmark answers beside its metric, as it declares it; most declare nothing."""
    return getattr(oracle, "quantities", None) or ()


def ranges_of(oracle: Oracle) -> Mapping[str, tuple[float, float]]:
    """Return name -> least and greatest value of all cells, of the reported metric and of quantities; empty where unknown."""
    ranges: Mapping[str, tuple[float, float]] = getattr(oracle, "ranges", {})
    return ranges


def optimum_of(oracle: Oracle) -> float | None:
    """Return the best reported accuracy of a queryable cell in percent, None where the benchmark does not know it."""
    optimum = getattr(oracle, "optimum", None)
    return None if optimum is None else float(optimum)


def search_optimum_of(oracle: Oracle) -> float | None:
    """Return the best answer of a queryable cell by the split that a search sees, None where the benchmark does not know it."""
    if oracle.search_split == oracle.report_split:
        return optimum_of(oracle)
    optimum = getattr(oracle, "search_optimum", None)
    return None if optimum is None else float(optimum)
