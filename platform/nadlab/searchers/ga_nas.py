"""GA-NAS (Rezaei et al., IJCAI 2021): a generator learns, round by round, what the best cells have in common.

As published: random cells first; in each round the best cells so far are the truth set, a pairwise discriminator (a
siamese graph network) learns to tell a pair of two true cells from a pair of a true and a generated one, the
generator, which writes a cell choice by choice, is trained by PPO on the discriminator's answers alone, and the cells
that it then generates are queried.

Choices: the paper's code is not public, and of arXiv 2105.09356 only abstract and introduction could be read here, so
every number below is ours. The generator is `nadlab.searchers.models.cell_decoder`, pretrained on unlabelled cells (as
published, a GNN encoder with a GRU decoder); the discriminator's graph network is the project's 3-layer GIN (as
published, k-GNN, and a relativistic loss). A generated cell
that is invalid earns 0 and is not shown to the discriminator. Cells that the benchmark lacks are left out and more are
generated, up to `rounds` times `proposals`; random cells fill what is missing. Published: 94.23 at 378 queries on
NAS-Bench-101, whose test accuracies the shared sample lacks; 94.39 and 73.45 at 444 on NAS-Bench-201.

Shapes: B cells, H width.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nadlab.nets.gin import GIN
from nadlab.nets.graphs import read
from nadlab.parameters.hyperparameters import at_least, positive, tunable
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.sampling import first_cells, generate_new, query_first
from nadlab.searchers.models.cell_decoder import DecoderPretraining, Written, pretrained_decoder
from nadlab.searchers.models.choices import choices_of
from nadlab.searchers.models.graphs import graphs_of
from nadlab.searchers.models.training import descend, seeded, torch_generator
from nadlab.spaces import Cells, SearchSpace
from nadlab.spaces.cells import is_valid


@dataclass(frozen=True, kw_only=True)
class GANAS:
    """GA-NAS (Rezaei et al., IJCAI 2021); its settings are ours, as its code is not public."""

    pretraining: DecoderPretraining = field(default_factory=DecoderPretraining)
    initial: int = field(default=50, metadata=tunable(5, 80))
    """random cells queried first; ours"""
    batch: int = field(default=10, metadata=tunable(1, 20))
    """cells queried a round; ours"""
    truth: int = field(default=20, metadata=tunable(5, 40))
    """best cells that the generator is to resemble; ours"""
    steps: int = field(default=30, metadata=tunable(5, 60))
    """updates of discriminator and generator a round; ours"""
    generated: int = field(default=64, metadata=tunable(16, 128, log=True))
    """cells that the generator writes for one update; ours"""
    ppo_epochs: int = field(default=4, metadata=tunable(1, 8))
    """steps of PPO on one batch of generated cells; ours"""
    clip: float = field(default=0.2, metadata=tunable(0.05, 0.4))
    """largest change of a probability's ratio that PPO rewards; Schulman et al. 2017"""
    width: int = 64
    """hidden width of the discriminator; ours"""
    depth: int = 3
    """GIN layers of the discriminator; ours"""
    learning_rate: float = field(default=1e-3, metadata=tunable(1e-4, 1e-2, log=True))
    """of both Adam optimizers; ours"""
    proposals: int = 1000
    """cells generated at a time for the queries of a round; ours"""
    rounds: int = 20
    """batches of `proposals` after which random cells must do; ours"""

    def __post_init__(self) -> None:
        at_least(1, self, "initial", "batch", "truth", "steps", "ppo_epochs", "width", "depth", "proposals", "rounds")
        at_least(2, self, "generated")
        positive(self, "clip", "learning_rate")

    def __call__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        """Spend the budget; raise UserError when the benchmark has too few cells."""
        ledger.query(first_cells(ledger, self.initial, rng))
        adversaries = Adversaries(self, ledger.oracle.space, torch_generator(rng))
        while ledger.remaining:
            adversaries.play(ledger.best_cells(self.truth))
            query_first(ledger, adversaries.propose(ledger), self.batch, rng)


class PairDiscriminator(nn.Module):
    """Logit that both cells of a pair are true."""

    def __init__(self, space: SearchSpace, width: int, depth: int) -> None:
        super().__init__()
        self.gin = GIN(space.vertices + len(space.operations), width, depth)
        self.head = nn.Sequential(nn.Linear(2 * depth * width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, one_BF: Tensor, other_BF: Tensor) -> Tensor:
        logits: Tensor = self.head(torch.cat([one_BF, other_BF], dim=1)).squeeze(1)
        return logits


class Adversaries:
    """Generator, discriminator, their optimizers and random numbers in one search."""

    def __init__(self, settings: GANAS, space: SearchSpace, random: torch.Generator) -> None:
        self.settings, self.space, self.random = settings, space, random
        self.generator = pretrained_decoder(space, 0, settings.pretraining)
        with seeded(random):
            self.discriminator = PairDiscriminator(space, settings.width, settings.depth)
        self.optimizers = [
            torch.optim.Adam(network.parameters(), settings.learning_rate, foreach=True)
            for network in (self.generator, self.discriminator)
        ]

    def play(self, truth: Cells) -> None:
        """Train both for one round."""
        true_cells = read(graphs_of(self.space.canonical(truth), self.space))
        for _ in range(self.settings.steps):
            written = self._write(self.settings.generated)
            cells = choices_of(self.space).decode(written.sequences.numpy())
            valid = is_valid(cells, self.space)
            if not valid.any():
                continue
            made = read(graphs_of(self.space.canonical(cells[valid]), self.space))
            encoded = self.discriminator.gin.layer_means(true_cells), self.discriminator.gin.layer_means(made)
            rewards = torch.zeros(len(valid))
            rewards[torch.from_numpy(valid)] = self._discriminate(*encoded)
            self._reinforce(written, rewards)

    def _write(self, count: int) -> Written:
        with torch.no_grad():
            return self.generator.draw(torch.zeros(count, 0), self.random)

    def _discriminate(self, true_TF: Tensor, made_BF: Tensor) -> Tensor:
        """Take one step of the discriminator; return the probability that it gave each generated cell before."""
        partners, one, other = (
            true_TF[torch.randint(len(true_TF), (len(made_BF),), generator=self.random)] for _ in range(3)
        )
        real, fake = self.discriminator(one, other), self.discriminator(partners, made_BF)
        loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        descend(self.optimizers[1], loss)
        return torch.sigmoid(fake.detach())

    def _reinforce(self, written: Written, rewards: Tensor) -> None:
        """Take PPO's steps on one batch."""
        advantage = (rewards - rewards.mean()) / (rewards.std() + 1e-6)
        condition = torch.zeros(len(rewards), 0)
        for _ in range(self.settings.ppo_epochs):
            now = self.generator.read(condition, written.sequences).log_probability
            ratio = (now - written.log_probability).exp()
            clipped = ratio.clamp(1 - self.settings.clip, 1 + self.settings.clip)
            descend(self.optimizers[0], -torch.minimum(ratio * advantage, clipped * advantage).mean())

    def propose(self, ledger: QueryLedger) -> Cells:
        """Return new cells as the generator writes them."""
        choices = choices_of(self.space)
        return generate_new(
            ledger,
            lambda: choices.decode(self._write(self.settings.proposals).sequences.numpy()),
            self.settings.batch,
            self.settings.rounds,
        )
