"""Bi-Arch2Perf (Section 3.1): D, AG and PP trained in turn, once a batch, on labelled and unlabelled cells."""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from nadlab.semigan import losses
from nadlab.semigan.decisions import decisions_of
from nadlab.semigan.generator import LATENT, Generator, Latents
from nadlab.semigan.networks import Discriminator, Graphs, Predictor, joined
from nadlab.semigan.ranks import RANKS, SCALES, cuts, rank, soft_rank
from nadlab.semigan.settings import Settings
from nadlab.spaces import Cells


@dataclass(frozen=True, slots=True)
class EpochLosses:
    """Means over an epoch's batches."""

    discriminator: float
    """equation 6, negated"""
    generator: float
    """equation 10"""
    predictor: float
    """equation 8"""
    labelled_error: float
    """gamma_2 of equation 9"""
    generated_error: float
    """gamma_3 of equation 9"""
    coverage: float
    """-log p_AG of real cells, in nats a cell"""


class BiArch2Perf:
    """The three networks, their optimizers and the data of one run.

    labelled, y: the queried cells and their accuracies in percent, (N,). cells: the space, one cell of each isomorphism
    class, of which `unlabelled` are the rows without label. Both in canonical form.
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
    ) -> None:
        self.settings = settings
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.random = torch.Generator().manual_seed(seed)
        self.operation_count = operations
        # bytes on the device: floats would take four times as much memory, and are made batch by batch
        self.space_A, self.space_X = self._bytes(cells)
        self.networks = networks([labelled, cells], operations, settings, seed)
        self.generator = self.networks.AG.to(self.device)
        self.predictor = self.networks.PP.to(self.device)
        self.discriminator = self.networks.D.to(self.device)
        betas = {"AG": (settings.beta_1, 0.999), "PP": (0.9, 0.999), "D": (settings.beta_1, 0.999)}
        self.optimizers = {
            name: torch.optim.Adam(network.parameters(), betas=betas[name], fused=True)
            for name, network in self.networks.named()
        }
        self.learn_from(labelled, y, unlabelled, settings.epochs)

    def learn_from(self, labelled: Cells, y: NDArray[np.float64], unlabelled: NDArray[np.int64], epochs: int) -> None:
        """Take other data for the next `epochs` epochs, whose learning rate rises and falls anew; weights are kept."""
        settings = self.settings
        self.labelled = self.graphs(labelled)
        self.unlabelled = torch.from_numpy(unlabelled).to(self.device)
        self.t = settings.t if settings.t is not None else float(np.quantile(y, 1 - settings.rank0_share))
        scale = SCALES[settings.scale](y)
        self.cuts = cuts(scale, self.t).to(self.device)
        self.targets = torch.tensor(scale(y), dtype=torch.float32, device=self.device)
        self.ranks = F.one_hot(rank(torch.from_numpy(y), self.t), RANKS).float().to(self.device)
        epoch_size = min(len(unlabelled), settings.unlabelled_per_epoch or len(unlabelled))
        self.steps_per_epoch = math.ceil(epoch_size / settings.unlabelled_batch)
        self.epochs, self.steps_taken = epochs, 0

    def _bytes(self, cells: Cells) -> tuple[Tensor, Tensor]:
        with warnings.catch_warnings():
            # workers share the space's cells, which they can't write to; no step here writes to cells
            warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
            adjacency = torch.from_numpy(np.ascontiguousarray(cells.adjacency))
            return adjacency.to(self.device), torch.from_numpy(np.ascontiguousarray(cells.operations)).to(self.device)

    def graphs(self, cells: Cells) -> Graphs:
        """Return cells as the networks read them."""
        return self._floats(*self._bytes(cells))

    def _floats(self, adjacency: Tensor, operations: Tensor) -> Graphs:
        return Graphs(adjacency.float(), F.one_hot(operations.long(), self.operation_count).float())

    def latents(self, count: int) -> Latents:
        """Draw z_A and z_X."""
        shape = (count, self.labelled.A.shape[1], LATENT)
        z_A, z_X = (torch.randn(shape, generator=self.random).to(self.device) for _ in range(2))
        return Latents(z_A, z_X)

    def generate(self, ranks: Tensor, temperature: float = 1.0) -> Graphs:
        """Return AG's cells for one-hot ranks (B, 5)."""
        latents = self.latents(len(ranks))
        shape = (len(ranks), *self.generator.decisions.allowed.shape)
        uniform = torch.rand(shape, generator=self.random).clamp(1e-6, 1 - 1e-6).to(self.device)
        generated: Graphs = self.generator(latents, uniform, ranks, temperature)
        return generated

    def predict(self, cells: Cells) -> NDArray[np.float64]:
        """Return PP's scores of cells in canonical form, higher is better, (N,)."""
        with torch.inference_mode():
            parts = [self.predictor(self.graphs(cells[start : start + 4096])) for start in range(0, len(cells), 4096)]
            predicted: NDArray[np.float64] = torch.cat(parts).double().cpu().numpy()
        return predicted

    def epoch(self) -> EpochLosses:
        """Train D, AG and PP once in turn on every batch of one epoch (Supplement C)."""
        rows = [self._step(batch) for batch in self._unlabelled_batches()]
        return EpochLosses(*torch.stack(rows).mean(dim=0).tolist())

    def _unlabelled_batches(self) -> Iterator[Graphs]:
        order = torch.randperm(len(self.unlabelled), generator=self.random)[: self.settings.unlabelled_per_epoch]
        for batch in torch.split(self.unlabelled[order.to(self.device)], self.settings.unlabelled_batch):
            yield self._floats(self.space_A[batch], self.space_X[batch])

    def _step(self, unlabelled: Graphs) -> Tensor:
        # y ~ p(y): the labels' own distribution; as many generated as labelled cells (Supplement C)
        drawn = torch.randint(len(self.targets), (len(self.targets),), generator=self.random)
        ranks, targets = self.ranks[drawn], self.targets[drawn]
        predicted_ranks = soft_rank(self.predictor(unlabelled), self.cuts, self.settings.temperature)
        generated = self.generate(ranks)
        pseudo = predicted_ranks.detach()
        discriminator_loss = self._train_discriminator(unlabelled, pseudo, generated.detach(), ranks)
        generator_losses = self._train_generator(unlabelled, pseudo, generated, ranks)
        predictor_losses = self._train_predictor(unlabelled, predicted_ranks, generated.detach(), targets)
        self.steps_taken += 1
        return torch.stack([discriminator_loss, generator_losses[0], *predictor_losses, generator_losses[1]]).detach()

    def _judged(self, graphs: Graphs, ranks: Tensor) -> Tensor:
        """Return D's logits as a function of cells and ranks alone: its weights take no gradient."""
        fixed = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
        logits: Tensor = functional_call(self.discriminator, fixed, (graphs, ranks))
        return logits

    def _borrowed(self, unlabelled: Graphs) -> int:
        """Return how many cells of an unlabelled batch, its first, count as real."""
        return min(self.settings.pseudo_real, len(unlabelled) // 2)

    def _train_discriminator(self, unlabelled: Graphs, pseudo: Tensor, generated: Graphs, ranks: Tensor) -> Tensor:
        """Equation 6, with the first cells of the unlabelled batch among the real ones (`pseudo_real`)."""
        borrowed = self._borrowed(unlabelled)
        logits = self.discriminator(
            joined(self.labelled, unlabelled, generated), torch.cat([self.ranks, pseudo, ranks])
        )
        real, predicted, made = torch.split(
            logits, [len(self.labelled) + borrowed, len(unlabelled) - borrowed, len(generated)]
        )
        loss = losses.discriminator_loss(real, predicted, made, self.settings.alpha)
        self._update("D", loss)
        return loss

    def _train_generator(
        self, unlabelled: Graphs, pseudo: Tensor, generated: Graphs, ranks: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Equation 10, and the likelihood of the cells that D takes as real (`coverage`)."""
        settings = self.settings
        adversarial = losses.adversarial_loss(self._judged(generated, ranks), settings.saturating)
        loss = losses.generator_loss(adversarial, settings.alpha) * settings.generator_adversarial
        if not settings.coverage:
            self._update("AG", loss)
            return loss, torch.zeros_like(loss)
        borrowed = self._borrowed(unlabelled)
        real = joined(self.labelled, unlabelled.first(borrowed))
        real_ranks = torch.cat([self.ranks, pseudo[:borrowed]])
        coverage = -self.generator.log_likelihood(self.latents(len(real)), real_ranks, real).mean()
        self._update("AG", loss + settings.coverage * coverage)
        return loss, coverage

    def _train_predictor(
        self, unlabelled: Graphs, predicted_ranks: Tensor, generated: Graphs, targets: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Equation 8."""
        settings = self.settings
        gamma_1 = losses.adversarial_loss(self._judged(unlabelled, predicted_ranks), settings.saturating)
        known, made = self.predictor(joined(self.labelled, generated)).split([len(self.labelled), len(generated)])
        gamma_2, gamma_3 = losses.squared_error(self.targets, known), losses.squared_error(targets, made)
        loss = losses.predictor_loss(
            gamma_1 * settings.predictor_adversarial,
            gamma_2,
            gamma_3 * settings.generated_labels,
            settings.alpha,
            settings.alpha_p,
        )
        self._update("PP", loss)
        return loss, gamma_2, gamma_3

    def _update(self, name: str, loss: Tensor) -> None:
        """Take one Adam step of one network; gradients that reach the others are dropped."""
        optimizer = self.optimizers[name]
        parameters = optimizer.param_groups[0]["params"]
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
        progress = self.steps_taken / (self.epochs * self.steps_per_epoch)
        optimizer.param_groups[0]["lr"] = self.settings.learning_rate * schedule(progress)
        optimizer.step()


@dataclass(frozen=True, slots=True)
class Networks:
    """The three networks under the paper's names."""

    AG: Generator
    PP: Predictor
    D: Discriminator

    def named(self) -> tuple[tuple[str, torch.nn.Module], ...]:
        """Return each name with its network."""
        return (("AG", self.AG), ("PP", self.PP), ("D", self.D))


def networks(known: Sequence[Cells], operations: int, settings: Settings, seed: int) -> Networks:
    """Return untrained networks; AG decides what differs between the given cells."""
    vertices, width, precision = known[0].operations.shape[1], settings.width, getattr(torch, settings.precision)
    labels = np.any(
        [[(cells.operations == operation).any(axis=0) for operation in range(operations)] for cells in known], axis=0
    ).T
    sometimes = np.any([cells.adjacency.any(axis=0) for cells in known], axis=0)
    always = np.all([cells.adjacency.all(axis=0) for cells in known], axis=0)
    decisions = decisions_of(*(torch.from_numpy(array) for array in (sometimes, always, labels)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Networks(
            Generator(decisions, width, settings.generator_depth, precision),
            Predictor(vertices, operations, width, settings.predictor_depth, precision),
            Discriminator(vertices, operations, width, settings.discriminator_depth, precision),
        )


def schedule(progress: float, warm_up: float = 0.1) -> float:
    """Return the share of the peak learning rate: linear from 0 up to 1, then a cosine to 0; progress in [0, 1)."""
    if progress < warm_up:
        return progress / warm_up
    return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))
