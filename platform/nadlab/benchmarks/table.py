"""Benchmarks from CSV tables: one row for each architecture, accuracies by dataset, split and epochs."""

import hashlib
import re
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nadlab.benchmarks.files import check_file
from nadlab.benchmarks.oracle import SPLITS, Split
from nadlab.benchmarks.presets import PAPER, VALIDATION, Protocol, check_protocol, protocol
from nadlab.benchmarks.tabular import TableBenchmark
from nadlab.errors import UserError
from nadlab.spaces import Cells, SearchSpace, space
from nadlab.spaces.cells import concatenate

SAMPLE = "_sample"
"""`x_sample.csv` of NAS-Bench-101's form holds the benchmark `x`."""
SECONDS_AN_EPOCH = {"cifar10": 12.1, "cifar100": 12.1, "ImageNet16-120": 36.7}
"""data set of NAS-Bench-201 -> mean seconds of an epoch of architectures 0 and 284 in NATS-Bench's official file"""
_COLUMN = re.compile(r"(?P<dataset>.+)_(?P<split>valid|test)_(?P<epochs>[1-9][0-9]{0,8})")
_COLUMN_101 = re.compile(r"valid_accuracy_(?P<epochs>[1-9][0-9]{0,8})")
_FULL_101 = 108
_LARGEST = 1 << 31
"""Bytes of a table; those of all 423,624 cells of NAS-Bench-101 have a tenth of it."""
_LONGEST_HEADER = 1 << 20
_ENCODING = "utf-8-sig"
_NO_TABLE = (OSError, OverflowError, UnicodeError, pd.errors.EmptyDataError, pd.errors.ParserError)


def tables(path: Path, preset: str = PAPER) -> dict[str, Callable[[], TableBenchmark]]:
    """Return name -> opener of every benchmark of a table; the header tells the space.

    Columns `arch_str` and `<dataset>_<split>_<epochs>` make `<file>/<dataset>` of NAS-Bench-201's space; `adjacency`,
    `operations` and `valid_accuracy_108` make `<file>` of NAS-Bench-101's. Raises UserError when it can't be read or has
    other columns, or the protocol needs more than means.
    """
    check_protocol(preset)
    if preset not in (PAPER, VALIDATION):
        raise UserError(
            f"{path} holds only means, and the protocol {preset!r} needs an archive of every run (`nadlab benchmarks fetch`)"
        )
    columns, stem = _header(path), path.stem
    if "arch_str" in columns:
        split: Split | None = "test" if stem == "nasbench201" else None  # the paper's protocol
        names = {dataset: f"{stem}/{dataset}" for dataset in _datasets(columns)}
        if not names:
            raise UserError(f"{path} has no accuracies: name their columns DATASET_SPLIT_EPOCHS, such as x_valid_12")
        return {name: partial(read_nasbench201, path, dataset, name, split, preset) for dataset, name in names.items()}
    if {"adjacency", "operations"} <= set(columns):
        name = stem.removesuffix(SAMPLE) or stem
        return {name: partial(read_nasbench101, path, name, preset)}
    raise UserError(
        f"{path} has no columns of a benchmark: arch_str and DATASET_SPLIT_EPOCHS, or adjacency, operations and valid_accuracy_108; it has {', '.join(columns):.80}"
    )


def read_nasbench201(
    path: Path, dataset: str, name: str, search_split: Split | None, preset: str = PAPER
) -> TableBenchmark:
    """Read one dataset of a table `arch_str,<dataset>_<split>_<epochs>,...`, accuracies in percent.

    search_split: by the protocol `paper`; None is validation, or test where the table has no validation accuracy.
    The longest training that the table has is taken, by `validation` each split's longest. A table of classes answers for every
    isomorphic string. Raises UserError that names the row and what is wrong with it.
    """
    nasbench201 = space("nasbench201")
    table = _read(path, ["arch_str"])
    cells = _parse(path, tuple(table["arch_str"]), nasbench201)
    found = [match for column in table.columns if (match := _COLUMN.fullmatch(column)) and match["dataset"] == dataset]
    if not found:
        raise UserError(f"{path} has no dataset {dataset!r}: it has {', '.join(_datasets(table.columns))}")
    lengths = {split: [int(m["epochs"]) for m in found if m["split"] == split] for split in SPLITS}
    longest = {split: max(epochs, default=0) for split, epochs in lengths.items()}
    if preset != VALIDATION:
        longest = dict.fromkeys(SPLITS, max(longest.values()))
    columns: dict[Split, str] = {split: f"{dataset}_{split}_{epochs}" for split, epochs in longest.items()}
    accuracies = _accuracies(path, table, columns, 100.0)
    searched: Split = search_split or ("valid" if "valid" in accuracies else "test")
    if preset == VALIDATION:
        searched = "valid"
    of_lengths = {
        epochs: _accuracies(path, table, {split: f"{dataset}_{split}_{epochs}" for split in SPLITS}, 100.0)
        for epochs in lengths[searched]
        if epochs < longest[searched]
    } | {longest[searched]: accuracies}
    classes, first = np.unique(nasbench201.keys(cells), return_index=True)
    if len(classes) == len(cells):
        everything = nasbench201.enumerate()
        keys = nasbench201.keys(everything)
        place = np.minimum(np.searchsorted(classes, keys), len(classes) - 1)
        held = classes[place] == keys
        cells, rows = everything[held], first[place[held]]
        of_lengths = {
            epochs: {split: values[rows] for split, values in each.items()} for epochs, each in of_lengths.items()
        }
    rate = SECONDS_AN_EPOCH.get(dataset) if path.stem == "nasbench201" else None
    seconds = {epochs: np.full(len(cells), rate * epochs) for epochs in of_lengths if rate}
    estimate = f"{rate} s an epoch for every cell, the mean of two architectures in NATS-Bench's file" if rate else ""
    return _benchmark(path, name, nasbench201, cells, of_lengths, searched, preset, seconds, estimate)


def read_nasbench101(path: Path, name: str, preset: str = PAPER) -> TableBenchmark:
    """Read a table `module_hash,adjacency,operations,...,valid_accuracy_108`, accuracies as fractions.

    Search by validation accuracy, as the paper does; judged by test accuracy where a column `test_accuracy_108`
    exists, else by validation. Raises UserError that names the row and what is wrong with it.
    """
    nasbench101 = space("nasbench101")
    table = _read(path, ["adjacency", "operations", "valid_accuracy_108"])
    cells = _parse(path, tuple(table["adjacency"].astype(str) + ";" + table["operations"].astype(str)), nasbench101)
    found = [int(match["epochs"]) for column in table.columns if (match := _COLUMN_101.fullmatch(column))]
    lengths = sorted(epochs for epochs in found if epochs <= _FULL_101)
    of_lengths = {
        epochs: _accuracies(path, table, {split: f"{split}_accuracy_{epochs}" for split in SPLITS}, 1.0)
        for epochs in lengths
    }
    seconds: dict[int, NDArray[np.float64]] = {}
    if (column := f"training_time_{_FULL_101}_s") in table.columns:
        whole = pd.to_numeric(table[column], errors="coerce").to_numpy(np.float64)
        if not (np.isfinite(whole) & (whole > 0)).all():
            raise UserError(f"{path}: {column} must be a number of seconds above 0 in every row")
        seconds = {epochs: whole * epochs / _FULL_101 for epochs in lengths}
    estimate = f"shorter trainings take their share of {_FULL_101} epochs' seconds" if len(lengths) > 1 else ""
    return _benchmark(path, name, nasbench101, cells, of_lengths, "valid", preset, seconds, estimate)


def _benchmark(
    path: Path,
    name: str,
    cell_space: SearchSpace,
    cells: Cells,
    of_lengths: dict[int, dict[Split, NDArray[np.float64]]],
    search_split: Split,
    preset: str,
    seconds: dict[int, NDArray[np.float64]],
    estimate: str,
) -> TableBenchmark:
    *shorter, epochs = sorted(of_lengths)
    accuracies = of_lengths[epochs]
    identities, order = np.unique(cell_space.identities(cells), return_index=True)
    if len(identities) < len(cells):
        first = int(np.setdiff1d(np.arange(len(cells)), order)[0])
        raise UserError(f"{path}, row {first + 1}: the table lists this cell twice; remove one of the rows")
    rule = Protocol(PAPER, search_split, "test", "mean")
    if preset != PAPER:
        rule = protocol(preset, f"{name} ({path})", accuracies, cell_space.name)
    if rule.search_split not in accuracies:
        raise UserError(f"{path} has no {rule.search_split} accuracy for {name}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    def runs_of(accuracies: dict[Split, NDArray[np.float64]]) -> dict[Split, NDArray[np.float64]]:
        return {split: values[order, None] for split, values in accuracies.items()}

    held = cells[order]
    return TableBenchmark(
        name, cell_space, digest, rule, identities, runs_of(accuracies), lambda: held,
        epochs=epochs, shorter={each: runs_of(of_lengths[each]) for each in shorter},
        seconds={each: values[order, None] for each, values in seconds.items()}, estimate=estimate,
    )  # fmt: skip


def _datasets(columns: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(match["dataset"] for column in columns if (match := _COLUMN.fullmatch(column))))


def _header(path: Path) -> list[str]:
    """Return the names of the columns; of a large file, its start alone is read."""
    check_file(path, _LARGEST)
    try:
        with path.open("rb") as file:
            start = file.read(_LONGEST_HEADER)
        if len(start) == _LONGEST_HEADER:
            start = start[: start.rfind(b"\n") + 1]
        # as a row, so that a name that stands there twice is not changed
        row = pd.read_csv(BytesIO(start), comment="#", encoding=_ENCODING, header=None, nrows=1, dtype=str)
    except _NO_TABLE as error:
        raise UserError(_no_table(path, error)) from error
    names = [str(name) for name in row.iloc[0]]
    if len(names) == 1 and (wrong := re.search(r"[;\t|]", names[0])):
        raise UserError(
            f"{path} has its columns separated by {wrong[0]!r}: write commas between them, and points in its numbers"
        )
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise UserError(f"{path} has the column {twice} twice: remove one of them")
    return names


def _read(path: Path, needed: list[str]) -> pd.DataFrame:
    _header(path)
    texts = {"adjacency": str, "operations": str, "arch_str": str}
    try:
        table = pd.read_csv(path, comment="#", encoding=_ENCODING, compression=None, dtype=texts)
    except _NO_TABLE as error:
        raise UserError(_no_table(path, error)) from error
    if not isinstance(table.index, pd.RangeIndex):
        raise UserError(f"{path} has more values in a row than names in its header: write one for each column")
    absent = [column for column in needed if column not in table.columns]
    if absent or table.empty:
        raise UserError(
            f"{path} is not a table of architectures: "
            + (f"column {absent[0]!r} is missing" if absent else "it has no rows")
        )
    return table


def _no_table(path: Path, error: Exception) -> str:
    reason = " ".join(str(getattr(error, "strerror", None) or error).split())
    return f"{path} is not a table: {reason}; move it out of the folder of tables, or save it again as CSV in UTF-8"


@lru_cache(maxsize=2)  # several protocols and data sets of a table are opened one after the other
def _parse(path: Path, texts: tuple[str, ...], cell_space: SearchSpace) -> Cells:
    parsed: list[Cells] = []
    for row, text in enumerate(texts, start=1):
        try:
            parsed.append(cell_space.parse(str(text)))
        except UserError as error:
            raise UserError(f"{path}, row {row}: {error}") from error
    return concatenate(parsed)


def _accuracies(
    path: Path, table: pd.DataFrame, columns: dict[Split, str], top: float
) -> dict[Split, NDArray[np.float64]]:
    """Return the accuracies of the columns that the table has, in percent; `top` is the table's own 100 %."""
    found: dict[Split, NDArray[np.float64]] = {}
    for split, column in columns.items():
        if column not in table.columns:
            continue
        values = pd.to_numeric(table[column], errors="coerce").to_numpy(np.float64)
        wrong = np.flatnonzero(~((values >= 0) & (values <= top)))
        if len(wrong):
            row = int(wrong[0])
            raise UserError(
                f"{path}, row {row + 1}: {column} must be a number from 0 to {top:g}, not {table[column].iloc[row]}"
            )
        fractions = values[(values > 0) & (values < 1)]
        if top > 1 and values.max() <= 1 and len(fractions):
            raise UserError(
                f"{path}: no {column} is above 1, so they are fractions; write percent, {100 * fractions[0]:g} for {fractions[0]:g}"
            )
        found[split] = values * (100.0 / top)
    return found
