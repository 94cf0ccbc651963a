"""arch2vec's graph autoencoder (Yan et al., NeurIPS 2020): a cell's vector, learned from cells without accuracies.

As published: five GIN layers of width 128 with two-layer MLPs on A + A^T, a latent of 16 a vertex, a decoder that is
linear and softmax for X and sigmoid(z z^T) for A, dropout 0.3 before it, both cross-entropies and the KL divergence
divided by batch and vertices, Adam, gradients clipped at 5, nine tenths of the cells for training. A cell's vector is
the mean of its vertices' latents. One pretraining serves every search: its seed is a setting.

Choices: each layer is the project's own GIN (`nadlab.nets.gin`) followed by batch normalisation (published:
one within the MLP as well). The noise starts small, and the learning rate rises to 4e-3 and falls to zero, with batches
of 64: at the published constant 1e-3, unit noise and 32, the latents first collapse to zero and 10 epochs leave the
published 99 % out of reach (measured: 97 % with small noise, 13 % without). At most 100,000 cells, drawn uniformly, and
4,200 steps, where the paper takes all 423,624 of NAS-Bench-101 and 600,000 of DARTS for 8 to 10 epochs.

Measured (results/pretraining.md): every held-out cell of NAS-Bench-201 comes back exactly, as published. With a
twentieth of the published steps only one in ten of NAS-Bench-101 does and none of DARTS, while most edges and, on
NAS-Bench-101, operations are right. Five times longer on NAS-Bench-101 costs minutes and was not tried.

Shapes: B cells, V vertices, K operations, L latent.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from nadlab.nets.gin import GIN
from nadlab.nets.graphs import Graphs, gin_input
from nadlab.parameters.hyperparameters import at_least, between, positive
from nadlab.searchers.models.graphs import graphs_of
from nadlab.searchers.models.training import descend, seeded
from nadlab.spaces import Cells, SearchSpace

_CHUNK = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class VAEPretraining:
    """How the autoencoder is trained."""

    seed: int = 3
    """of weights, batches and the draw of the cells, apart from the searches' own seeds; published"""
    cells: int = 100_000
    """at most so many cells of the space; ours, published all"""
    held_out: float = 0.1
    """share of them that is not trained on; published"""
    epochs: int = 8
    """epochs of training; published"""
    most_steps: int = 4_200
    """where the epochs would take more, training ends sooner: NAS-Bench-101 and DARTS get three; ours"""
    batch: int = 64
    """cells in a step of the optimizer; ours, published 32"""
    learning_rate: float = 4e-3
    """peak of a linear warm-up and a cosine to zero; ours, published a constant 1e-3"""
    warm_up: float = 0.1
    """share of the steps in which the learning rate rises; ours"""
    width: int = 128
    """of each GIN layer; published"""
    depth: int = 5
    """GIN layers; published"""
    latent: int = 16
    """width of a vertex's latent and of a cell's vector; published"""
    dropout: float = 0.3
    """share of the latents left out before the decoder; published"""
    first_log_deviation: float = -3.0
    """where the logarithm of the noise starts; ours, published 0"""
    largest_gradient: float = 5.0
    """norm to which longer gradients are scaled; published"""

    def __post_init__(self) -> None:
        at_least(0, self, "seed")
        at_least(2, self, "cells", "batch")
        at_least(1, self, "epochs", "most_steps", "width", "depth", "latent")
        positive(self, "learning_rate", "largest_gradient")
        between(0, 0.99, self, "held_out", "dropout", "warm_up")


class GraphVAE(nn.Module):
    """Encoder and decoder."""

    def __init__(self, operations: int, settings: VAEPretraining) -> None:
        super().__init__()
        sizes = [operations, *[settings.width] * (settings.depth - 1)]
        self.layers = nn.ModuleList(GIN(size, settings.width, depth=1) for size in sizes)
        self.norms = nn.ModuleList(nn.BatchNorm1d(settings.width) for _ in sizes)
        self.mean = nn.Linear(settings.width, settings.latent)
        self.log_deviation = nn.Linear(settings.width, settings.latent)
        # noise as wide as the means at first drives both to zero, where z z^T has no gradient
        nn.init.constant_(self.log_deviation.bias, settings.first_log_deviation)
        self.operation = nn.Linear(settings.latent, operations)
        self.dropout = settings.dropout

    def encode(self, graphs: Graphs) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the deviation of each vertex's latent, (B, V, L)."""
        features = graphs.X
        for layer, norm in zip(self.layers, self.norms, strict=True):
            features = norm(layer(gin_input(features, graphs.A)).transpose(1, 2)).transpose(1, 2)
        return self.mean(features), self.log_deviation(features)

    def decode(self, latent_BVL: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of X, (B, V, K), and of A, (B, V, V) and symmetric."""
        return self.operation(latent_BVL), latent_BVL @ latent_BVL.transpose(1, 2)

    def loss(self, graphs: Graphs, random: torch.Generator) -> Tensor:
        """Return reconstruction error and KL divergence of one batch."""
        mean, log_deviation = self.encode(graphs)
        latent = mean + log_deviation.exp() * torch.randn(mean.shape, generator=random)
        kept = torch.rand(mean.shape, generator=random) >= self.dropout
        operations, edges = self.decode(latent * kept / (1 - self.dropout))
        error = F.binary_cross_entropy(operations.softmax(dim=2), graphs.X)
        # the product is symmetric with a positive diagonal: only the upper triangle is an answer
        each = F.binary_cross_entropy_with_logits(edges, graphs.A, reduction="none")
        error = error + each.triu(1).mean()
        divergence = (1 + 2 * log_deviation - mean**2 - (2 * log_deviation).exp()).sum(dim=2).mean()
        return error - 0.5 * divergence / (mean.shape[0] * mean.shape[1])

    def reconstruct(self, graphs: Graphs) -> Graphs:
        """Return the most likely graphs of the mean latents."""
        with torch.inference_mode():
            operations, edges = self.decode(self.encode(graphs)[0])
            one_hot = F.one_hot(operations.argmax(dim=2), operations.shape[2]).float()
            return Graphs((edges > 0).float().triu(1), one_hot)


def split(space: SearchSpace, settings: VAEPretraining) -> tuple[Cells, Cells]:
    """Return the cells for training and those held out."""
    count = min(space.size, settings.cells)
    cells = space.unlabelled(count, np.random.default_rng(settings.seed))
    kept = round(count * (1 - settings.held_out))
    return cells[:kept], cells[kept:]


@lru_cache(maxsize=4)
def pretrained(space: SearchSpace, settings: VAEPretraining) -> GraphVAE:
    """Return the autoencoder of a space; one process trains it once, as it depends on no search."""
    random = torch.Generator().manual_seed(settings.seed)
    with seeded(settings.seed):
        model = GraphVAE(len(space.operations), settings)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, foreach=True)
    graphs = graphs_of(split(space, settings)[0], space)
    steps = min(settings.epochs * math.ceil(graphs.number / settings.batch), settings.most_steps)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, steps, pct_start=settings.warm_up)
    epochs = (torch.randperm(graphs.number, generator=random) for _ in range(settings.epochs))
    for rows in islice(chain.from_iterable(order.split(settings.batch) for order in epochs), steps):
        loss = model.loss(Graphs(graphs.A[rows], graphs.X[rows]), random)
        descend(optimizer, loss, model, settings.largest_gradient)
        schedule.step()
    return model.eval()


def embed(model: GraphVAE, cells: Cells, space: SearchSpace) -> NDArray[np.float32]:
    """Return the cells' vectors, (N, L)."""
    with torch.inference_mode():
        parts = [
            model.encode(graphs_of(cells[start : start + _CHUNK], space))[0].mean(dim=1)
            for start in range(0, len(cells), _CHUNK)
        ]
    return np.asarray(torch.cat(parts).numpy())


def reconstructed(model: GraphVAE, cells: Cells, space: SearchSpace) -> NDArray[np.bool_]:
    """Say which cells the decoder gives back with every edge and operation, (N,)."""
    given = graphs_of(cells, space)
    made = model.reconstruct(given)
    return np.asarray(((made.A == given.A).all(dim=(1, 2)) & (made.X == given.X).all(dim=(1, 2))).numpy())
