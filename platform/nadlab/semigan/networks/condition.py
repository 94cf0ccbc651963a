"""Where a rank is lost on its way from D to AG: D's judgement by kind of pair, and what of its gradient AG receives.

Shapes: B cells, G decisions of up to C choices each, R ranks.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from nadlab.nets.graphs import GINInput, read
from nadlab.semigan.networks.discriminator import Discriminator
from nadlab.semigan.networks.generator import Generator, Latents
from nadlab.semigan.ranks import RANKS


def rank_logits(D: Discriminator, cells: GINInput) -> Tensor:
    """Return D's logits of every cell with every rank, (B, R)."""
    count = len(cells.features)
    each = torch.eye(RANKS, device=cells.features.device)
    with torch.no_grad():
        return torch.stack([D(cells, rank.expand(count, -1)) for rank in each], dim=1)


def right_rank_share(logits_BR: Tensor, ranks_B: Tensor) -> Tensor:
    """Return how often D prefers a cell's own rank to another one, all others alike, by own rank, (R,); chance is 0.5.

    Each rank's logits are taken less their mean over the cells, lest a rank that D likes for any cell looks right. NaN
    where no cell has the rank.
    """
    centred = logits_BR - logits_BR.mean(dim=0)
    own = centred.gather(1, ranks_B[:, None])
    wins = ((own > centred).float() + 0.5 * (own == centred).float() - 0.5 * F.one_hot(ranks_B, RANKS)).sum(dim=1)
    return torch.stack([(wins[ranks_B == rank] / (RANKS - 1)).mean() for rank in range(RANKS)])


class Signal(NamedTuple):
    """What of D's judgement reaches AG, on cells that AG generates."""

    survives: float
    """norm of the gradient at the logits of AG's decisions over its norm at the choices, without what all choices share"""
    agrees: float
    """correlation of D's change by the gradient with its change when a choice is really replaced by another"""
    depends_on_rank: float
    """norm of the gradient's difference between rank 0 and the last rank, over the gradient's norm"""
    responds: float
    """share of AG's decisions that turn out otherwise under the last rank than under rank 0, z and noise alike"""


def signal(AG: Generator, D: Discriminator, latents: Latents, noise_BGC: Tensor) -> Signal:
    """Measure the signal on one batch of latents and Gumbel noise, under rank 0."""
    first, last = (F.one_hot(torch.full((len(noise_BGC),), rank), RANKS).float() for rank in (0, RANKS - 1))
    noise = AG.noise(noise_BGC)
    with torch.no_grad():
        state = AG.features(latents, first)
        chosen = AG.nade.sample(state, noise)
        other = AG.nade.sample(AG.features(latents, last), noise)
        soft = F.softmax(AG.nade.logits(state, chosen) + noise, dim=2)
    by_choice, by_last = _gradient(AG, D, chosen, first), _gradient(AG, D, chosen, last)
    allowed = AG.decisions.allowed
    centred = torch.where(allowed, by_choice - _mean(by_choice, allowed), 0.0)
    centred_last = torch.where(allowed, by_last - _mean(by_last, allowed), 0.0)
    at_logits = soft * (by_choice - (soft * by_choice).sum(dim=2, keepdim=True))
    predicted, actual = _replacements(AG, D, chosen, first, by_choice)
    return Signal(
        survives=float(at_logits.norm() / centred.norm()),
        agrees=float(torch.corrcoef(torch.stack([predicted, actual]))[0, 1]),
        depends_on_rank=float((centred - centred_last).norm() / centred.norm()),
        responds=float((chosen != other).any(dim=2).float().mean()),
    )


def _mean(values_BGC: Tensor, allowed: Tensor) -> Tensor:
    return (values_BGC * allowed).sum(dim=2, keepdim=True) / allowed.sum(dim=1)[:, None]


def _gradient(AG: Generator, D: Discriminator, chosen: Tensor, ranks: Tensor) -> Tensor:
    choices = chosen.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(read(AG.decisions.cells(choices)), ranks).sum(), choices)
    return gradient


def _replacements(
    AG: Generator, D: Discriminator, chosen: Tensor, ranks: Tensor, gradient: Tensor
) -> tuple[Tensor, Tensor]:
    """Return D's predicted and actual changes for every choice that another allowed one replaces."""
    predicted, actual = [], []
    decisions = AG.decisions
    with torch.no_grad():
        before = D(read(decisions.cells(chosen)), ranks)
        for place, choice in decisions.allowed.nonzero().tolist():
            changed = chosen.clone()
            changed[:, place] = F.one_hot(torch.tensor(choice), chosen.shape[2]).float()
            new = chosen[:, place, choice] == 0
            after = D(read(decisions.cells(changed)), ranks)
            predicted.append((gradient * (changed - chosen)).sum(dim=(1, 2))[new])
            actual.append((after - before)[new])
    return torch.cat(predicted), torch.cat(actual)
