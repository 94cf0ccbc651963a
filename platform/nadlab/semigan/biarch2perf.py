"""Bi-Arch2Perf (Section 3.1): D, AG and PP trained in turn, once a batch, on labelled and unlabelled cells."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from nadlab.semigan import losses
from nadlab.semigan.networks import LATENT, Discriminator, Generator, Predictor
from nadlab.semigan.ranks import RANKS, rank, soft_rank
from nadlab.semigan.settings import Settings
from nadlab.spaces import Cells


@dataclass(frozen=True, slots=True)
class EpochLosses:
    """Means over an epoch's batches of equations 6, 8 and 10 and of equation 9's two errors."""

    discriminator: float
    generator: float
    predictor: float
    labelled_error: float
    generated_error: float


class BiArch2Perf:
    """The three networks, their optimizers and the data of one run.

    labelled, y: the queried cells and their accuracies in percent, (N,). unlabelled: the rest of the space.
    """

    def __init__(
        self, labelled: Cells, y: NDArray[np.float64], unlabelled: Cells, operations: int, settings: Settings, seed: int
    ) -> None:
        self.settings = settings
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.random = torch.Generator().manual_seed(seed)
        self.operation_count = operations
        self.labelled_A, self.labelled_X = self.tensors(labelled)
        self.unlabelled = unlabelled
        self.t = settings.t if settings.t is not None else float(np.quantile(y, 1 - settings.rank0_share))
        # what PP learns: accuracies above the floor, in units of their own spread
        accuracies = torch.tensor(np.maximum(y, self.t - settings.label_floor), dtype=torch.float32, device=self.device)
        self.mean, self.spread = accuracies.mean(), accuracies.std().clamp_min(1e-6)
        self.accuracies = accuracies
        self.targets = (accuracies - self.mean) / self.spread
        self.ranks = F.one_hot(rank(accuracies, self.t), RANKS).float()
        vertices = labelled.operations.shape[1]
        edges, fixed_edges, labels = shared_structure(unlabelled, operations)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.generator = Generator(edges, fixed_edges, labels, settings.width, settings.generator_depth)
            self.predictor = Predictor(vertices, operations, settings.width, settings.predictor_depth)
            self.discriminator = Discriminator(vertices, operations, settings.width, settings.discriminator_depth)
        self.networks = {"AG": self.generator, "PP": self.predictor, "D": self.discriminator}
        self.optimizers = {
            name: torch.optim.Adam(network.to(self.device).parameters(), lr=settings.learning_rate, foreach=True)
            for name, network in self.networks.items()
        }

    def tensors(self, cells: Cells) -> tuple[Tensor, Tensor]:
        """Return (A, X) of cells as floats on the device: (B, V, V) and (B, V, K)."""
        adjacency = torch.from_numpy(np.ascontiguousarray(cells.adjacency)).to(self.device).float()
        labels = torch.from_numpy(cells.operations).to(self.device).long()
        return adjacency, F.one_hot(labels, self.operation_count).float()

    def generate(self, ranks: Tensor) -> tuple[Tensor, Tensor]:
        """Return AG's cells for one-hot ranks (B, 5); z_A and z_X are standard normal."""
        vertices = self.labelled_A.shape[1]
        shape = (len(ranks), vertices, LATENT)
        z_A, z_X = (torch.randn(shape, generator=self.random).to(self.device) for _ in range(2))
        adjacency, operations = self.generator(z_A, z_X, ranks)
        return adjacency, operations

    def predict(self, cells: Cells) -> NDArray[np.float64]:
        """Return PP's accuracies in percent, (N,)."""
        with torch.inference_mode():
            parts = [self.predictor(*self.tensors(cells[start : start + 4096])) for start in range(0, len(cells), 4096)]
            predicted: NDArray[np.float64] = (torch.cat(parts) * self.spread + self.mean).double().cpu().numpy()
        return predicted

    def epoch(self) -> EpochLosses:
        """Train D, AG and PP once in turn on every batch of one epoch (Supplement C)."""
        rows = [self._step(*self.tensors(batch)) for batch in self._unlabelled_batches()]
        return EpochLosses(*torch.stack(rows).mean(dim=0).tolist())

    def _unlabelled_batches(self) -> Iterator[Cells]:
        order = torch.randperm(len(self.unlabelled), generator=self.random)[: self.settings.unlabelled_per_epoch]
        for batch in torch.split(order, self.settings.unlabelled_batch):
            yield self.unlabelled[batch.numpy()]

    def _step(self, unlabelled_A: Tensor, unlabelled_X: Tensor) -> Tensor:
        alpha, alpha_p = self.settings.alpha, self.settings.alpha_p
        # y ~ p(y): the labels' own distribution; as many generated as labelled cells
        drawn = torch.randint(len(self.targets), (len(self.targets),), generator=self.random)
        ranks, targets = self.ranks[drawn], self.targets[drawn]

        predicted = self.predictor(unlabelled_A, unlabelled_X)
        predicted_ranks = soft_rank(predicted * self.spread + self.mean, self.t, temperature=self.settings.temperature)
        generated_A, generated_X = self.generate(ranks)

        discriminator_loss = losses.discriminator_loss(
            self.discriminator(self.labelled_A, self.labelled_X, self.ranks),
            self.discriminator(unlabelled_A, unlabelled_X, predicted_ranks.detach()),
            self.discriminator(generated_A.detach(), generated_X.detach(), ranks),
            alpha,
        )
        self._update("D", discriminator_loss)

        adversarial = losses.adversarial_loss(self.discriminator(generated_A, generated_X, ranks), saturating=False)
        generator_loss = losses.generator_loss(adversarial, alpha)
        self._update("AG", generator_loss)

        gamma_1 = losses.adversarial_loss(
            self.discriminator(unlabelled_A, unlabelled_X, predicted_ranks), saturating=False
        )
        gamma_2 = losses.squared_error(self.targets, self.predictor(self.labelled_A, self.labelled_X))
        gamma_3 = losses.squared_error(targets, self.predictor(generated_A.detach(), generated_X.detach()))
        predictor_loss = losses.predictor_loss(gamma_1, gamma_2, gamma_3, alpha, alpha_p)
        self._update("PP", predictor_loss)
        return torch.stack([discriminator_loss, generator_loss, predictor_loss, gamma_2, gamma_3]).detach()

    def _update(self, name: str, loss: Tensor) -> None:
        """Take one Adam step of one network; gradients that reach the others are dropped."""
        parameters = list(self.networks[name].parameters())
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
        self.optimizers[name].step()


def shared_structure(cells: Cells, operations: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return what cells may have and what all have: edges (V, V), fixed edges (V, V), labels (V, K)."""
    labels = np.stack([(cells.operations == operation).any(axis=0) for operation in range(operations)], axis=1)
    return (
        torch.from_numpy(cells.adjacency.any(axis=0)),
        torch.from_numpy(cells.adjacency.all(axis=0)),
        torch.from_numpy(labels),
    )
