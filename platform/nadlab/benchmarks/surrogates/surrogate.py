"""A surrogate benchmark: an ensemble of trees that predicts the accuracy of any cell, and the `Oracle` over it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.container import Container, facts_from, open_container
from nadlab.benchmarks.fidelity import Fidelities
from nadlab.benchmarks.oracle import PREDICTED, Evaluation, Facts, Split
from nadlab.benchmarks.presets import Protocol, draw, protocol
from nadlab.benchmarks.surrogates.features import VECTORS, WIDTHS
from nadlab.benchmarks.surrogates.trees import Trees, check
from nadlab.errors import UserError
from nadlab.spaces import Cells, SearchSpace, space

KIND = "nadlab-surrogate-2"
POOL = 600_000
"""Cells of the pool: the paper's unlabelled set (arch2vec's number), drawn once and for all."""
_DRAWN = 1_000
"""cells whose predicted seconds give the mean of a training's"""
_SEARCH = 2_000
_STARTS = 5


@dataclass(frozen=True)
class Surrogate:
    """Trees that predict validation accuracy in percent and, optionally, the seconds of a training."""

    space: str
    features: str
    """one of `nadlab.benchmarks.surrogates.features.VECTORS`"""
    performance: Trees
    runtime: Trees | None
    provenance: Mapping[str, str]

    def predict(self, cells: Cells) -> NDArray[np.float64]:
        """Return each member's prediction of the accuracy of valid cells, (N, M)."""
        return self.performance.predict(VECTORS[self.features](cells))

    def container(self) -> Container:
        """Return it as a container, with the best known cell found by a fixed search."""
        arrays: dict[str, NDArray[Any]] = {}
        depths: dict[str, int] = {}
        for part, trees in (("performance", self.performance), ("runtime", self.runtime)):
            if trees is not None:
                depths[part] = trees.depth
                arrays |= {f"{part}/{f.name}": getattr(trees, f.name) for f in fields(trees) if f.name != "depth"}
        cell, accuracy = best_known(self)
        best = {"cell": space(self.space).format(cell), "accuracy": accuracy}
        facts = {
            "space": self.space,
            "features": self.features,
            "depths": depths,
            "best_known": best,
            "provenance": self.provenance,
        }
        return Container(KIND, facts, arrays)


@dataclass(frozen=True)
class SurrogateBenchmark:
    """An `Oracle` that answers for every valid cell of its space."""

    name: str
    space: SearchSpace
    digest: str
    protocol: Protocol
    surrogate: Surrogate
    optimum: float
    """the best known prediction without noise; the space is too large to list, so a regret may be negative"""

    search_split: Split = "valid"
    report_split: Split = "valid"
    facts: Facts = PREDICTED

    @property
    def preset(self) -> str:
        return self.protocol.name

    @property
    def queryable_count(self) -> int:
        return self.space.size

    @cached_property
    def _pool(self) -> Cells:
        return self.space.unlabelled(min(POOL, self.space.size), np.random.default_rng(0))

    def pool(self) -> Cells:
        """Return the unlabelled set, 600,000 cells or all; every other valid cell can be queried as well."""
        return self._pool

    def queryable(self, cells: Cells) -> NDArray[np.bool_]:
        return np.ones(len(cells), bool)

    def evaluate(self, cells: Cells) -> list[Evaluation]:
        seconds = [None] * len(cells) if self.surrogate.runtime is None else self.seconds(cells).tolist()
        answers = zip(self.accuracies(cells).tolist(), seconds, strict=True)
        return [Evaluation(accuracy, None, seconds=each) for accuracy, each in answers]

    def accuracies(self, cells: Cells) -> NDArray[np.float64]:
        """Return predictions in percent, (N,): the ensemble's mean, under a protocol with noise plus its spread times a normal draw."""
        members = self.surrogate.predict(cells)
        if not self.protocol.noise:
            return np.asarray(members.mean(axis=1))
        identities = self.space.identities(cells)
        # Box and Muller's normal from two uniform numbers in (0, 1] of the cell's own
        first, second = (
            (draw(identities, i) >> np.uint64(11)).astype(np.float64) * 2.0**-53 + 2.0**-54 for i in range(2)
        )
        normal = np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * second)
        return np.asarray(members.mean(axis=1) + normal * members.std(axis=1))

    @cached_property
    def fidelities(self) -> Fidelities:
        """What the runtime surrogate expects of a full training."""
        if self.surrogate.runtime is None:
            return Fidelities()
        drawn = self.space.sample(_DRAWN, np.random.default_rng(0))
        return Fidelities(seconds=float(self.seconds(drawn).mean()), estimate="predicted by the runtime surrogate")

    def seconds(self, cells: Cells) -> NDArray[np.float64]:
        """Return the predicted seconds of a training, (N,); raise UserError when there is no runtime surrogate."""
        if self.surrogate.runtime is None:
            raise UserError(f"{self.name} has no runtime surrogate: convert a folder that holds lgb_runtime as well")
        features = VECTORS[self.surrogate.features](cells)
        return np.asarray(self.surrogate.runtime.predict(features).mean(axis=1))


def open_surrogate(path: Path, name: str, preset: str = "paper") -> SurrogateBenchmark:
    """Map a surrogate into memory; raise UserError when the file is none, or damaged."""
    container, digest = open_container(path)
    if container.kind != KIND:
        raise UserError(f"{path} is not a surrogate of the form {KIND!r}: convert the official folder again")
    try:
        facts = container.facts
        performance, runtime = (_trees(container, part) for part in ("performance", "runtime"))
        if performance is None:
            raise ValueError("it has no trees")
        if facts["features"] not in VECTORS:
            raise ValueError(f"unknown features {facts['features']!r}")
        for trees in filter(None, (performance, runtime)):
            check(trees, WIDTHS[facts["features"]])
        content = Surrogate(facts["space"], facts["features"], performance, runtime, facts["provenance"])
        best = float(facts["best_known"]["accuracy"])
        chosen, own = protocol(preset, name, ("valid",), "surrogate"), facts_from("predicted", content.provenance)
        return SurrogateBenchmark(name, space(content.space), digest, chosen, content, best, facts=own)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} is a damaged surrogate ({error}): convert the official folder again") from error


def _trees(container: Container, part: str) -> Trees | None:
    if part not in container.facts["depths"]:
        return None
    columns = {f.name: container.arrays[f"{part}/{f.name}"] for f in fields(Trees) if f.name != "depth"}
    return Trees(**columns, depth=int(container.facts["depths"][part]))


def best_known(surrogate: Surrogate) -> tuple[Cells, float]:
    """Return the best cell and its accuracy: of the space, or of a fixed search where the space is too large to list.

    The search draws random cells and moves from the best of them to the best neighbour as long as that is better.
    """
    cell_space = space(surrogate.space)
    drawn = cell_space.enumerate() if cell_space.size <= POOL else cell_space.sample(_SEARCH, np.random.default_rng(0))
    values = surrogate.predict(drawn).mean(axis=1)
    found: list[tuple[Cells, float]] = []
    for start in np.argsort(-values)[:_STARTS].tolist():
        cell, value = drawn[start : start + 1], float(values[start])
        while True:
            near = cell_space.neighbours(cell)
            nearby = surrogate.predict(near).mean(axis=1)
            best = int(np.argmax(nearby))
            if not nearby[best] > value:  # neither where both are infinite
                break
            cell, value = near[best : best + 1], float(nearby[best])
        found.append((cell, value))
    return max(found, key=lambda one: one[1])
