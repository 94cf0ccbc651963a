"""arch2vec's graph autoencoder (Yan et al., NeurIPS 2020): a cell's vector, learned from cells without accuracies.

As published (paper and its code): four GIN layers of width 128 (the code's 5 hops make 4) on A + A^T with a learned
epsilon, each an MLP of linear, batch normalisation, ReLU, linear, batch normalisation, ReLU; a latent of 16 a vertex; a
decoder that is linear and softmax for X and sigmoid(z z^T) for A; both cross-entropies and the KL divergence divided by
batch and vertices, Adam, gradients clipped at 5, nine tenths of the cells for training. A cell's vector is the mean of
its vertices' latents. One pretraining serves every search: its seed is a setting.

Choices, so that 4,200 steps do where the public code takes 106,000 on NAS-Bench-101 and 169,000 on DARTS: no dropout
before the decoder (published 0.3), noise that starts small, a learning rate that rises to 4e-3 and falls to zero
(published a constant 1e-3), batches of 64 (published 32). At most 100,000 cells, drawn uniformly, where the paper takes
all 423,624 of NAS-Bench-101 and 600,000 of DARTS. Vertices that a cell lacks have an operation of their own.

The published 99 % counts operations and pairs of vertices one by one: whole cells cannot reach it, as z z^T joins two
vertices whose neighbourhoods are alike even where no edge does. Such twins are in 7.8 % of the cells of NAS-Bench-101, 17 %
of DARTS and none of NAS-Bench-201. Measured (results/pretraining.md), operations and pairs of held-out cells: all on
NAS-Bench-201, 99.96 and 99.2 % on DARTS, 97.9 and 98.5 % on NAS-Bench-101.

Shapes: B cells, V vertices, K operations, L latent.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from nadlab.cache import cache_folder, made_once
from nadlab.nets.graphs import Graphs
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
    depth: int = 4
    """GIN layers; published: the code makes one fewer than its 5 hops"""
    latent: int = 16
    """width of a vertex's latent and of a cell's vector; published"""
    dropout: float = 0.0
    """share of the latents left out before the decoder; ours, published 0.3"""
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
        width = settings.width
        self.epsilon = nn.Parameter(torch.zeros(settings.depth))
        self.mlps = nn.ModuleList(mlp(size, width) for size in [operations, *[width] * (settings.depth - 1)])
        self.mean = nn.Linear(width, settings.latent)
        self.log_deviation = nn.Linear(width, settings.latent)
        # noise as wide as the means at first drives both to zero, where z z^T has no gradient
        nn.init.constant_(self.log_deviation.bias, settings.first_log_deviation)
        self.operation = nn.Linear(settings.latent, operations)
        self.dropout = settings.dropout

    def encode(self, graphs: Graphs) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the deviation of each vertex's latent, (B, V, L)."""
        features, neighbours = graphs.X, graphs.A + graphs.A.mT
        for epsilon, layer in zip(self.epsilon, self.mlps, strict=True):
            gathered = (1 + epsilon) * features + neighbours @ features
            features = layer(gathered.flatten(0, 1)).unflatten(0, graphs.X.shape[:2])
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


def mlp(features: int, width: int) -> nn.Sequential:
    """Return the MLP of one layer of the encoder, which normalises over the vertices of all cells of a batch."""
    first = nn.Linear(features, width), nn.BatchNorm1d(width), nn.ReLU()
    return nn.Sequential(*first, nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU())


def split(space: SearchSpace, settings: VAEPretraining) -> tuple[Cells, Cells]:
    """Return the cells for training and those held out."""
    count = min(space.size, settings.cells)
    cells = space.unlabelled(count, np.random.default_rng(settings.seed))
    kept = max(1, round(count * (1 - settings.held_out)))
    return cells[:kept], cells[kept:]


@lru_cache(maxsize=4)
def pretrained(space: SearchSpace, settings: VAEPretraining) -> GraphVAE:
    """Return the autoencoder of a space, which depends on no search: it is trained once for a machine (`nadlab.cache`).

    Raises UserError when the cache folder cannot be written to.
    """
    cells = split(space, settings)[0]
    told = Path(__file__).read_bytes() + repr((torch.__version__, settings)).encode()
    digest = hashlib.sha256(told + cells.adjacency.tobytes() + cells.operations.tobytes()).hexdigest()
    weights = made_once(
        cache_folder() / "arch2vec" / f"{digest}.pt",
        lambda partial: torch.save(trained(cells, space, settings).state_dict(), partial),
    )
    model = GraphVAE(len(space.operations), settings)
    model.load_state_dict(torch.load(weights, weights_only=True))
    return model.eval()


def trained(cells: Cells, space: SearchSpace, settings: VAEPretraining) -> GraphVAE:
    """Return an autoencoder trained on these cells."""
    random = torch.Generator().manual_seed(settings.seed)
    with seeded(settings.seed):
        model = GraphVAE(len(space.operations), settings)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, foreach=True)
    graphs = graphs_of(cells, space)
    steps = min(settings.epochs * math.ceil(graphs.number / settings.batch), settings.most_steps)
    rise = settings.warm_up if settings.warm_up * steps > 1 else 0.0  # torch divides by zero where it is one step
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, steps, pct_start=rise)
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
