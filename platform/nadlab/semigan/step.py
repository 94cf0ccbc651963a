"""One step of Bi-Arch2Perf (Supplement C): D, then AG, then PP on one batch, as functions of the networks and tensors.

The functions hold nothing, so that a step is that of one trial or of several at once (`pack.py`): `Each` runs a function
for every trial, `Update` steps one network down a loss that every trial has one of.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nadlab.semigan import losses
from nadlab.semigan.gin import GINInput
from nadlab.semigan.joint import Networks
from nadlab.semigan.latents import Latents
from nadlab.semigan.networks import joined
from nadlab.semigan.ranks import soft_rank
from nadlab.semigan.settings import Settings

Each = Callable[..., Any]
"""each(function, *arguments): function(networks, *arguments)"""
Update = Callable[[str, Tensor], None]
"""update(name of a network, loss)"""


class Labelled(NamedTuple):
    """L queried cells, their one-hot ranks (L, 5), their scores (L,) and the scores at which ranks change (4,)."""

    cells: GINInput
    ranks: Tensor
    targets: Tensor
    cuts: Tensor


class Asked(NamedTuple):
    """What AG generates cells for: ranks (G, 5), scores (G,), latents, and uniform numbers for its choices."""

    ranks: Tensor
    targets: Tensor
    latents: Latents
    uniform: Tensor


class Covered(NamedTuple):
    """The cells that D takes as real, the labelled ones first, as the choices that make them (N, G, C), and what AG is to make them from."""

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
    asked: Asked
    covered: Covered
    """of no cells without `coverage`"""
    weights: Weights


def take_step(each: Each, update: Update, batch: Batch, settings: Settings) -> Tensor:
    """Train D, AG and PP once, and return the losses in the order of `EpochLosses`, (6,)."""
    predicted_ranks = each(soft_ranks, batch)
    pseudo = predicted_ranks.detach()
    wanted, covered = each(partial(features, settings=settings), batch, pseudo)
    made = each(generated, batch, wanted)
    fixed = made.detach()
    discriminator = each(partial(discriminator_loss, settings=settings), batch, pseudo, fixed)
    update("D", discriminator)
    generator = each(partial(generator_loss, settings=settings), batch, made)
    coverage = torch.zeros_like(generator)
    if settings.coverage:
        coverage = each(coverage_loss, batch, covered)
        update("AG", generator + settings.coverage * coverage)
    else:
        update("AG", generator)
    predictor, gamma_2, gamma_3 = each(partial(predictor_loss, settings=settings), batch, predicted_ranks, fixed)
    update("PP", predictor)
    return torch.stack([discriminator, generator, predictor, gamma_2, gamma_3, coverage], dim=-1).detach()


def borrowed(unlabelled: int, settings: Settings) -> int:
    """Return how many cells of a batch of so many unlabelled ones, its first, count as real."""
    return min(settings.pseudo_real, unlabelled // 2)


def soft_ranks(networks: Networks, batch: Batch) -> Tensor:
    """Return the ranks that PP gives the unlabelled cells, (U, 5)."""
    return soft_rank(networks.PP(batch.unlabelled), batch.labelled.cuts, batch.weights.temperature)


def features(networks: Networks, batch: Batch, pseudo: Tensor, settings: Settings) -> tuple[Tensor, Tensor]:
    """Return what AG's decisions start from for the cells asked for and, by one pass of its GIN, for the real cells (`coverage`)."""
    asked, covered = batch.asked, batch.covered
    if not settings.coverage:
        return networks.AG.features(asked.latents, asked.ranks), pseudo.new_zeros(0)
    ranks = torch.cat([asked.ranks, batch.labelled.ranks, pseudo[: borrowed(len(pseudo), settings)]])
    both = networks.AG.features(joined(asked.latents, covered.latents), ranks)
    wanted, known = both.split([len(asked.ranks), len(both) - len(asked.ranks)])
    return wanted, known


def generated(networks: Networks, batch: Batch, wanted: Tensor) -> GINInput:
    """Return AG's cells as PP and D read them."""
    return networks.AG.as_read(wanted, batch.asked.uniform)


def discriminator_loss(networks: Networks, batch: Batch, pseudo: Tensor, made: GINInput, settings: Settings) -> Tensor:
    """Equation 6, with the first cells of the unlabelled batch among the real ones (`pseudo_real`)."""
    labelled, unlabelled = batch.labelled, batch.unlabelled
    logits = networks.D(
        joined(labelled.cells, unlabelled, made),
        torch.cat([labelled.ranks, pseudo, batch.asked.ranks]),
    )
    count = borrowed(len(pseudo), settings)
    known, others, own = (len(ranks) for ranks in (labelled.ranks, pseudo, batch.asked.ranks))
    real, predicted, fake = torch.split(logits, [known + count, others - count, own])
    return losses.discriminator_loss(real, predicted, fake, batch.weights.alpha)


def generator_loss(networks: Networks, batch: Batch, made: GINInput, settings: Settings) -> Tensor:
    """Equation 10."""
    adversarial = losses.adversarial_loss(judged(networks, made, batch.asked.ranks), settings.saturating)
    return losses.generator_loss(adversarial, batch.weights.alpha) * settings.generator_adversarial


def coverage_loss(networks: Networks, batch: Batch, covered: Tensor) -> Tensor:
    """Negative log-likelihood of the cells that D takes as real, in nats a cell."""
    return -networks.AG.log_likelihood(covered, batch.covered.chosen).mean()


def predictor_loss(
    networks: Networks, batch: Batch, predicted_ranks: Tensor, made: GINInput, settings: Settings
) -> tuple[Tensor, Tensor, Tensor]:
    """Equation 8, and its gamma_2 and gamma_3."""
    labelled, weights = batch.labelled, batch.weights
    gamma_1 = losses.adversarial_loss(judged(networks, batch.unlabelled, predicted_ranks), settings.saturating)
    scores = networks.PP(joined(labelled.cells, made))
    known, own = scores.split([len(labelled.targets), len(batch.asked.targets)])
    gamma_2 = losses.squared_error(labelled.targets, known)
    gamma_3 = losses.squared_error(batch.asked.targets, own)
    loss = losses.predictor_loss(
        gamma_1 * settings.predictor_adversarial,
        gamma_2,
        gamma_3 * settings.generated_labels,
        weights.alpha,
        weights.alpha_p,
    )
    return loss, gamma_2, gamma_3


def judged(networks: Networks, cells: GINInput, ranks: Tensor) -> Tensor:
    """Return D's logits as a function of cells and ranks: AG's and PP's updates ask for no gradient of D's weights."""
    logits: Tensor = networks.D(cells, ranks, fixed=True)
    return logits
