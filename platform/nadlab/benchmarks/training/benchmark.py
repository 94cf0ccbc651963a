"""The benchmark `train:SOURCE`: every query builds a cell's network, trains it and measures it.

Its name says all that decides an answer: `train:digits@space=nasbench101@epochs=20`. Settings are `space`, the fields of `Skeleton`
and of `Recipe`; what is left out is the space's published skeleton and NAS-Bench-201's recipe, on the digits smaller ones.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nadlab.benchmarks.fidelity import Fidelities
from nadlab.benchmarks.oracle import Cost, Evaluation, Facts, Metric, Split, quantity
from nadlab.benchmarks.presets import PAPER, VALIDATION
from nadlab.benchmarks.training.data import Dataset, dataset
from nadlab.benchmarks.training.networks import PUBLISHED, Normalised, cell_network
from nadlab.benchmarks.training.networks.layers import Skeleton
from nadlab.benchmarks.training.recipe import Recipe, Trained, device, train
from nadlab.errors import UserError, did_you_mean
from nadlab.json_text import strict_json
from nadlab.parameters.hyperparameters import at_least, positive
from nadlab.parameters.values import coerced, declared_types
from nadlab.plugins import TRAINING
from nadlab.spaces import Cells, SearchSpace, space
from nadlab.spaces.nasbench101 import ABSENT, prune

VERSION = 1
"""of what a name means: another one has other answers"""
_QUICK = Recipe(epochs=6, batch=64, augment=False)
DIGITS: Mapping[str, tuple[Skeleton, Recipe]] = {
    "nasbench201": (Skeleton(4, 1), _QUICK),
    "nasbench101": (Skeleton(8, 1), _QUICK),
    "darts": (Skeleton(4, 1, stages=2), replace(_QUICK, batch=128)),
}
"""space -> the skeleton and recipe of the digits: a training takes one to three seconds of a core"""
DIGITS_SECONDS = 2.0
"""expected of a training of the digits as they come, on one core"""
FIDELITIES = 4
"""lengths of training, each a third of the next one"""
LEAST_CHANNELS = {"nasbench201": 1, "nasbench101": 5, "darts": 2}
"""space -> channels of the first stage: NAS-Bench-101 shares them among five vertices at most"""
POOL = 20_000
"""cells of the pool of DARTS, whose space is too large to list"""


@dataclass(frozen=True)
class TrainingBenchmark:
    """An `Oracle`. Isomorphic cells are one network, that of their canonical form; a query answers by validation."""

    name: str
    space: SearchSpace
    source: str
    skeleton: Skeleton
    recipe: Recipe
    preset: str
    search_split: Split = "valid"
    report_split: Split = "test"

    @property
    def facts(self) -> Facts:
        """Each answer costs a training."""
        return Facts("trained", "nadlab", f"nadlab search --benchmark {self.name}")

    @property
    def cost(self) -> Cost:
        """One core, and where there is a GPU, that."""
        return Cost(gpus=1 if torch.cuda.is_available() else 0, seconds=self.seconds)

    @property
    def fidelities(self) -> Fidelities:
        """A third of the epochs, a third of those and so on; each training has a cosine of its own, so that none goes on."""
        lengths = (self.recipe.epochs // 3**each for each in range(FIDELITIES))
        return Fidelities(tuple(sorted({each for each in lengths if each})), self.seconds)

    @property
    def seconds(self) -> float | None:
        """Of a full training, as expected; None where that is not known: for other images than the digits."""
        if self.source != "digits":
            return None
        return DIGITS_SECONDS * self.recipe.epochs / DIGITS[self.space.name][1].epochs

    @property
    def quantities(self) -> tuple[Metric, ...]:
        """Parameters, multiplications and seconds of the training by the clock."""
        return quantity("params", "M"), quantity("flops", "M"), quantity("seconds", "s")

    @property
    def data(self) -> Dataset:
        """The images, read once a process."""
        return dataset(self.source)

    @cached_property
    def digest(self) -> str:
        settings = self.space.name, asdict(self.skeleton), asdict(self.recipe)
        return hashlib.sha256(strict_json([VERSION, self.data.digest, *settings]).encode()).hexdigest()

    @property
    def queryable_count(self) -> int:
        return self.space.size

    @cached_property
    def _pool(self) -> Cells:
        if self.space.name == "darts":
            return self.space.unlabelled(POOL, np.random.default_rng(0))
        return self.space.enumerate()

    def pool(self) -> Cells:
        return self._pool

    def queryable(self, cells: Cells) -> NDArray[np.bool_]:
        return np.ones(len(cells), bool)

    def evaluate(self, cells: Cells, fidelity: int | None = None) -> list[Evaluation]:
        """Train each cell for so many epochs, None for all; raise TrainingDiverged where a loss does not stay finite."""
        shorter = self if fidelity is None else replace(self, recipe=replace(self.recipe, epochs=fidelity))
        return [shorter._evaluated(cell) for cell in cells]

    def _evaluated(self, cell: Cells) -> Evaluation:
        network, trained = self.trained(cell)
        parameters, flops = size(network, self.data.shape)
        known = {"params": parameters, "flops": flops, "seconds": trained.seconds}
        return Evaluation(trained.valid, trained.test, known, seconds=trained.seconds)

    def network(self, cell: Cells) -> Normalised:
        """Return the untrained network of one cell (a batch of one), for images as they are stored."""
        graph = plain_graph(self.space.canonical(cell), self.space)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed)
            made = cell_network(self.space.name, *graph, self.skeleton, self.data.shape[0], len(self.data.classes))
        return Normalised(made, *self.data.moments())

    def trained(self, cell: Cells) -> tuple[Normalised, Trained]:
        """Return the trained network of one cell, and what its training gave; raises as `recipe.train`."""
        network = self.network(cell)
        return network, train(network, self.data, self.recipe, device())


def plain_graph(cell: Cells, cell_space: SearchSpace) -> tuple[list[list[int]], list[str]]:
    """Return one cell's matrix and labels as lists, of NAS-Bench-101 without the vertices that it lacks."""
    present = np.arange(cell_space.vertices)
    if cell_space.name == "nasbench101":
        cell = prune(cell)
        present = np.flatnonzero(cell.operations[0] != ABSENT)
    matrix = cell.adjacency[0][np.ix_(present, present)].astype(int).tolist()
    return matrix, [cell_space.operations[label] for label in cell.operations[0, present]]


def size(network: nn.Module, shape: tuple[int, int, int]) -> tuple[float, float]:
    """Return the parameters of a network, and the multiplications of convolutions and linear layers for one image, in millions.

    As NAS-Bench-201 publishes them, but for the linear layer's biases, which it counts as multiplications. shape: (C, H, W).
    """
    parameters = sum(each.numel() for each in network.parameters())
    was_training = network.training
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, *shape, device=next(network.parameters()).device))
    network.train(was_training)
    return parameters / 1e6, counter.get_total_flops() / 2e6


def training_benchmark(name: str, preset: str) -> TrainingBenchmark:
    """Return the benchmark of a name `train:SOURCE@SETTING=VALUE@...`; raise UserError that says what is wrong with it."""
    if preset not in (PAPER, VALIDATION):
        raise UserError(
            f"the protocol {preset!r} is not defined for {name}: choose {VALIDATION} or {PAPER}, which are alike"
        )
    source, *texts = name.removeprefix(TRAINING).split("@")
    settings: dict[str, Any] = {}
    for text in texts:
        setting, equals, value = text.partition("=")
        if not equals or setting in settings:
            raise UserError(f"{name}: {text!r} must be SETTING=VALUE, each setting once")
        settings[setting] = value
    cell_space = space(settings.pop("space", "nasbench201"))
    if cell_space.name not in PUBLISHED:
        raise UserError(
            f"{name} has no networks for the space {cell_space.name!r}: choose one of {', '.join(PUBLISHED)}"
        )
    published = PUBLISHED[cell_space.name], Recipe()
    skeleton, recipe = DIGITS[cell_space.name] if source == "digits" else published
    made = TrainingBenchmark(
        name, cell_space, source, _changed(name, skeleton, settings), _changed(name, recipe, settings), preset
    )
    if settings:
        known = [field.name for kind in (Skeleton, Recipe) for field in fields(kind)]
        first = next(iter(settings))
        raise UserError(
            f"{name}: unknown setting {first!r}: {did_you_mean(first, known)}choose from space, {', '.join(known)}"
        )
    positive(made.skeleton, "cells", "stages")
    at_least(LEAST_CHANNELS[cell_space.name], made.skeleton, "channels")
    height, width = made.data.shape[1:]
    parts = 2 ** (made.skeleton.stages - 1)
    if height % parts or width % parts:
        raise UserError(
            f"{name}: images of {height} x {width} cannot be halved {made.skeleton.stages - 1} times: set @stages=, or crop them"
        )
    made.recipe.check_batch(len(made.data.train))
    return made


def _changed(name: str, what: Any, settings: dict[str, Any]) -> Any:
    """Return a skeleton or recipe with its settings of a name, which are taken out."""
    own = declared_types(what.__class__)
    changes = {each: coerced(own[each], each, settings.pop(each)) for each in list(settings) if each in own}
    try:
        return replace(what, **changes)
    except UserError as error:
        raise UserError(f"{name}: {error}") from error
