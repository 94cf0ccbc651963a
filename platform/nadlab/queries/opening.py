"""The benchmark of a trial, opened as its request says: every trainable opens it here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np

from nadlab.benchmarks.oracle import (
    Evaluation,
    Oracle,
    cost_of,
    facts_of,
    metric_of,
    quantities_of,
)
from nadlab.benchmarks.presets import PAPER, draw
from nadlab.benchmarks.registry import benchmark
from nadlab.evaluations.config import EvaluationConfig
from nadlab.spaces import Cells


@dataclass(frozen=True)
class Answered:
    """A benchmark whose answers come from elsewhere, and cost nothing more; all else is the benchmark's."""

    oracle: Oracle
    evaluate: Callable[..., list[Evaluation]]
    cost: None = None

    def __getattr__(self, name: str) -> Any:
        if name == "oracle":  # not yet there, as in a copy that is being made
            raise AttributeError(name)
        return getattr(self.oracle, name)


def opened(trial: Mapping[str, Any]) -> Oracle:
    """Return the benchmark of a trial's request (`nadlab.engine.request.request`).

    Without a protocol it answers by the paper's. One that is not free, or declares a cost, is evaluated as the request's
    `evaluations` say (fields of `EvaluationConfig`). A `stand_in` evaluates nothing.
    """
    oracle = benchmark(trial["benchmark"], trial.get("protocol", PAPER))
    if trial.get("stand_in"):
        return answered(oracle, partial(made_up, oracle))
    if trial.get("evaluations") and is_kept(oracle):
        from nadlab.evaluations.stored import StoredEvaluations  # late: most benchmarks are free and need no database

        return answered(oracle, StoredEvaluations.of(oracle, EvaluationConfig(**trial["evaluations"])).evaluate)
    return oracle


def is_kept(oracle: Oracle) -> bool:
    """Return whether a benchmark's evaluations go through a store."""
    return cost_of(oracle) is not None or not facts_of(oracle).free


def answered(oracle: Oracle, evaluate: Callable[..., list[Evaluation]]) -> Oracle:
    """Return a benchmark that is evaluated by another function."""
    return cast(Oracle, Answered(oracle, evaluate))


def made_up(oracle: Oracle, cells: Cells, fidelity: int | None = None) -> list[Evaluation]:  # noqa: ARG001 - an oracle's
    """Return answers that no benchmark gave, in the metric's range, alike for isomorphic cells; further quantities are 0."""
    space, metric = oracle.space, metric_of(oracle)
    extras = dict.fromkeys((each.name for each in quantities_of(oracle)), 0.0)
    low = metric.low if metric.low is not None else (metric.high or 0.0) - 100
    high = metric.high if metric.high is not None else low + 100
    numbers = low + (high - low) * (draw(space.keys(cells), 0) % np.uint64(10_000)) / 10_000
    return [Evaluation(number, number, extras) for number in numbers.tolist()]
