"""NAS-Bench-101: `nasbench_only108.tfrecord` and `nasbench_full.tfrecord`, without TensorFlow.

A record is the JSON list [module hash, epochs, adjacency as digits, labels joined by ',', base64 of the protobuf
`ModelMetrics`]: one training, measured at the start, half-way and at the end (`nasbench/api.py` of
google-research/nasbench). Three records give an architecture's three runs at one budget.
"""

import json
from array import array
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from nadlab.benchmarks.archive import Archive
from nadlab.benchmarks.official.model_metrics import DecodeError, ModelMetrics
from nadlab.benchmarks.official.tfrecord import read_records
from nadlab.errors import UserError
from nadlab.spaces import Cells, space
from nadlab.spaces.nasbench101 import ABSENT, OPERATIONS, VERTICES

SPLITS = ("train", "valid", "test")
_CHUNK = 1 << 16
_MALFORMED = (ValueError, TypeError, IndexError, OverflowError, RecursionError, Base64Error, DecodeError)
_FIELDS = 10
"""Numbers kept of a record: epoch, seconds and three accuracies, half-way and at the end."""


@dataclass
class Records:
    """Columns of the file as it is read: one entry a record, but `cells` and `parameters` one an architecture."""

    rows: dict[str, int] = field(default_factory=dict)
    cells: list[tuple[str, str]] = field(default_factory=list)
    parameters: "array[int]" = field(default_factory=lambda: array("q"))
    row: "array[int]" = field(default_factory=lambda: array("i"))
    budget: "array[int]" = field(default_factory=lambda: array("i"))
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def add(
        self, module: str, adjacency: str, labels: str, parameters: int, budget: int, values: Sequence[float]
    ) -> None:
        """Add one training: its architecture, and epoch, seconds and three accuracies, half-way and at the end.

        Raises TypeError or ValueError where they are malformed.
        """
        if not isinstance(adjacency, str) or not isinstance(labels, str):
            raise TypeError("adjacency and labels must be text")
        row = self.rows.setdefault(module, len(self.cells))
        if row == len(self.cells):
            self.cells.append((adjacency, labels))
            self.parameters.append(parameters)
        if not all(0 <= value <= 1 for value in [*values[2:5], *values[7:]]):
            raise ValueError("an accuracy is outside 0 to 1")
        if not all(0 <= value < 1e9 for value in values):
            raise ValueError("an epoch or a time is not a sensible number")
        self.row.append(row)
        self.budget.append(budget)
        self.values.extend(values)


def read_nasbench101(path: Path) -> Archive:
    """Read every record, about 80,000 a second.

    Raises UserError that names the byte, or the architecture, where the file is damaged.
    """
    records = Records()
    for position, data in tqdm(read_records(path), desc=path.name, unit="records", mininterval=1):
        try:
            _add(records, data)
        except _MALFORMED as error:
            raise UserError(
                f"{path} has no NAS-Bench-101 record at byte {position:,} ({type(error).__name__}: {error}); download it again"
            ) from error
    return archive_of(records, path)


def archive_of(records: Records, path: Path) -> Archive:
    """Return the tables of all records; raise UserError that names the cell, or the budget, that is malformed."""
    if not records.cells:
        raise UserError(f"{path} holds no architecture; download it again")
    keys = _keys(path, records.cells)
    order = np.argsort(keys)
    if len(np.unique(keys)) < len(keys):
        raise UserError(f"{path} holds an architecture under two hashes; download it again")
    arrays: dict[str, NDArray[Any]] = {"keys": keys[order]}
    arrays["cifar10/parameters"] = np.array(records.parameters, np.float64)[order] / 1e6
    budgets = np.array(records.budget)
    for budget in np.unique(budgets).tolist():
        arrays |= _budget_tables(path, records, np.flatnonzero(budgets == budget), budget, np.argsort(order))
    answers = {
        "cifar10": {
            str(budget): {split: f"cifar10/{budget}/{split}" for split in ("valid", "test")}
            for budget in np.unique(budgets).tolist()
        }
    }
    source = {"source": path.name, "architectures": str(len(keys)), "records": str(len(budgets))}
    return Archive("nasbench101", answers, source, arrays)


def _add(records: Records, data: bytes) -> None:
    module, budget, adjacency, labels, encoded = json.loads(data)
    metrics = ModelMetrics.FromString(a2b_base64(encoded, strict_mode=True))
    half, end = metrics.evaluation_data[1], metrics.evaluation_data[2]
    values = [
        value
        for step in (half, end)
        for value in (
            step.current_epoch,
            step.training_time,
            step.train_accuracy,
            step.validation_accuracy,
            step.test_accuracy,
        )
    ]
    records.add(module, adjacency, labels, metrics.trainable_parameters, budget, values)


def _budget_tables(
    path: Path, records: Records, chosen: NDArray[np.int64], budget: int, place: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    rows = place[np.array(records.row)[chosen]]
    by_row = np.argsort(rows, kind="stable")
    rows, chosen = rows[by_row], chosen[by_row]
    first = np.searchsorted(rows, rows)
    runs = np.arange(len(rows)) - first
    values = np.array(records.values).reshape(-1, 2, _FIELDS // 2)[chosen]
    epochs = np.unique(np.round(values[:, :, 0]), axis=0)
    if len(epochs) != 1:
        raise UserError(f"{path}: trainings of {budget} epochs report different epochs; download it again")
    shape = (len(place), int(runs.max()) + 1)
    numbers = np.full(shape, -1, np.int32)
    numbers[rows, runs] = runs
    arrays: dict[str, NDArray[Any]] = {f"cifar10/{budget}/runs": numbers}
    columns = {"train/seconds": values[:, :, 1]}
    columns |= {f"{split}/accuracy": 100 * values[:, :, 2 + i] for i, split in enumerate(SPLITS)}
    for name, column in columns.items():
        filled = np.full((*shape, 2), np.nan, np.float32)
        filled[rows, runs] = column
        arrays[f"cifar10/{budget}/{name}"] = filled
    return arrays | {f"cifar10/{budget}/{split}/epochs": epochs[0].astype(np.int32) for split in SPLITS}


def _keys(path: Path, cells: list[tuple[str, str]]) -> NDArray[np.int64]:
    nasbench101 = space("nasbench101")
    keys: list[NDArray[np.int64]] = []
    for start in range(0, len(cells), _CHUNK):
        part = cells[start : start + _CHUNK]
        decoded = _decoded(path, part)
        reasons = nasbench101.invalid_reasons(decoded)
        wrong = next((i for i, reason in enumerate(reasons) if reason), None)
        if wrong is not None:
            raise UserError(f"{path} holds the invalid cell {part[wrong]}: {reasons[wrong]}")
        keys.append(nasbench101.keys(decoded))
    return np.concatenate(keys)


def _decoded(path: Path, part: list[tuple[str, str]]) -> Cells:
    adjacency = np.zeros((len(part), VERTICES, VERTICES), np.uint8)
    operations = np.full((len(part), VERTICES), ABSENT, np.uint8)
    codes = {label: code for code, label in enumerate(OPERATIONS[:-1])}
    for i, (digits, labels) in enumerate(part):
        names = labels.split(",")
        count = len(names)
        if not 2 <= count <= VERTICES or len(digits) != count**2 or set(digits) - {"0", "1"} or set(names) - set(codes):
            raise UserError(f"{path} holds the malformed cell {(digits, labels)}; download it again")
        places = [*range(count - 1), VERTICES - 1]
        adjacency[i][np.ix_(places, places)] = np.frombuffer(digits.encode(), np.uint8).reshape(count, count) - ord("0")
        operations[i, places] = [codes[name] for name in names]
    return Cells(adjacency, operations)
