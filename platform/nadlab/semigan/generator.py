"""AG (Supplement C): latents and a rank to a discrete cell.

A 5-layer GIN over the latents' own soft graph extracts features, linear layers turn them into a cell. The paper does
not say how the decisions about a cell agree with each other: here they are taken in turn, each from a layer that is
linear in the features and in the decisions before it (NADE, Larochelle and Murray 2011).

Shapes: B cells, V vertices, H width, G decisions of up to C choices each, R ranks.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nadlab.semigan.decisions import Decisions
from nadlab.semigan.gin import gin_input
from nadlab.semigan.linear import linear
from nadlab.semigan.networks import GIN, RANK_EMBEDDING, Graphs
from nadlab.semigan.ranks import RANKS

LATENT = 16
FORBIDDEN = -1e4
"""logit of a choice that no cell of the space makes"""


class Latents(NamedTuple):
    """z_A and z_X, standard normal, (B, V, 16)."""

    z_A: Tensor
    z_X: Tensor


class Generator(nn.Module):
    """AG. `decisions` says what there is to generate; `width` is H, `depth` the GIN's number of layers."""

    def __init__(
        self, decisions: Decisions, width: int, depth: int = 5, precision: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        vertices = len(decisions.A)
        count, choices = decisions.allowed.shape
        self.similarity = nn.Linear(LATENT, LATENT, bias=False)
        self.rank_embedding = nn.Linear(RANKS, RANK_EMBEDDING, bias=False)
        self.gin = GIN(LATENT + RANK_EMBEDDING + vertices, width, depth)
        self.precision = precision
        self.context = nn.Linear(vertices * width + RANK_EMBEDDING, 2 * width)
        self.memory = nn.Parameter(torch.randn(count, choices, 2 * width) / count**0.5)
        self.choice = nn.Parameter(torch.randn(count, 2 * width, choices) / (2 * width) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(count, choices))
        for name, value in decisions._asdict().items():
            self.register_buffer(f"decisions_{name}", value, persistent=False)
        self.register_buffer("positions", torch.eye(vertices), persistent=False)

    @property
    def decisions(self) -> Decisions:
        """What is decided, on the generator's device."""
        return Decisions(*(self.get_buffer(f"decisions_{name}") for name in Decisions._fields))

    def features(self, latents: Latents, rank_BR: Tensor) -> Tensor:
        """Return what the decisions start from, (B, 2 H); ranks are one-hot (B, 5)."""
        z_A, z_X = latents
        batch, vertices, _ = z_A.shape
        graph = torch.sigmoid(self.similarity(z_A) @ z_A.transpose(1, 2) / LATENT**0.5).triu(1) / vertices
        rank = self.rank_embedding(rank_BR)
        condition = rank[:, None].expand(-1, vertices, -1)
        positions = self.get_buffer("positions").expand(batch, -1, -1)
        last = self.gin(gin_input(torch.cat([z_X, condition, positions], dim=2), graph, self.precision))
        return linear(torch.cat([last.flatten(1), rank.to(last.dtype)], dim=1), self.context, last.dtype)

    def forward(self, latents: Latents, uniform_BGC: Tensor, rank_BR: Tensor, temperature: float = 1.0) -> Graphs:
        """Return discrete cells; uniform is in (0, 1)."""
        return self.cells(self.features(latents, rank_BR), uniform_BGC, temperature)

    def cells(self, features: Tensor, uniform_BGC: Tensor, temperature: float = 1.0) -> Graphs:
        """Return discrete cells, drawn by the Gumbel-max trick from what their decisions start from.

        Below a temperature of 1 likelier choices are taken more often than AG's probabilities say. The cells' gradient is that of the Gumbel-softmax at temperature 1 (straight-through, Jang et al. 2017).
        """
        gumbel = -temperature * torch.log(-torch.log(uniform_BGC))
        state = features
        chosen: list[Tensor] = []
        # taken apart at once: the gradient of a selection is as large as what it was taken from
        places = zip(gumbel.unbind(1), self.choice.unbind(), self._bias().unbind(), self.memory.unbind(), strict=True)
        for noise, choice, bias, memory in places:
            # transposed: products with few columns are slow on a CPU
            logits = torch.addmm(bias[:, None], choice.T, F.relu(state).T).T
            soft = F.softmax(logits + noise, dim=1)
            hard = F.one_hot(soft.argmax(dim=1), soft.shape[1]).float()
            chosen.append(hard + (soft - soft.detach()))
            state = torch.addmm(state, chosen[-1], memory)
        return self.decisions.cells(torch.stack(chosen, dim=1))

    def log_likelihood(self, features: Tensor, graphs: Graphs) -> Tensor:
        """Return log p(cell | features) of each cell in nats, (B,)."""
        decisions = self.decisions
        chosen = decisions.of(graphs)
        # cells last, in the order in which all of it lies in memory: products with few columns are slow on a CPU, and so
        # are a softmax over a short last axis and a ReLU's gradient that is transposed
        choices = chosen.permute(1, 2, 0)
        written = torch.bmm(self.memory.mT, choices)
        earlier = torch.ones(len(written), len(written), device=written.device).tril(-1)
        before = (earlier @ written.flatten(1)).view_as(written)
        hidden = F.relu(before + features.T)
        logits = torch.baddbmm(self._bias()[:, :, None], self.choice.mT, hidden)
        return (F.log_softmax(logits, dim=1) * choices).sum(dim=(0, 1))

    def _bias(self) -> Tensor:
        return self.bias + torch.where(self.decisions.allowed, 0.0, FORBIDDEN)
