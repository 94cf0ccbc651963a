"""A benchmark of any space whose accuracy is a count, for tests of searches."""

from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent, indent

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.fidelity import Fidelities
from nadlab.benchmarks.oracle import Evaluation, Split
from nadlab.spaces import SPACES, Cells, SearchSpace


@dataclass(frozen=True)
class Counting:
    """A benchmark of a whole space, or of the given cells of it: accuracy grows with the number of third operations."""

    space: SearchSpace
    held: Cells
    whole: bool = True
    name: str = "counting"
    search_split: Split = "valid"
    report_split: Split = "valid"
    preset: str = "paper"
    digest: str = "0" * 64
    optimum: float = 100.0
    fidelities: Fidelities = field(default_factory=lambda: Fidelities((3, 9), 18.0))

    @property
    def queryable_count(self) -> int:
        return self.space.size if self.whole else len(self.held)

    def pool(self) -> Cells:
        return self.held

    def queryable(self, cells: Cells) -> NDArray[np.bool_]:
        held = np.isin(self.space.keys(cells), self.space.keys(self.held))
        return np.ones(len(cells), bool) if self.whole else held

    def evaluate(self, cells: Cells, fidelity: int | None = None) -> list[Evaluation]:
        """A shorter training counts the first half of the vertices alone."""
        seen = cells.operations if fidelity is None else cells.operations[:, : cells.operations.shape[1] // 2]
        return [Evaluation(50 + float(count), None) for count in (seen == 3).sum(axis=1)]


def counting(name: str, pool: int = 200, *, whole: bool = True) -> Counting:
    """Return the benchmark of a space whose pool has so many cells."""
    space = SPACES[name]
    return Counting(space, space.unlabelled(pool, np.random.default_rng(0)), whole)


OWN_MODULE = """
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nadlab.benchmarks.oracle import Cost, Evaluation
from nadlab.spaces import space

PLACE = Path({place!r})


@dataclass(frozen=True)
class Own:
    name: str
    search_split: str = "valid"
    report_split: str = "valid"
    preset: str = "paper"
    digest: str = "0" * 64
    queryable_count: int = 15_625
    {fields}

    @property
    def space(self):
        return space("nasbench201")

    def pool(self):
        return {pool}

    def queryable(self, cells):
        return np.ones(len(cells), bool)

    def evaluate(self, cells):
{evaluate}


def {name}(name):
    return Own(name)
"""


def own_module(name: str, place: Path, evaluate: str, pool: str = "self.space.enumerate()", fields: str = "") -> str:
    """Return a module whose function of this name opens a benchmark of NAS-Bench-201's cells.

    evaluate: the body of its `evaluate`, which may use PLACE. pool, fields: an expression and a line of its class.
    """
    body = indent(dedent(evaluate).strip(), " " * 8)
    return OWN_MODULE.format(name=name, place=str(place), evaluate=body, pool=pool, fields=fields)
