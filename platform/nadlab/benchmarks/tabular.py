"""The `Oracle` over a table of trainings, looked up by a cell's identity; an archive's arrays stay on disk until read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.archive import open_archive
from nadlab.benchmarks.container import facts_from
from nadlab.benchmarks.fidelity import Fidelities
from nadlab.benchmarks.oracle import SPLITS, STORED, Evaluation, Facts, Metric, Split, metric_of, quantity
from nadlab.benchmarks.presets import VALIDATION, Protocol, draw, protocol
from nadlab.errors import UserError, did_you_mean
from nadlab.spaces import Cells, SearchSpace, space
from nadlab.spaces.cells import Keys
from nadlab.spaces.darts.cells import cells_of, decode
from nadlab.spaces.nasbench101 import cells_of_keys
from nadlab.spaces.nasbenchgraph import cells_of_keys as graph_cells_of_keys


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a benchmark knows of each row beside accuracy by the search and report splits: values (N,) in a unit."""

    unit: str
    values: NDArray[Any]
    maximise: bool = False
    """whether more of it is better"""


@dataclass(frozen=True)
class TableBenchmark:
    """An `Oracle`; `protocol` says how the runs of an architecture are combined.

    identities: ascending int64 (N,), the rows of the table.
    runs: split -> accuracy in percent of every run, (N, R); NaN where there is none.
    listed: makes the cells of the rows.
    """

    name: str
    space: SearchSpace
    digest: str
    protocol: Protocol
    identities: Keys
    runs: Mapping[Split, NDArray[Any]]
    listed: Callable[[], Cells]
    facts: Facts = STORED
    extras: Mapping[str, Quantity] = field(default_factory=dict)
    """name -> what else is known of the rows; arrays that lie in a file are read when they are used"""
    epochs: int | None = None
    """of the trainings; None where that is not known"""
    shorter: Mapping[int, Mapping[Split, NDArray[Any]]] = field(default_factory=dict)
    """epochs of shorter trainings -> as `runs`"""
    seconds: Mapping[int, NDArray[Any]] = field(default_factory=dict)
    """epochs -> seconds of the whole training, (N, runs); NaN where a run has none"""
    estimate: str = ""
    """how the seconds were estimated; empty where they were measured"""

    @cached_property
    def fidelities(self) -> Fidelities:
        if self.epochs is None:
            return Fidelities()
        lower = [each for each, runs in self.shorter.items() if each < self.epochs and self.search_split in runs]
        spent = np.asarray(self.seconds.get(self.epochs, ()))
        seconds = None if np.isnan(spent).all() else float(np.nanmean(spent))
        # each length has a schedule of its own, so that no training goes on from a shorter one
        return Fidelities((*sorted(lower), self.epochs), seconds, estimate=self.estimate if seconds else "")

    @property
    def search_split(self) -> Split:
        return self.protocol.search_split

    @property
    def report_split(self) -> Split:
        return self.protocol.report_split if self.protocol.report_split in self.runs else "valid"

    @property
    def preset(self) -> str:
        return self.protocol.name

    @cached_property
    def optimum(self) -> float:
        return float(np.nanmax(self.accuracies(np.arange(len(self.identities)), self.report_split)))

    @cached_property
    def search_optimum(self) -> float:
        return float(np.nanmax(self.accuracies(np.arange(len(self.identities)), self.search_split)))

    @property
    def quantities(self) -> tuple[Metric, ...]:
        return tuple(quantity(name, each.unit, maximise=each.maximise) for name, each in self.extras.items())

    @cached_property
    def ranges(self) -> Mapping[str, tuple[float, float]]:
        reported = self.accuracies(np.arange(len(self.identities)), self.report_split)
        columns = {metric_of(self).name: reported} | {name: each.values for name, each in self.extras.items()}
        return {name: (float(np.nanmin(values)), float(np.nanmax(values))) for name, values in columns.items()}

    @property
    def queryable_count(self) -> int:
        return len(self.identities)

    def pool(self) -> Cells:
        return self.listed()

    def queryable(self, cells: Cells) -> NDArray[np.bool_]:
        return self.rows(self.space.identities(cells)) >= 0

    def evaluate(self, cells: Cells, fidelity: int | None = None) -> list[Evaluation]:
        rows = self.rows(self.space.identities(cells))
        valid, test = (self.accuracies(rows, split, fidelity) for split in SPLITS)
        extras = {name: np.asarray(each.values[rows], np.float64) for name, each in self.extras.items()}
        spent = self.seconds.get(fidelity or self.epochs or 0)
        return evaluations(valid, test, extras, None if spent is None else _mean(np.asarray(spent[rows], np.float64)))

    def rows(self, identities: Keys) -> NDArray[np.int64]:
        """Return the row of each identity, -1 where the benchmark lacks it, shape (N,)."""
        found = np.minimum(np.searchsorted(self.identities, identities), len(self.identities) - 1)
        return np.where(self.identities[found] == identities, found, -1)

    def accuracies(self, rows: NDArray[np.int64], split: Split, fidelity: int | None = None) -> NDArray[np.float64]:
        """Return the accuracy in percent of rows under the protocol, shape (N,); NaN where there is none."""
        of_split = self.runs if fidelity in (None, self.epochs) else self.shorter[fidelity]
        if split not in of_split:
            return np.full(len(rows), np.nan)
        runs = of_split[split][rows].astype(np.float64)
        known = ~np.isnan(runs)
        count = known.sum(axis=1)
        if self.protocol.runs == "one":
            chosen = draw(self.identities[rows], 0) % np.maximum(count, 1).astype(np.uint64)
            known &= np.cumsum(known, axis=1) - 1 == chosen[:, None].astype(np.int64)
        return _mean(np.where(known, runs, np.nan))


def _mean(runs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each row's known values, (N,); NaN where there is none."""
    count = (~np.isnan(runs)).sum(axis=1)
    return np.where(count > 0, np.nansum(runs, axis=1) / np.maximum(count, 1), np.nan)


DECODE: dict[str, Callable[[Keys], Cells]] = {
    "nasbench101": cells_of_keys,
    "nasbench201": lambda keys: space("nasbench201").enumerate()[keys],
    "darts": lambda keys: cells_of(*decode(keys)),
    "nasbenchgraph": graph_cells_of_keys,
    "natssize": lambda keys: space("natssize").enumerate()[keys],
}
"""Name of the search space -> the cells of identities."""


UNITS = {"parameters": "million", "flops": "million", "latency": "s"}
"""What an archive may hold beside trainings -> its unit."""


def evaluations(
    valid: NDArray[np.float64],
    test: NDArray[np.float64],
    extras: Mapping[str, NDArray[np.float64]],
    seconds: NDArray[np.float64] | None = None,
) -> list[Evaluation]:
    """Return accuracies of both splits, further quantities and seconds, each (N,), as evaluations; NaN becomes None, or is left out."""
    found = []
    spent = np.full(len(valid), np.nan) if seconds is None else seconds
    for row, numbers in enumerate(zip(valid.tolist(), test.tolist(), spent.tolist(), strict=True)):
        first, second, took = (None if np.isnan(value) else value for value in numbers)
        known = {name: float(values[row]) for name, values in extras.items() if not np.isnan(values[row])}
        found.append(Evaluation(first, second, known, seconds=took))
    return found


def open_benchmark(path: Path, dataset: str, name: str, preset: str = "paper") -> TableBenchmark:
    """Open one data set of an archive under a protocol, for its longest trainings; `validation`: for each split's longest.

    Raises UserError when the file is not an archive, lacks the data set, or lacks what the protocol searches by.
    """
    content, digest = open_archive(path)
    budgets = content.answers.get(dataset, {})
    if not budgets:
        raise UserError(
            f"{path} has no dataset {dataset!r}: {did_you_mean(dataset, content.answers)}it has {', '.join(content.answers)}"
        )
    ascending = sorted(budgets, key=int)
    read = ascending if preset == VALIDATION else ascending[-1:]
    prefixes = {split: prefix for epochs in read for split, prefix in budgets[epochs].items()}
    chosen = protocol(preset, f"{name} ({path})", prefixes, dataset, content.space)
    keys = content.arrays["keys"]

    def runs_of(prefixes: Mapping[str, str]) -> dict[Split, NDArray[Any]]:
        return {split: content.arrays[f"{prefixes[split]}/accuracy"][:, :, -1] for split in SPLITS if split in prefixes}

    searched = {int(epochs): prefixes for epochs, prefixes in budgets.items() if chosen.search_split in prefixes}
    trainings = {
        epochs: f"{each[chosen.search_split].rpartition('/')[0]}/train/seconds" for epochs, each in searched.items()
    }
    listed = DECODE[content.space]
    facts = facts_from("stored", content.provenance)
    extras = {
        quantity: Quantity(unit, content.arrays[f"{dataset}/{quantity}"])
        for quantity, unit in UNITS.items()
        if f"{dataset}/{quantity}" in content.arrays
    }
    return TableBenchmark(
        name, space(content.space), digest, chosen, keys, runs_of(prefixes), lambda: listed(np.asarray(keys)), facts, extras,
        max(searched), {epochs: runs_of(each) for epochs, each in searched.items()},
        {epochs: content.arrays[each][:, :, -1] for epochs, each in trainings.items() if each in content.arrays},
    )  # fmt: skip
