"""Equation 11 and its differentiable form."""

import pytest
import torch

from nadlab.semigan.ranks import RANKS, rank, soft_rank


@pytest.mark.parametrize(
    ("y", "expected"),
    [(93.5, 0), (93.0001, 0), (92.5, 1), (90.5, 2), (88.5, 3), (87.0, 4), (86.9, 4), (10.0, 4)],
)
def test_equation_11_cuts_at_every_two_points_below_t(y: float, expected: int) -> None:
    assert rank(torch.tensor([y]), t=93.0).item() == expected


def test_accuracy_above_t_plus_two_points_is_rank_0_and_not_minus_1() -> None:
    assert rank(torch.tensor([95.5]), t=93.0).item() == 0


def test_soft_rank_has_the_values_of_equation_11() -> None:
    y = torch.linspace(80, 97, 60)
    weights = soft_rank(y, t=93.0)
    assert torch.equal(weights.argmax(dim=1), rank(y, t=93.0))
    assert torch.equal(weights.sum(dim=1), torch.ones(60))


@pytest.mark.parametrize("y", [60.0, 85.0, 91.9, 94.0, 99.0])
def test_gradient_of_soft_rank_points_to_better_ranks_for_better_accuracies(y: float) -> None:
    accuracy = torch.tensor([y], requires_grad=True)
    weights = soft_rank(accuracy, t=93.0)
    mean_rank = (weights * torch.arange(RANKS)).sum()
    (gradient,) = torch.autograd.grad(mean_rank, accuracy)
    assert gradient.item() < 0
