"""What NAS-Bench-201 and NATS-Bench store of one architecture, and many of them side by side as arrays.

Both files hold the same nested dictionaries (their APIs' `ArchResults` and `ResultsCount`): a budget, then
`all_results[(dataset, seed)]` with `train_acc1es[epoch]`, `eval_acc1es["split@epoch"]` and times, epochs from 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nadlab.errors import UserError
from nadlab.spaces import space


@dataclass(frozen=True, slots=True)
class Curve:
    """Values after epochs counted from 1, ascending; arrays, since the whole benchmark has 100 million of them."""

    epochs: NDArray[np.int32]
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
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
    splits: dict[str, dict[int, float]] = {"train": result["train_acc1es"]}
    for label, value in result["eval_acc1es"].items():
        split, _, epoch = label.partition("@")
        splits.setdefault(_name(split), {})[int(epoch)] = value
    accuracy = {split: _curve(values, 100.0) for split, values in splits.items()}
    spent: dict[str, list[float]] = {}
    for label, value in (result["eval_times"] or {}).items():
        spent.setdefault(_name(label.partition("@")[0]), []).append(_real(value))
    steps = _curve(result["train_times"] or {})
    if not np.isin(steps.epochs, accuracy["train"].epochs).all():
        raise ValueError("it has training times of epochs without accuracies")
    latency = [_real(value) for value in result["latency"] or []]
    return Trial(
        accuracy,
        Curve(steps.epochs, np.cumsum(steps.values, dtype=np.float64).astype(np.float32)),
        {split: float(np.mean(values)) for split, values in spent.items()},
        _real(result["params"]),
        _real(result["flop"]),
        float(np.mean(latency)) if latency else float("nan"),
    )


def _curve(values: Mapping[int, float], top: float = float("inf")) -> Curve:
    pairs = sorted((_count(epoch) + 1, _real(value, top)) for epoch, value in values.items())
    return Curve(np.array([epoch for epoch, _ in pairs], np.int32), np.array([value for _, value in pairs], np.float32))


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
    shape = (len(rows), max(len(row) for row in rows))
    seeds = np.full(shape, -1, np.int32)
    trials: list[tuple[int, int, Trial]] = []
    for i, row in enumerate(rows):
        for run, (seed, trial) in enumerate(sorted(row.items())):
            seeds[i, run] = seed
            trials.append((i, run, trial))
    arrays: dict[str, NDArray[Any]] = {f"{training}/runs": seeds}
    for split in sorted({split for *_, trial in trials for split in trial.accuracy}):
        curves = [(i, run, trial.accuracy[split]) for i, run, trial in trials if split in trial.accuracy]
        epochs = np.unique(np.concatenate([curve.epochs for *_, curve in curves]))
        arrays |= {
            f"{training}/{split}/epochs": epochs,
            f"{training}/{split}/accuracy": _stacked(curves, shape, epochs),
        }
        if split != "train":
            seconds = np.full(shape, np.nan, np.float32)
            for i, run, trial in trials:
                seconds[i, run] = trial.evaluation_seconds.get(split, np.nan)
            arrays[f"{training}/{split}/seconds"] = seconds
    spent = [(i, run, trial.train_seconds) for i, run, trial in trials]
    arrays[f"{training}/train/seconds"] = _stacked(spent, shape, arrays[f"{training}/train/epochs"])
    dataset = training.partition("/")[0]
    for name in ("parameters", "flops", "latency"):
        values = np.full(len(rows), np.nan)
        for i, _, trial in trials:
            values[i] = getattr(trial, name)
        arrays[f"{dataset}/{name}"] = values
    return arrays


def _stacked(
    curves: Sequence[tuple[int, int, Curve]], shape: tuple[int, int], epochs: NDArray[np.int32]
) -> NDArray[np.float32]:
    values = np.full((*shape, len(epochs)), np.nan, np.float32)
    for i, run, curve in curves:
        values[i, run, np.searchsorted(epochs, curve.epochs)] = curve.values
    return values
