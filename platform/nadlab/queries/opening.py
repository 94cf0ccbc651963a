"""The benchmark of a trial, opened as its request says: every trainable opens it here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.fidelity import Fidelities, fidelities_of
from nadlab.benchmarks.oracle import (
    Evaluation,
    Facts,
    Metric,
    Oracle,
    Split,
    cost_of,
    facts_of,
    metric_of,
    optimum_of,
    quantities_of,
    ranges_of,
)
from nadlab.benchmarks.presets import PAPER, draw
from nadlab.benchmarks.registry import benchmark
from nadlab.evaluations.config import EvaluationConfig
from nadlab.spaces import Cells, SearchSpace


@dataclass(frozen=True)
class Answered:
    """A benchmark whose answers come from elsewhere; see `Oracle`."""

    name: str
    space: SearchSpace
    search_split: Split
    report_split: Split
    preset: str
    digest: str
    optimum: float | None
    facts: Facts
    metric: Metric
    quantities: Sequence[Metric]
    ranges: Mapping[str, tuple[float, float]]
    queryable_count: int
    pool: Callable[[], Cells]
    fidelities: Fidelities
    queryable: Callable[[Cells], NDArray[np.bool_]]
    evaluate: Callable[..., list[Evaluation]]


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
    return Answered(
        oracle.name, oracle.space, oracle.search_split, oracle.report_split, oracle.preset, oracle.digest,
        optimum_of(oracle), facts_of(oracle), metric_of(oracle), quantities_of(oracle), ranges_of(oracle),
        oracle.queryable_count, oracle.pool, fidelities_of(oracle), oracle.queryable, evaluate,
    )  # fmt: skip


def made_up(oracle: Oracle, cells: Cells, fidelity: int | None = None) -> list[Evaluation]:  # noqa: ARG001 - an oracle's
    """Return answers that no benchmark gave, in the metric's range, alike for isomorphic cells; further quantities are 0."""
    space, metric = oracle.space, metric_of(oracle)
    extras = dict.fromkeys((each.name for each in quantities_of(oracle)), 0.0)
    low = metric.low if metric.low is not None else (metric.high or 0.0) - 100
    high = metric.high if metric.high is not None else low + 100
    numbers = low + (high - low) * (draw(space.keys(cells), 0) % np.uint64(10_000)) / 10_000
    return [Evaluation(number, number, extras) for number in numbers.tolist()]
