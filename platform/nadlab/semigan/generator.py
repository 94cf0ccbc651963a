"""AG (Supplement C): latents and a rank to a discrete cell.

A 5-layer GIN over the latents' own soft graph extracts features, linear layers turn them into a cell. The paper does
not say how the decisions about a cell agree with each other: here they are taken in turn, each from a layer that is
linear in the features and in the decisions before it (NADE, Larochelle and Murray 2011).

Shapes: B cells, V vertices, H width, G decisions of up to C choices each, R ranks.
"""

import torch
from torch import Tensor, nn

from nadlab.semigan import choices
from nadlab.semigan.decisions import Decisions
from nadlab.semigan.gin import GINInput
from nadlab.semigan.latents import LATENT, Latents, gin_input_of
from nadlab.semigan.linear import linear
from nadlab.semigan.networks import GIN, RANK_EMBEDDING, Graphs
from nadlab.semigan.ranks import RANKS

FORBIDDEN = -1e4
"""logit of a choice that no cell of the space makes"""


class Generator(nn.Module):
    """AG. `decisions` says what there is to generate; `width` is H, `depth` the GIN's number of layers."""

    def __init__(
        self, decisions: Decisions, width: int, depth: int = 5, precision: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        vertices = len(decisions.A)
        count, most = decisions.allowed.shape
        self.similarity = nn.Linear(LATENT, LATENT, bias=False)
        self.rank_embedding = nn.Linear(RANKS, RANK_EMBEDDING, bias=False)
        self.gin = GIN(LATENT + RANK_EMBEDDING + vertices, width, depth)
        self.precision = precision
        self.context = nn.Linear(vertices * width + RANK_EMBEDDING, 2 * width)
        self.memory = nn.Parameter(torch.randn(count, most, 2 * width) / count**0.5)
        self.choice = nn.Parameter(torch.randn(count, 2 * width, most) / (2 * width) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(count, most))
        for name, value in decisions._asdict().items():
            self.register_buffer(f"decisions_{name}", value, persistent=False)
        self.register_buffer("forbidden", torch.where(decisions.allowed, 0.0, FORBIDDEN), persistent=False)
        for name, value in zip(("reading", "reading_without"), decisions.reading(), strict=True):
            self.register_buffer(name, value, persistent=False)

    @property
    def decisions(self) -> Decisions:
        """What is decided, on the generator's device."""
        return Decisions(*(self.get_buffer(f"decisions_{name}") for name in Decisions._fields))

    def features(self, latents: Latents, rank_BR: Tensor) -> Tensor:
        """Return what the decisions start from, (B, 2 H); ranks are one-hot (B, 5)."""
        rank = self.rank_embedding(rank_BR)
        last = self.gin(gin_input_of(latents, rank, self.similarity.weight, self.precision))
        return linear((last.flatten(1), rank), self.context.weight, self.context.bias, last.dtype)

    def forward(self, latents: Latents, uniform_BGC: Tensor, rank_BR: Tensor, temperature: float = 1.0) -> Graphs:
        """Return discrete cells; uniform is in (0, 1)."""
        return self.cells(self.features(latents, rank_BR), uniform_BGC, temperature)

    def cells(self, features: Tensor, uniform_BGC: Tensor, temperature: float = 1.0) -> Graphs:
        """Return discrete cells, drawn by the Gumbel-max trick from what their decisions start from.

        Below a temperature of 1 likelier choices are taken more often than AG's probabilities say. The cells' gradient is that of the Gumbel-softmax at temperature 1 (straight-through, Jang et al. 2017).
        """
        return self.decisions.cells(self._chosen(features, uniform_BGC, temperature))

    def _chosen(self, features: Tensor, uniform_BGC: Tensor, temperature: float) -> Tensor:
        gumbel = -temperature * torch.log(-torch.log(uniform_BGC))
        return choices.choose(features, gumbel, self.choices)

    def as_read(self, features: Tensor, uniform_BGC: Tensor) -> GINInput:
        """Return discrete cells as PP and D read them: `networks.read` of `cells`, by one product."""
        chosen = self._chosen(features, uniform_BGC, 1.0).flatten(1)
        read = torch.addmm(self.get_buffer("reading_without"), chosen, self.get_buffer("reading")).to(self.precision)
        vertices = len(self.get_buffer("decisions_A"))
        neighbours, vertex_features = read.split([vertices**2, read.shape[1] - vertices**2], dim=1)
        return GINInput(neighbours.unflatten(1, (vertices, -1)), vertex_features.unflatten(1, (vertices, -1)))

    def log_likelihood(self, features: Tensor, chosen_BGC: Tensor) -> Tensor:
        """Return log p(cell | features) in nats of the cells that one-hot choices make, (B,)."""
        return choices.log_likelihood(features, chosen_BGC, self.choices)

    @property
    def choices(self) -> choices.Layers:
        """The layers of its decisions, which leave out what no cell makes."""
        bias = self.bias + self.get_buffer("forbidden")
        return choices.Layers(self.choice, bias, self.memory)
