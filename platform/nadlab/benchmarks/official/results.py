"""What NAS-Bench-201's and NATS-Bench's official results say of one architecture, and many of them side by side as arrays.

Both files hold state dictionaries of the official package's `ArchResults` (all trainings of an architecture with one
budget) and `ResultsCount` (one training), which the package `nas-bench-201` reads; epochs count from 0 there, from 1 here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nadlab.errors import UserError
from nadlab.spaces import space

MALFORMED = (
    AssertionError,
    AttributeError,
    LookupError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    ZeroDivisionError,
)
"""What the official classes raise when a dictionary lacks something or holds another type."""
_MOST_EPOCHS = 1_000
_COSTS = {"parameters": "params", "flops": "flops", "latency": "latency"}
"""millions, millions, seconds -> their names in `ArchResults.get_compute_costs`"""


@dataclass(frozen=True, slots=True)
class Trial:
    """One training of one architecture over E epochs; arrays, since the whole benchmark has 100 million values."""

    accuracy: Mapping[str, NDArray[np.float32]]
    """split -> percent after each epoch, (E,); NaN where it was not evaluated"""
    train_seconds: NDArray[np.float32]
    """up to and with each epoch, (E,); NaN where the file has none"""
    evaluation_seconds: Mapping[str, float]
    """split -> mean seconds of one evaluation"""


@dataclass(frozen=True)
class Architecture:
    """Every training of one architecture: `<dataset>/<budget>` -> seed -> trial; `<dataset>/<cost>` -> mean over its trials."""

    text: str
    trainings: Mapping[str, Mapping[int, Trial]]
    costs: Mapping[str, float]


def official_package() -> Any:
    """Import the official package; raise UserError that says how to install it."""
    try:
        import nas_201_api
    except ImportError as error:
        raise UserError(
            "NAS-Bench-201's and NATS-Bench's results are read by the official package: run pip install 'nadlab[nas-bench-201]'"
        ) from error
    return nas_201_api


def check_states(states: Mapping[str, Any], where: str) -> None:
    """Raise UserError unless every budget has a dictionary: a text would be a path that the official package opens."""
    if not states or not all(isinstance(state, dict) for state in states.values()):
        raise UserError(f"{where} is not a result of NAS-Bench-201 (no results by budget); download it again")


def read_architecture(results: Mapping[str, Any], text: str, where: str) -> Architecture:
    """Read one architecture: budget -> its official `ArchResults`.

    Raises UserError that says where and what is wrong with it.
    """
    trainings: dict[str, dict[int, Trial]] = {}
    costs: dict[str, float] = {}
    try:
        for budget, result in results.items():
            if result.arch_str != text:
                raise ValueError(f"it holds {result.arch_str!r}, not {text!r}")
            for dataset in result.get_dataset_names():
                trials = {_count(seed): _trial(trial) for seed, trial in result.query(dataset).items()}
                trainings[f"{name_of(dataset)}/{_count(budget)}"] = trials
                found = result.get_compute_costs(dataset)
                costs |= {f"{dataset}/{ours}": cost_of(found[theirs]) for ours, theirs in _COSTS.items()}
        if not any(trainings.values()):
            raise ValueError("it holds no training")
    except MALFORMED as error:
        raise UserError(f"{where} is not a result of NAS-Bench-201 ({error!r}); download it again") from error
    return Architecture(text, trainings, costs)


def _trial(result: Any) -> Trial:
    epochs = result.get_total_epoch()
    if not 1 <= epochs <= _MOST_EPOCHS:
        raise ValueError(f"{epochs!r} epochs")
    training = [result.get_train(epoch) for epoch in range(epochs)]
    accuracy = {"train": numbers_of([step["accuracy"] for step in training], 100.0)}
    evaluated: dict[str, dict[int, Any]] = {}
    for label, value in result.eval_acc1es.items():  # `get_eval` wants every epoch; most splits have the last alone
        split, _, epoch = label.partition("@")
        evaluated.setdefault(name_of(split), {})[_count(epoch)] = value
    for split, values in evaluated.items():
        accuracy[split] = np.full(epochs, np.nan, np.float32)
        accuracy[split][list(values)] = numbers_of(list(values.values()), 100.0)
    untimed = result.train_times is None
    seconds = np.full(epochs, np.nan, np.float32) if untimed else numbers_of([step["all_time"] for step in training])
    times = result.get_times()
    return Trial(accuracy, seconds, {s: cost_of(times[f"T-{s}@epoch"]) for s in result.get_eval_set()})


def numbers_of(values: Sequence[Any], top: float = 1e9) -> NDArray[np.float32]:
    """Return float32 of a list of numbers; raise ValueError unless all are from 0 to `top`."""
    numbers = np.asarray(values)
    if numbers.dtype.kind not in "fiu" or numbers.ndim != 1 or not ((numbers >= 0) & (numbers <= top)).all():
        raise ValueError(f"{values!r:.80} is not all numbers from 0 to {top:g}")
    return numbers.astype(np.float32)


def cost_of(value: Any) -> float:
    """Return a cost, NaN where there is none; raise ValueError or TypeError when it is not a sensible number."""
    if value is None:  # the official package's word for what was not measured
        return float("nan")
    if isinstance(value, str) or not 0 <= float(value) < 1e12:
        raise ValueError(f"{value!r} is not a cost")
    return float(value)


def _count(value: int | str) -> int:
    if not 0 <= int(value) < 1 << 20:
        raise ValueError(f"{value!r} is not a seed, epoch or budget")
    return int(value)


def name_of(text: str) -> str:
    """Return the name of a dataset or split; raise ValueError when it is none."""
    if not isinstance(text, str) or not text or "/" in text:
        raise ValueError(f"{text!r} is not a name of a dataset or split")
    return text


def tables(architectures: Sequence[Architecture], where: Path, cells: str = "nasbench201") -> dict[str, NDArray[Any]]:
    """Return the arrays of `nadlab.benchmarks.archive`, rows in the order of the keys; `cells` names the search space.

    Raises UserError when there is no architecture, one stands there twice, or its notation is malformed.
    """
    if not architectures:
        raise UserError(f"{where} holds no architecture: give the folder or file of the official download")
    of_cells = space(cells)
    try:
        keys = np.array([int(of_cells.identities(of_cells.parse(a.text))[0]) for a in architectures], np.int64)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    order = np.argsort(keys)
    if len(np.unique(keys)) < len(keys):
        raise UserError(f"{where} holds an architecture twice; download it again")
    rows = [architectures[int(i)] for i in order]
    arrays: dict[str, NDArray[Any]] = {"keys": keys[order]}
    for training in sorted({name for row in rows for name in row.trainings}):
        arrays |= _training_tables(training, [row.trainings.get(training, {}) for row in rows])
    for cost in sorted({name for row in rows for name in row.costs}):
        arrays[cost] = np.array([row.costs.get(cost, np.nan) for row in rows])
    return arrays


def _training_tables(training: str, rows: Sequence[Mapping[int, Trial]]) -> dict[str, NDArray[Any]]:
    shape = (len(rows), max(len(row) for row in rows))
    seeds = np.full(shape, -1, np.int32)
    trials: list[tuple[int, int, Trial]] = []
    for i, row in enumerate(rows):
        for run, (seed, trial) in enumerate(sorted(row.items())):
            seeds[i, run] = seed
            trials.append((i, run, trial))
    last = max(len(trial.train_seconds) for *_, trial in trials)
    arrays: dict[str, NDArray[Any]] = {f"{training}/runs": seeds}
    for split in sorted({split for *_, trial in trials for split in trial.accuracy}):
        curves = np.full((*shape, last), np.nan, np.float32)
        seconds = np.full(shape, np.nan, np.float32)
        for i, run, trial in trials:
            if split in trial.accuracy:
                curves[i, run, : len(trial.accuracy[split])] = trial.accuracy[split]
            seconds[i, run] = trial.evaluation_seconds.get(split, np.nan)
        evaluated = np.flatnonzero(~np.isnan(curves).all(axis=(0, 1)))
        arrays |= {f"{training}/{split}/epochs": (evaluated + 1).astype(np.int32)}
        arrays |= {f"{training}/{split}/accuracy": curves[:, :, evaluated]}
        if split != "train":
            arrays[f"{training}/{split}/seconds"] = seconds
    spent = np.full((*shape, last), np.nan, np.float32)
    for i, run, trial in trials:
        spent[i, run, : len(trial.train_seconds)] = trial.train_seconds
    return arrays | {f"{training}/train/seconds": spent}
