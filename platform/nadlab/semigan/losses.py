"""Equations 6-10 as losses to minimise; D's outputs come as logits, log D = -softplus(-logit)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus


@dataclass(frozen=True, slots=True)
class EpochLosses:
    """Means over an epoch's batches."""

    discriminator: float
    """equation 6, negated"""
    generator: float
    """equation 10"""
    predictor: float
    """equation 8"""
    labelled_error: float
    """gamma_2 of equation 9"""
    generated_error: float
    """gamma_3 of equation 9"""
    coverage: float
    """-log p_AG of real cells, in nats a cell"""


def mean_losses(rows: Sequence[Tensor]) -> EpochLosses:
    """Return the means of the losses of an epoch's batches, each (6,)."""
    return EpochLosses(*torch.stack(list(rows)).mean(dim=0).tolist())


def log_d(logits: Tensor) -> Tensor:
    """Return E[log D], a scalar."""
    return -softplus(-logits).mean()


def log_one_minus_d(logits: Tensor) -> Tensor:
    """Return E[log(1 - D)], a scalar."""
    return -softplus(logits).mean()


def discriminator_loss(real: Tensor, predicted: Tensor, generated: Tensor | None = None, *, alpha: float) -> Tensor:
    """Equations 6 and 7, negated: beta_1 + alpha beta_2 + (1 - alpha) beta_3, the last left out without AG.

    real, predicted, generated: D's logits of (x, rank), (x_u, rank of PP(x_u)), (AG(rank, z), rank).
    """
    beta_3 = 0.0 if generated is None else log_one_minus_d(generated)
    return -(log_d(real) + alpha * log_one_minus_d(predicted) + (1 - alpha) * beta_3)


def mismatch_loss(logits: Tensor, differ: Tensor) -> Tensor:
    """-E[log(1 - D)] of real cells with another cell's rank, where it differs from their own (Reed et al. 2016, Algorithm 1)."""
    return (softplus(logits) * differ).sum() / differ.sum().clamp(min=1)


def adversarial_loss(logits: Tensor, saturating: bool) -> Tensor:
    """E[log(1 - D)] of equations 8-10, or its non-saturating form -E[log D] (Goodfellow et al. 2014, Section 3)."""
    return log_one_minus_d(logits) if saturating else -log_d(logits)


def squared_error(y: Tensor, predicted: Tensor) -> Tensor:
    """Equation 9, gamma_2 and gamma_3: E (y - PP(x))^2."""
    return ((y - predicted) ** 2).mean()


def predictor_loss(gamma_1: Tensor, gamma_2: Tensor, gamma_3: Tensor, alpha: float, alpha_p: float) -> Tensor:
    """Equation 8: alpha gamma_1 + gamma_2 + alpha_p gamma_3."""
    return alpha * gamma_1 + gamma_2 + alpha_p * gamma_3


def generator_loss(adversarial: Tensor, alpha: float) -> Tensor:
    """Equation 10: (1 - alpha) E[log(1 - D(AG(rank, z), rank))]."""
    return (1 - alpha) * adversarial
