"""Bi-Arch2Perf (Section 3.1): D, AG and PP trained in turn, once a batch, on labelled and unlabelled cells."""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from nadlab.benchmarks.oracle import ACCURACY, Metric
from nadlab.errors import UserError
from nadlab.nets.accelerator import accelerates
from nadlab.nets.graphs import GINInput, Graphs, graphs_from_bytes, read
from nadlab.nets.nade import gumbel
from nadlab.semigan.divergence import Diverged
from nadlab.semigan.losses import EpochLosses, mean_losses
from nadlab.semigan.networks.decisions import decisions_of
from nadlab.semigan.networks.discriminator import Discriminator
from nadlab.semigan.networks.ensemble import bound, predictor_of
from nadlab.semigan.networks.generator import LATENT, Generator, Latents
from nadlab.semigan.networks.predictor import Predictor
from nadlab.semigan.ranks import RANKS, SCALES, cuts, rank, threshold, width_of
from nadlab.semigan.settings import Settings
from nadlab.semigan.step import (
    Batch,
    CoverageBatch,
    GeneratorBatch,
    Labelled,
    Networks,
    Weights,
    n_pseudo_real,
    read_unlabelled,
    take_step,
)
from nadlab.spaces import Cells


class BiArch2Perf:
    """The three networks, their optimizers and the data of one run.

    labelled, y: the queried cells and their scores, (N,); `metric` says in which unit. cells: the space, one cell of each isomorphism
    class, of which `unlabelled` are the rows without label. Both in canonical form. Raises UserError when the settings
    ask a CPU for bfloat16.
    """

    def __init__(
        self,
        labelled: Cells,
        y: NDArray[np.float64],
        cells: Cells,
        unlabelled: NDArray[np.int64],
        operations: int,
        settings: Settings,
        seed: int,
        metric: Metric = ACCURACY,
    ) -> None:
        self.settings, self.metric = settings, metric
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if settings.precision == "bfloat16" and self.device.type == "cpu":
            raise UserError("precision = bfloat16 needs a GPU, and there is none here: use float32")
        # of training steps alone: PP's scores in bfloat16 would tie where NACG ranks by them
        self.autocast = partial(torch.autocast, self.device.type, torch.bfloat16, settings.precision == "bfloat16")
        self.random = torch.Generator().manual_seed(seed)
        self.vertices = cells.operations.shape[1]
        # bytes on the device: floats would take four times as much memory, and are made batch by batch
        self.space_A, self.space_X = self._bytes(cells)
        self.operations = operations
        self.networks = untrained_networks([labelled, cells], operations, settings, seed).to(self.device)
        # AG looks each of their tensors up by name
        self.decisions = self.networks.AG.decisions
        self.optimizers = {
            name: adam(network.parameters(), name, settings) for name, network in self.networks.named_children()
        }
        self.learn_from(labelled, y, unlabelled, settings.epochs)

    def learn_from(self, labelled: Cells, y: NDArray[np.float64], unlabelled: NDArray[np.int64], epochs: int) -> None:
        """Take other data for the next `epochs` epochs, whose learning rate rises and falls anew; weights are kept."""
        settings = self.settings
        known = self._bytes(labelled)
        self.labelled, self.chosen = self.as_read(*known), self.decisions.of(*known)
        self.unlabelled = torch.from_numpy(unlabelled).to(self.device)
        self.t = threshold(y, settings.rank0_share) if settings.t is None else self.metric.score(settings.t)
        width = width_of(y, self.metric.unit)
        scale = SCALES[settings.scale](y)
        self.cuts = cuts(scale, self.t, width).to(self.device)
        self.targets = torch.tensor(scale(y), dtype=torch.float32, device=self.device)
        self.ranks = F.one_hot(rank(torch.from_numpy(y), self.t, width), RANKS).float().to(self.device)
        self.steps_per_epoch = steps_of_an_epoch(len(unlabelled), settings)
        self.epochs, self.steps_taken = epochs, 0

    def _bytes(self, cells: Cells) -> tuple[Tensor, Tensor]:
        with warnings.catch_warnings():
            # workers share the space's cells, which they can't write to; no step here writes to cells
            warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
            adjacency = torch.from_numpy(np.ascontiguousarray(cells.adjacency))
            return adjacency.to(self.device), torch.from_numpy(np.ascontiguousarray(cells.operations)).to(self.device)

    def as_read(self, adjacency: Tensor, operations: Tensor) -> GINInput:
        """Return cells, as bytes on the device, as PP and D read them."""
        return read(graphs_from_bytes(adjacency, operations, self.operations))

    def read(self, cells: Cells) -> GINInput:
        """Return cells in canonical form as PP and D read them."""
        return self.as_read(*self._bytes(cells))

    def latents(self, count: int) -> Latents:
        """Draw z_A and z_X."""
        shape = (count, self.vertices if self.settings.latents == "vertex" else 1, LATENT)
        z_A, z_X = (torch.randn(shape, generator=self.random).to(self.device) for _ in range(2))
        return Latents(z_A, z_X)

    def generate(self, ranks: Tensor, temperature: float = 1.0) -> Graphs:
        """Return AG's cells for one-hot ranks (B, 5); below a temperature of 1 likelier choices are taken more often."""
        latents = self.latents(len(ranks))
        generated: Graphs = self.networks.AG(latents, temperature * self._noise(len(ranks)), ranks)
        return generated

    def _noise(self, count: int) -> Tensor:
        return gumbel((count, *self.decisions.allowed.shape), self.random).to(self.device)

    def predict(self, cells: Cells) -> NDArray[np.float64]:
        """Return PP's scores of cells in canonical form, higher is better, (N,); raise Diverged when one is not finite."""
        with torch.inference_mode():
            chunks = (self.read(cells[start : start + 4096]) for start in range(0, len(cells), 4096))
            parts = [bound(self.networks.PP(chunk), self.settings.optimism) for chunk in chunks]
            predicted: NDArray[np.float64] = torch.cat(parts).double().cpu().numpy()
        if not np.isfinite(predicted).all():
            raise Diverged(f"epoch {self.epochs}", "the predictor's scores are not finite")
        return predicted

    @property
    def backend(self) -> str:
        """What computes the networks: `cuda`, `accelerator` or `torch`."""
        if self.device.type == "cuda":
            return "cuda"
        return "accelerator" if accelerates(self.settings.width, self.settings.gin == "arch2vec") else "torch"

    def epoch(self) -> EpochLosses:
        """Train D, AG and PP once in turn on every batch of one epoch (Supplement C)."""
        self.networks.train()
        losses = mean_losses([take_step(self.each, self.update, batch, self.settings) for batch in self.batches()])
        self.networks.eval()
        return losses

    def batches(self) -> Iterator[Batch]:
        """Draw the batches of one epoch, each with the random numbers of its step; advancing the iterator counts one step."""
        order = torch.randperm(len(self.unlabelled), generator=self.random)[: self.settings.unlabelled_per_epoch]
        for rows in torch.split(self.unlabelled[order.to(self.device)], self.settings.unlabelled_batch):
            yield self._batch(self.space_A[rows], self.space_X[rows])
            self.steps_taken += 1

    def _batch(self, adjacency: Tensor, operations: Tensor) -> Batch:
        settings, count = self.settings, len(self.targets)
        # y ~ p(y): the labels' own distribution; as many generated as labelled cells (Supplement C)
        made = count * settings.generator
        drawn = torch.randint(count, (made,), generator=self.random)
        latents, noise = self.latents(made), self._noise(made)
        chosen = self.chosen[:0]
        if settings.covers:
            real = n_pseudo_real(len(operations), settings)
            chosen = torch.cat([self.chosen, self.decisions.of(adjacency[:real], operations[:real])])
        used = read_unlabelled(len(operations), settings)
        wrong = self.ranks[:0]
        if settings.mismatched:
            wrong = self.ranks[torch.randperm(count, generator=self.random)]
        return Batch(
            Labelled(self.labelled, self.ranks, self.targets, self.cuts),
            self.as_read(adjacency[:used], operations[:used]),
            GeneratorBatch(self.ranks[drawn], self.targets[drawn], latents, noise),
            CoverageBatch(chosen, self.latents(len(chosen))),
            Weights(settings.alpha, settings.alpha_p, settings.temperature),
            wrong,
        )

    def each(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a part of a step (`step.Each`)."""
        with self.autocast():
            return function(self.networks, *arguments)

    @property
    def learning_rate(self) -> float:
        """Of the next step."""
        if not self.settings.annealed:
            return self.settings.learning_rate
        return self.settings.learning_rate * schedule(self.steps_taken / (self.epochs * self.steps_per_epoch))

    def update(self, name: str, loss: Tensor) -> None:
        """Take one Adam step of one network (`step.Update`)."""
        descend(self.optimizers[name], loss, self.learning_rate * share_of_rate(name, self.settings))


def untrained_networks(known: Sequence[Cells], operations: int, settings: Settings, seed: int) -> Networks:
    """Return untrained networks; AG decides what differs between the given cells."""
    labels = np.any(
        [[(cells.operations == operation).any(axis=0) for operation in range(operations)] for cells in known], axis=0
    ).T
    sometimes = np.any([cells.adjacency.any(axis=0) for cells in known], axis=0)
    always = np.all([cells.adjacency.all(axis=0) for cells in known], axis=0)
    decisions = decisions_of(*(torch.from_numpy(array) for array in (sometimes, always, labels)))
    features, width = operations + len(always), settings.width
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        normalised = settings.gin == "arch2vec"
        return Networks(
            Generator(decisions, width, settings.generator_depth if settings.generator else 1, settings),
            predictor_of(
                [Predictor(features, width, settings.predictor_depth, normalised) for _ in range(settings.ensemble)]
            ),
            Discriminator(features, width, settings.discriminator_depth, normalised),
        ).eval()


def adam(parameters: Iterable[Tensor], name: str, settings: Settings) -> torch.optim.Adam:
    """Return the optimizer of AG, PP or D; a step sets its learning rate."""
    return torch.optim.Adam(parameters, betas=(0.9 if name == "PP" else settings.beta_1, 0.999), fused=True)


def share_of_rate(name: str, settings: Settings) -> float:
    """Return the learning rate of AG, PP or D over the settings' own."""
    return settings.discriminator_rate if name == "D" else 1.0


def descend(optimizer: torch.optim.Adam, loss: Tensor, learning_rate: float) -> None:
    """Take one step down a loss; no other parameters than the optimizer's get a gradient."""
    (group,) = optimizer.param_groups
    group["lr"] = learning_rate
    optimizer.zero_grad()
    # accumulated gradients lie in memory as their parameters do, which the fused Adam relies on
    loss.backward(inputs=group["params"])
    optimizer.step()


def steps_of_an_epoch(unlabelled: int, settings: Settings) -> int:
    """Return the number of batches that so many unlabelled cells make."""
    return math.ceil(min(unlabelled, settings.unlabelled_per_epoch or unlabelled) / settings.unlabelled_batch)


def schedule(progress: float, warm_up: float = 0.1) -> float:
    """Return the share of the peak learning rate: linear from 0 up to 1, then a cosine to 0; progress in [0, 1)."""
    if progress < warm_up:
        return progress / warm_up
    return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))
