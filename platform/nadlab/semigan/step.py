"""One step of Bi-Arch2Perf (Supplement C): D, then AG, then PP on one batch, as functions of the networks and tensors.

The functions hold nothing, so that a step is that of one trial or of several at once (`pack.py`): `Each` runs a function
for every trial, `Update` steps one network down a loss that every trial has one of.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nadlab.nets.graphs import GINInput, joined, read
from nadlab.semigan import losses
from nadlab.semigan.networks.discriminator import Discriminator
from nadlab.semigan.networks.ensemble import Ensemble, mean_score
from nadlab.semigan.networks.generator import Generator, Latents
from nadlab.semigan.networks.predictor import Predictor
from nadlab.semigan.ranks import soft_rank
from nadlab.semigan.settings import Settings

Each = Callable[..., Any]
"""each(function, *arguments): function(networks, *arguments)"""
Update = Callable[[str, Tensor], None]
"""update(name of a network, loss)"""


Made = tuple[GINInput, ...]
"""the cells that AG made for a step; empty where it made none"""


class Networks(nn.Module):
    """The three networks under the paper's names."""

    def __init__(self, AG: Generator, PP: Predictor | Ensemble, D: Discriminator) -> None:
        super().__init__()
        self.AG, self.PP, self.D = AG, PP, D

    def forward(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return a function of the networks: `torch.func.functional_call` gives it other weights."""
        return function(self, *arguments)


class Labelled(NamedTuple):
    """L queried cells, their one-hot ranks (L, 5), their scores (L,) and the scores at which ranks change (4,)."""

    cells: GINInput
    ranks: Tensor
    targets: Tensor
    cuts: Tensor


class GeneratorBatch(NamedTuple):
    """What AG generates cells from: ranks (G, 5), scores (G,), latents, and Gumbel noise for its choices."""

    ranks: Tensor
    targets: Tensor
    latents: Latents
    noise: Tensor


class CoverageBatch(NamedTuple):
    """The cells that D takes as real, the labelled ones first, as the choices that make them (N, G, C), and AG's latents for them."""

    chosen: Tensor
    latents: Latents


class Weights(NamedTuple):
    """Of equations 6-10 and of the soft rank: numbers, or scalars on the device."""

    alpha: Any
    alpha_p: Any
    temperature: Any


class Batch(NamedTuple):
    """All that a step reads besides the networks."""

    labelled: Labelled
    unlabelled: GINInput
    generator: GeneratorBatch
    coverage: CoverageBatch
    """of no cells without `settings.coverage`"""
    weights: Weights
    wrong: Tensor
    """other labelled cells' ranks for the labelled cells, (L, 5), none without `settings.mismatched`"""


def take_step(each: Each, update: Update, batch: Batch, settings: Settings) -> Tensor:
    """Train D, AG and PP once, those that the settings train, and return the losses in the order of `EpochLosses`, (6,).

    A loss that is not needed is 0.
    """
    none = torch.zeros_like(batch.labelled.targets[..., 0])
    discriminator = generator = coverage = none
    predicted_ranks = (
        each(soft_ranks, batch) if batch.unlabelled.features.shape[-3] else batch.labelled.ranks[..., :0, :]
    )
    pseudo_ranks = predicted_ranks.detach()
    made: Made = ()
    fixed: Made = ()
    if settings.generator:
        to_generate, to_cover = each(partial(features, settings=settings), batch, pseudo_ranks)
        if settings.discriminator or settings.generated_labels:
            made = (each(generated_cells, batch, to_generate),)
            fixed = (made[0].detach(),)
    for _ in range(settings.discriminator_steps * settings.discriminator):
        discriminator = each(partial(discriminator_loss, settings=settings), batch, pseudo_ranks, fixed)
        update("D", discriminator)
    if settings.generator:
        if settings.generator_adversarial:
            generator = each(partial(generator_loss, settings=settings), batch, *made)
        if settings.covers:
            coverage = each(coverage_loss, batch, to_cover)
        update("AG", generator + settings.coverage * coverage)
    predictor, gamma_2, gamma_3 = each(partial(predictor_loss, settings=settings), batch, predicted_ranks, fixed)
    update("PP", predictor)
    return torch.stack([discriminator, generator, predictor, gamma_2, gamma_3, coverage], dim=-1).detach()


def n_pseudo_real(unlabelled: int, settings: Settings) -> int:
    """Return how many cells of a batch of so many unlabelled ones, its first, count as real."""
    return min(settings.pseudo_real, unlabelled // 2)


def read_unlabelled(unlabelled: int, settings: Settings) -> int:
    """Return how many cells of a batch of so many unlabelled ones a step reads, its first: D all, AG's likelihood some."""
    return unlabelled if settings.discriminator else n_pseudo_real(unlabelled, settings) * settings.covers


def soft_ranks(networks: Networks, batch: Batch) -> Tensor:
    """Return the ranks that PP gives the unlabelled cells, y_pp of equations 7 and 9, (U, 5)."""
    scores = mean_score(networks.PP(batch.unlabelled))
    return soft_rank(scores, batch.labelled.cuts, batch.weights.temperature)


def features(networks: Networks, batch: Batch, pseudo_ranks: Tensor, settings: Settings) -> tuple[Tensor, Tensor]:
    """Return what AG's decisions start from for the cells to generate and, by one pass of its GIN, for those to cover."""
    generator, coverage = batch.generator, batch.coverage
    if not settings.covers:
        return networks.AG.features(generator.latents, generator.ranks), pseudo_ranks.new_zeros(0)
    real = len(coverage.chosen) - len(batch.labelled.ranks)
    ranks = torch.cat([generator.ranks, batch.labelled.ranks, pseudo_ranks[:real]])
    both = networks.AG.features(joined(generator.latents, coverage.latents), ranks)
    to_generate, to_cover = both.split([len(generator.ranks), len(both) - len(generator.ranks)])
    return to_generate, to_cover


def generated_cells(networks: Networks, batch: Batch, to_generate: Tensor) -> GINInput:
    """Return AG's cells as PP and D read them."""
    return read(networks.AG.training_cells(to_generate, batch.generator.noise))


def discriminator_loss(
    networks: Networks, batch: Batch, pseudo_ranks: Tensor, made: Made, settings: Settings
) -> Tensor:
    """Equation 6, with the first cells of the unlabelled batch among the real ones (`pseudo_real`), and `mismatched`."""
    labelled = batch.labelled
    kinds = [(labelled.cells, labelled.ranks), (batch.unlabelled, pseudo_ranks)]
    kinds += [(cells, batch.generator.ranks) for cells in made]
    if settings.mismatched:
        kinds.append((labelled.cells, batch.wrong))
    real, unlabelled, *others = logits_of(networks, kinds, settings)
    generated, mismatched = others[: len(made)], others[len(made) :]
    count = n_pseudo_real(len(pseudo_ranks), settings)
    of_predictor = unlabelled[count:]
    loss = losses.discriminator_loss(
        torch.cat([real, unlabelled[:count]]), of_predictor, *generated, alpha=batch.weights.alpha
    )
    for logits in mismatched:
        differ = 1 - (labelled.ranks * batch.wrong).sum(dim=1)
        loss = loss + settings.mismatched * losses.mismatch_loss(logits, differ)
    return loss


def logits_of(networks: Networks, kinds: Sequence[tuple[GINInput, Tensor]], settings: Settings) -> list[Tensor]:
    """Return D's logits of several kinds of pairs, in one pass; batch normalisation has one kind a pass, as AG's step has."""
    if settings.gin == "arch2vec":
        return [networks.D(*kind) for kind in kinds]
    cells, ranks = zip(*kinds, strict=True)
    logits = networks.D(joined(*cells), torch.cat(ranks))
    return list(torch.split(logits, [len(each) for each in ranks]))


def generator_loss(networks: Networks, batch: Batch, generated: GINInput, settings: Settings) -> Tensor:
    """Equation 10."""
    adversarial = losses.adversarial_loss(networks.D(generated, batch.generator.ranks), settings.saturating)
    return losses.generator_loss(adversarial, batch.weights.alpha)


def coverage_loss(networks: Networks, batch: Batch, to_cover: Tensor) -> Tensor:
    """Negative log-likelihood of the cells that D takes as real, in nats a cell."""
    return -networks.AG.log_likelihood(to_cover, batch.coverage.chosen).mean()


def predictor_loss(
    networks: Networks, batch: Batch, predicted_ranks: Tensor, made: Made, settings: Settings
) -> tuple[Tensor, Tensor, Tensor]:
    """Equation 8, and its gamma_2 and gamma_3."""
    labelled, weights = batch.labelled, batch.weights
    gamma_1 = gamma_3 = torch.zeros_like(labelled.targets[0])
    if settings.predictor_adversarial:
        gamma_1 = losses.adversarial_loss(networks.D(batch.unlabelled, predicted_ranks), settings.saturating)
    scores = networks.PP(joined(labelled.cells, *made))
    count = len(labelled.targets)
    gamma_2 = losses.squared_error(labelled.targets, scores[..., :count])
    if made:
        gamma_3 = losses.squared_error(batch.generator.targets, scores[..., count:])
    loss = losses.predictor_loss(gamma_1, gamma_2, gamma_3 * settings.generated_labels, weights.alpha, weights.alpha_p)
    return loss, gamma_2, gamma_3
