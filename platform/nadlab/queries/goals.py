"""Several objectives and constraints: what a search is after beside the best answer by the benchmark's metric."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.oracle import (
    Evaluated,
    Metric,
    Oracle,
    Split,
    accuracy,
    facts_of,
    metric_of,
    quantities_of,
    ranges_of,
)
from nadlab.errors import UserError
from nadlab.spaces import Cells
from nadlab.spaces.cells import shown


@dataclass(frozen=True, slots=True)
class Goals:
    """The objectives by name, the metric first, and the greatest value that quantities may have."""

    objectives: tuple[str, ...] = ()
    """empty where the metric is the only one"""
    at_most: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(cls, objectives: str | None, at_most: str | None) -> Self:
        """Return the goals of `accuracy,latency` and `latency=0.01,parameters=2`; raise UserError for any other form."""
        names = tuple(part.strip() for part in (objectives or "").split(",") if part.strip())
        if (objectives is not None and len(names) < 2) or len(set(names)) < len(names):
            raise UserError(f"objectives = {objectives!r}: name two or more, each once, such as accuracy,latency")
        limits: dict[str, float] = {}
        for part in filter(None, map(str.strip, (at_most or "").split(","))):
            name, _, text = (each.strip() for each in part.partition("="))
            if name in limits or (limit := _number(text)) is None:
                raise UserError(f"at_most = {at_most}: write QUANTITY=NUMBER, each once, such as latency=0.01")
            limits[name] = limit
        if at_most is not None and not limits:
            raise UserError("at_most is empty: write QUANTITY=NUMBER, such as latency=0.01")
        return cls(names, tuple(limits.items()))

    @classmethod
    def in_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Return the goals of a trial's settings."""
        return cls.of(settings.get("objectives"), settings.get("at_most"))

    @property
    def texts(self) -> tuple[str | None, str | None]:
        """What `of` takes, written in one way."""
        return ",".join(self.objectives) or None, ",".join(f"{name}={limit!r}" for name, limit in self.at_most) or None

    def check(self, oracle: Oracle) -> None:
        """Raise UserError that lists the known names when a benchmark does not answer what the goals name."""
        metric, known = metric_of(oracle).name, [each.name for each in quantities_of(oracle)]
        has = f"{oracle.name} answers {metric}" + (f" and {', '.join(known)}" if known else " alone")
        if self.objectives and self.objectives[0] != metric:
            raise UserError(f"the first objective is the benchmark's metric, and {has}: write {metric} first")
        limited = [name for name, _ in self.at_most]
        if metric in limited and metric not in known:
            raise UserError(f"{metric} is the benchmark's metric, which can't be constrained: leave it out of at_most")
        for name in (*self.objectives[1:], *limited):
            if name not in known:
                raise UserError(f"there is no quantity {name!r}: {has}")

    def metrics(self, oracle: Oracle) -> tuple[Metric, ...]:
        """Return the metric and the quantities that are objectives; the metric alone without objectives."""
        quantities = {each.name: each for each in quantities_of(oracle)}
        return metric_of(oracle), *(quantities[name] for name in self.objectives[1:])

    def ranged(self, oracle: Oracle) -> list[Metric]:
        """Return the objectives with the range that they have over the whole benchmark, where it knows that; none without goals."""
        metrics, known = self.metrics(oracle) if self.objectives else (), ranges_of(oracle)
        ends = [known.get(each.name, (None, None)) for each in metrics]
        return [replace(each, low=low, high=high) for each, (low, high) in zip(metrics, ends, strict=True)]

    def check_answers(self, oracle: Oracle, cells: Cells, answers: Sequence[Evaluated]) -> None:
        """Raise UserError that names a cell whose answer lacks a quantity of the goals; that of a failed training may.

        A table may have gaps: what it lacks keeps no constraint.
        """
        limited = () if facts_of(oracle).answers == "stored" else tuple(name for name, _ in self.at_most)
        for name in (*self.objectives[1:], *limited):
            for cell, answer in zip(cells, answers, strict=True):
                if name not in answer.extras and not answer.failed:
                    raise UserError(
                        f"{oracle.name} gave no {name} for {shown(cell, oracle.space)}: its `evaluate` must return every quantity "
                        "that the benchmark declares in `extras`"
                    )

    def feasible(self, answer: Evaluated) -> bool:
        """Return whether an answer keeps every constraint; a failed training and one that lacks the quantity keep none."""
        return not answer.failed and all(answer.extras.get(name, math.inf) <= limit for name, limit in self.at_most)


def values(answers: Sequence[Evaluated], metrics: Sequence[Metric], split: Split) -> NDArray[np.float64]:
    """Return the objectives of answers, all to be minimised, (N, M): the first metric on a split, then the quantities.

    NaN where the quantity of a failed training is not known; `Goals.check_answers` has seen the others.
    """
    first, *others = metrics
    rows = [[-first.score(accuracy(answer, split)), *(_cost(answer, each) for each in others)] for answer in answers]
    return np.array(rows, np.float64).reshape(-1, len(metrics))


def _cost(answer: Evaluated, metric: Metric) -> float:
    return -metric.score(answer.extras[metric.name]) if metric.name in answer.extras else math.nan


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
