"""The `Oracle` over an archive: answers by looking keys up in arrays that stay on disk until they are touched."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.archive import Archive, OpenArchive, open_archive
from nadlab.benchmarks.oracle import Evaluation, Split, evaluations
from nadlab.benchmarks.presets import Protocol, draw, protocol
from nadlab.errors import UserError
from nadlab.spaces import Cells, SearchSpace, space
from nadlab.spaces.cells import Keys
from nadlab.spaces.darts_cells import cells_of, decode
from nadlab.spaces.nasbench101 import cells_of_keys


@dataclass(frozen=True)
class ArchivedBenchmark:
    """An `Oracle`; see `Protocol` for how it answers. `budget` is the length of the trainings in epochs."""

    name: str
    opened: OpenArchive
    prefixes: dict[Split, str]
    budget: str
    protocol: Protocol

    @property
    def space(self) -> SearchSpace:
        return space(self._content.space)

    @property
    def search_split(self) -> Split:
        return self.protocol.search_split

    @property
    def report_split(self) -> Split:
        return self.protocol.report_split if self.protocol.report_split in self.prefixes else "valid"

    @property
    def preset(self) -> str:
        return self.protocol.name

    @property
    def digest(self) -> str:
        return self.opened.digest

    @cached_property
    def optimum(self) -> float:
        return float(np.nanmax(self.accuracies(np.arange(len(self._keys)), self.report_split)))

    @property
    def queryable_count(self) -> int:
        return len(self._keys)

    def pool(self) -> Cells:
        return DECODE[self._content.space](np.asarray(self._keys))

    def queryable(self, cells: Cells) -> NDArray[np.bool_]:
        return self.rows(self.space.identities(cells)) >= 0

    def evaluate(self, cells: Cells) -> list[Evaluation]:
        rows = self.rows(self.space.identities(cells))
        valid, test = (
            self.accuracies(rows, split) if split in self.prefixes else np.full(len(rows), np.nan)
            for split in ("valid", "test")
        )
        return evaluations(valid, test)

    def rows(self, identities: Keys) -> NDArray[np.int64]:
        """Return the row of each identity, -1 where the benchmark lacks it, shape (N,)."""
        found = np.minimum(np.searchsorted(self._keys, identities), len(self._keys) - 1)
        return np.where(self._keys[found] == identities, found, -1)

    def runs(self, rows: NDArray[np.int64], split: Split) -> NDArray[np.float64]:
        """Return the accuracy in percent of every run of rows, (N, R); NaN where there is none."""
        accuracy = self._content.arrays[f"{self.prefixes[split]}/accuracy"]
        return np.asarray(accuracy[rows, :, -1], np.float64)

    def accuracies(self, rows: NDArray[np.int64], split: Split) -> NDArray[np.float64]:
        """Return the accuracy in percent of rows under the protocol, shape (N,); NaN where there is none."""
        runs = self.runs(rows, split)
        known = ~np.isnan(runs)
        count = known.sum(axis=1)
        if self.protocol.runs == "mean":
            total = np.where(known, runs, 0.0).sum(axis=1)
        else:
            chosen = draw(self._keys[rows], self.protocol.seed) % np.maximum(count, 1).astype(np.uint64)
            place = known & (np.cumsum(known, axis=1) - 1 == chosen[:, None].astype(np.int64))
            total, count = np.where(place, runs, 0.0).sum(axis=1), np.minimum(count, 1)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    @property
    def _content(self) -> Archive:
        return self.opened.content

    @property
    def _keys(self) -> Keys:
        return self._content.arrays["keys"]


DECODE: dict[str, Callable[[Keys], Cells]] = {
    "nasbench101": cells_of_keys,
    "nasbench201": lambda keys: space("nasbench201").enumerate()[keys],
    "darts": lambda keys: cells_of(*decode(keys)),
}
"""Name of the search space -> the cells of identities."""


def open_benchmark(path: Path, dataset: str, name: str, preset: str = "paper") -> ArchivedBenchmark:
    """Open one data set of an archive under a protocol, for its longest trainings.

    Raises UserError when the file is no archive, lacks the data set, or lacks what the protocol searches by.
    """
    opened = open_archive(path)
    budgets = opened.content.answers.get(dataset, {})
    if not budgets:
        raise UserError(f"{path} has no dataset {dataset!r}: it has {', '.join(opened.content.answers)}")
    budget = max(budgets, key=int)
    chosen = protocol(preset, opened.content.space, dataset)
    prefixes: dict[Split, str] = {
        split: budgets[budget][split] for split in ("valid", "test") if split in budgets[budget]
    }
    if chosen.search_split not in prefixes:
        raise UserError(
            f"{path} has no {chosen.search_split} accuracy of {dataset} after {budget} epochs, by which the protocol {preset!r} searches"
        )
    return ArchivedBenchmark(name, opened, prefixes, budget, chosen)
