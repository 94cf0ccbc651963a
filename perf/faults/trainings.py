"""A benchmark whose trainings sleep and log themselves, and what a log says beside the store: what was trained twice."""

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.oracle import Cost, Evaluation, Split
from nadlab.benchmarks.presets import draw
from nadlab.evaluations.exports import kept
from nadlab.spaces import Cells, SearchSpace, space

LOG, SECONDS = "NADLAB_TRAININGS_LOG", "NADLAB_TRAININGS_SECONDS"
"""environment variables: the file to which every training adds a line, and how long it takes"""


@dataclass(frozen=True)
class SleepingTrainings:
    """A training sleeps, and answers with a number that follows from the cell."""

    name: str
    cost: Cost = Cost(cpus=1)  # noqa: RUF009 - it is frozen
    search_split: Split = "valid"
    report_split: Split = "test"
    preset: str = "paper"
    digest: str = hashlib.sha256(b"sleeping trainings, version 1").hexdigest()
    queryable_count: int = 15_625

    @property
    def space(self) -> SearchSpace:
        return space("nasbench201")

    def pool(self) -> Cells:
        return self.space.unlabelled(2000, np.random.default_rng(0))

    def queryable(self, cells: Cells) -> NDArray[np.bool_]:
        return np.ones(len(cells), bool)

    def evaluate(self, cells: Cells) -> list[Evaluation]:
        keys = self.space.keys(cells)
        if file := os.environ.get(LOG):
            with Path(file).open("a", encoding="utf-8") as log:
                log.write("".join(f"{key} {time.time()}\n" for key in keys.tolist()))
        time.sleep(float(os.environ.get(SECONDS, "1")))
        valid, test = (50 + (draw(keys, seed) % np.uint64(4000)) / 100 for seed in (1, 2))
        return [Evaluation(*pair) for pair in zip(valid.tolist(), test.tolist(), strict=True)]


def sleeping(name: str) -> SleepingTrainings:
    return SleepingTrainings(name)


@dataclass(frozen=True, slots=True)
class Trainings:
    """The trainings of a killed study."""

    cells: int
    """that its searches queried"""
    begun: int
    """trainings; those beyond `cells` were in flight when something was killed"""
    again: int
    """of which began after the store had the answer"""
    missing: int
    """cells of the searches that the store lacks"""


def trainings(log: Path, store: Path, queried: Sequence[int]) -> Trainings:
    """Compare the log of trainings with the store and the cells that the searches queried."""
    lines = [line.split() for line in log.read_text(encoding="utf-8").splitlines()]
    frame = kept(str(store))
    ended = dict(zip(frame["key"].tolist(), frame["ended"].tolist(), strict=True))
    again = sum(float(begun) > ended.get(int(key), np.inf) for key, begun in lines)
    wanted = set(queried)
    return Trainings(len(wanted), len(lines), again, len(wanted - ended.keys()))
