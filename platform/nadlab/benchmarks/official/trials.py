"""What NAS-Bench-201 and NATS-Bench store of one architecture, and many of them side by side as arrays.

Both files hold the same nested dictionaries (their APIs' `ArchResults` and `ResultsCount`): a budget, then
`all_results[(dataset, seed)]` with `train_acc1es[epoch]`, `eval_acc1es["split@epoch"]` and times, epochs from 0.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nadlab.errors import UserError
from nadlab.spaces import space

Curve = Mapping[int, float]
"""Epoch, counted from 1 -> value."""


@dataclass(frozen=True)
class Trial:
    """One training of one architecture."""

    accuracy: Mapping[str, Curve]
    """split -> percent"""
    train_seconds: Curve
    """up to and with that epoch; empty where the file has none"""
    evaluation_seconds: Mapping[str, float]
    """split -> mean seconds of one evaluation"""
    parameters: float
    flops: float
    latency: float
    """millions, millions, seconds; NaN where the file has none"""


@dataclass(frozen=True)
class Architecture:
    """Every training of one architecture: `<dataset>/<budget>` -> seed -> trial."""

    text: str
    trainings: Mapping[str, Mapping[int, Trial]]


def read_architecture(budgets: Mapping[str, Any], text: str, where: str) -> Architecture:
    """Read the state of one architecture: budget -> its `ArchResults`.

    Raises UserError that says where and what is wrong with it.
    """
    trainings: dict[str, dict[int, Trial]] = {}
    try:
        for budget, state in budgets.items():
            if state["arch_str"] != text:
                raise ValueError(f"it holds {state['arch_str']!r}, not {text!r}")
            for (dataset, seed), result in state["all_results"].items():
                trainings.setdefault(f"{_name(dataset)}/{_count(budget)}", {})[_count(seed)] = _trial(result)
        if not trainings:
            raise ValueError("it holds no training")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UserError(f"{where} is no result of NAS-Bench-201 ({error!r}); download it again") from error
    return Architecture(text, trainings)


def _trial(result: Mapping[str, Any]) -> Trial:
    accuracy: dict[str, dict[int, float]] = {"train": _curve(result["train_acc1es"], 100.0)}
    for label, value in result["eval_acc1es"].items():
        split, _, epoch = label.partition("@")
        accuracy.setdefault(_name(split), {})[_count(epoch) + 1] = _real(value, 100.0)
    spent: dict[str, list[float]] = {}
    for label, value in (result["eval_times"] or {}).items():
        spent.setdefault(_name(label.partition("@")[0]), []).append(_real(value))
    steps = sorted(_curve(result["train_times"] or {}).items())
    if not {epoch for epoch, _ in steps} <= set(accuracy["train"]):
        raise ValueError("it has training times of epochs without accuracies")
    elapsed = np.cumsum([seconds for _, seconds in steps]).tolist()
    latency = result["latency"] or []
    return Trial(
        accuracy,
        {epoch: total for (epoch, _), total in zip(steps, elapsed, strict=True)},
        {split: float(np.mean(values)) for split, values in spent.items()},
        _real(result["params"]),
        _real(result["flop"]),
        float(np.mean([_real(value) for value in latency])) if latency else float("nan"),
    )


def _curve(values: Mapping[int, float], top: float = float("inf")) -> dict[int, float]:
    return {_count(epoch) + 1: _real(value, top) for epoch, value in values.items()}


def _real(value: float, top: float = float("inf")) -> float:
    if isinstance(value, str) or not 0 <= float(value) <= top:
        raise ValueError(f"{value!r} is no number from 0 to {top:g}")
    return float(value)


def _count(value: int | str) -> int:
    if not 0 <= int(value) < 1 << 20:
        raise ValueError(f"{value!r} is no seed, epoch or budget")
    return int(value)


def _name(text: str) -> str:
    if not isinstance(text, str) or not text or "/" in text:
        raise ValueError(f"{text!r} is no name of a dataset or split")
    return text


def tables(architectures: Sequence[Architecture], where: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of `nadlab.benchmarks.archive`, rows in the order of the keys.

    Raises UserError when there is no architecture, one stands there twice, or its notation is malformed.
    """
    if not architectures:
        raise UserError(f"{where} holds no architecture: name the folder or file of the official download")
    nasbench201 = space("nasbench201")
    keys = np.array([int(nasbench201.identities(nasbench201.parse(a.text))[0]) for a in architectures], np.int64)
    order = np.argsort(keys)
    if len(np.unique(keys)) < len(keys):
        raise UserError(f"{where} holds an architecture twice; download it again")
    rows = [architectures[int(i)] for i in order]
    arrays: dict[str, NDArray[Any]] = {"keys": keys[order]}
    for training in sorted({name for row in rows for name in row.trainings}):
        arrays |= _training_tables(training, [row.trainings.get(training, {}) for row in rows])
    return arrays


def _training_tables(training: str, rows: Sequence[Mapping[int, Trial]]) -> dict[str, NDArray[Any]]:
    runs = max(len(row) for row in rows)
    shape = (len(rows), runs)
    seeds = np.full(shape, -1, np.int32)
    trials: list[tuple[int, int, Trial]] = []
    for i, row in enumerate(rows):
        for run, (seed, trial) in enumerate(sorted(row.items())):
            seeds[i, run] = seed
            trials.append((i, run, trial))
    arrays: dict[str, NDArray[Any]] = {f"{training}/runs": seeds}
    for split in sorted({split for *_, trial in trials for split in trial.accuracy}):
        epochs, accuracy = _stacked(trials, shape, lambda trial, split=split: trial.accuracy.get(split, {}))  # type: ignore[misc]
        arrays |= {f"{training}/{split}/epochs": epochs, f"{training}/{split}/accuracy": accuracy}
        if split != "train":
            seconds = np.full(shape, np.nan, np.float32)
            for i, run, trial in trials:
                seconds[i, run] = trial.evaluation_seconds.get(split, np.nan)
            arrays[f"{training}/{split}/seconds"] = seconds
    arrays[f"{training}/train/seconds"] = _stacked(
        trials, shape, lambda trial: trial.train_seconds, arrays[f"{training}/train/epochs"]
    )[1]
    dataset = training.partition("/")[0]
    for name in ("parameters", "flops", "latency"):
        values = np.full(len(rows), np.nan)
        for i, _, trial in trials:
            values[i] = getattr(trial, name)
        arrays[f"{dataset}/{name}"] = values
    return arrays


def _stacked(
    trials: Sequence[tuple[int, int, Trial]],
    shape: tuple[int, int],
    curve_of: Callable[[Trial], Curve],
    epochs: NDArray[np.int32] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    if epochs is None:
        epochs = np.array(sorted({epoch for *_, trial in trials for epoch in curve_of(trial)}), np.int32)
    place = {epoch: i for i, epoch in enumerate(epochs.tolist())}
    values = np.full((*shape, len(epochs)), np.nan, np.float32)
    for i, run, trial in trials:
        for epoch, value in curve_of(trial).items():
            values[i, run, place[epoch]] = value
    return epochs, values
