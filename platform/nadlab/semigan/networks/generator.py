"""AG, the architecture generator (Supplement C): latents and a rank to a discrete cell, p(A, X | y) of equation 1.

A 5-layer GIN over the latents' own soft graph extracts features, linear layers turn them into a cell. The paper does
not say how the decisions about one cell agree with each other: by default they are taken in turn (`nets.nade`).

Shapes: B cells, V vertices, Z latent, E rank embedding, H width, G decisions of up to C choices each, R ranks.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nadlab.nets.gin import GIN
from nadlab.nets.graphs import GINInput, Graphs, gin_input
from nadlab.nets.independent import Independent
from nadlab.nets.nade import NADE
from nadlab.semigan.networks.decisions import Decisions
from nadlab.semigan.networks.readings import Readings
from nadlab.semigan.ranks import RANK_EMBEDDING, RANKS

LATENT = 16
"""Z"""


class Latents(NamedTuple):
    """z_A and z_X of equations 5-10, standard normal, (B, V, Z), or (B, 1, Z) for a graph."""

    z_A: Tensor
    z_X: Tensor


class Generator(nn.Module):
    """AG. `decisions` says what there is to generate; `width` is H, `depth` the GIN's number of layers."""

    def __init__(self, decisions: Decisions, width: int, depth: int, readings: Readings) -> None:
        super().__init__()
        vertices = len(decisions.A)
        self.readings = readings
        self.similarity = nn.Linear(LATENT, LATENT, bias=False)
        self.rank_embedding = nn.Linear(RANKS, RANK_EMBEDDING, bias=False)
        self.gin = GIN(LATENT + RANK_EMBEDDING + vertices, width, depth, readings.gin == "arch2vec")
        self.context = nn.Linear(vertices * width + RANK_EMBEDDING, 2 * width)
        # checkpoints know it by this name, whichever it is
        autoregressive = readings.generator_output == "autoregressive"
        self.nade: Any = (NADE if autoregressive else Independent)(decisions.allowed, 2 * width)
        if readings.latents == "graph":
            self.spread_A, self.spread_X = (nn.Linear(LATENT, vertices * LATENT) for _ in range(2))
        for name, value in decisions._asdict().items():
            self.register_buffer(f"decisions_{name}", value, persistent=False)

    @property
    def decisions(self) -> Decisions:
        """What is decided, on the generator's device."""
        return Decisions(*(self.get_buffer(f"decisions_{name}") for name in Decisions._fields))

    def forward(self, latents: Latents, noise_BGC: Tensor, rank_BR: Tensor) -> Graphs:
        """Return AG(rank, z_A, z_X), discrete cells that gradients pass through; the noise is Gumbel noise."""
        return self.cells(self.features(latents, rank_BR), noise_BGC)

    def features(self, latents: Latents, rank_BR: Tensor) -> Tensor:
        """Return what the decisions start from, (B, 2 H)."""
        rank = self.rank_embedding(rank_BR)
        extracted = self.gin(self.soft_graph(latents, rank)).flatten(1)
        features: Tensor = self.context(torch.cat([extracted, rank], dim=1))
        return features

    def soft_graph(self, latents: Latents, rank_BE: Tensor) -> GINInput:
        """Return the graph with edges sigmoid(z_A W z_A^T / sqrt(Z)) / V, whose vertices have z_X, rank and position as features."""
        z_A, z_X = latents
        batch, vertices = len(z_A), len(self.get_buffer("decisions_A"))
        if self.readings.latents == "graph":
            z_A, z_X = (
                layer(z).view(batch, vertices, LATENT) for layer, z in ((self.spread_A, z_A), (self.spread_X, z_X))
            )
        adjacency = torch.sigmoid(self.similarity(z_A) @ z_A.mT / LATENT**0.5).triu(1) / vertices
        rank = rank_BE[:, None].expand(-1, vertices, -1)
        positions = torch.eye(vertices, device=z_X.device).expand(batch, -1, -1)
        return gin_input(torch.cat([z_X, rank, positions], dim=2), adjacency)

    def cells(self, features: Tensor, noise_BGC: Tensor) -> Graphs:
        """Return discrete cells from what their decisions start from."""
        return self.decisions.cells(self.nade.sample(features, self.noise(noise_BGC)))

    def training_cells(self, features: Tensor, noise_BGC: Tensor) -> Graphs:
        """Return cells as PP and D read them in training: discrete, or `relaxed` probabilities."""
        if self.readings.generator_choice != "relaxed":
            return self.cells(features, noise_BGC)
        return self.decisions.cells(self.nade.sample(features, self.noise(noise_BGC), relaxed=True))

    def noise(self, gumbel_BGC: Tensor) -> Tensor:
        """Return the noise that AG adds to its logits: none where it takes the likeliest choice."""
        return gumbel_BGC if self.readings.generator_choice == "sampled" else torch.zeros_like(gumbel_BGC)

    def log_likelihood(self, features: Tensor, chosen_BGC: Tensor) -> Tensor:
        """Return log p(A, X | features) in nats of the cells that one-hot choices make, (B,)."""
        likelihood: Tensor = self.nade.log_likelihood(features, chosen_BGC)
        return likelihood
