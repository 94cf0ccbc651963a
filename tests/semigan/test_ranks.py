"""Equation 11, the scales on which PP predicts, and the differentiable rank."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nadlab.semigan.diagnostics import calibration_error
from nadlab.semigan.ranks import RANKS, Scale, cuts, linear_scale, normal_scale, rank, soft_rank, threshold

LABELS = np.array([10.0, 80.0, 86.0, 88.5, 90.0, 91.5, 92.0, 92.5, 93.2, 93.2, 94.0])


@pytest.fixture(params=[linear_scale, normal_scale])
def scale(request: pytest.FixtureRequest) -> Scale:
    made: Scale = request.param(LABELS)
    return made


@pytest.mark.parametrize(
    ("y", "expected"),
    [(93.5, 0), (93.0001, 0), (92.5, 1), (90.5, 2), (88.5, 3), (87.0, 4), (86.9, 4), (10.0, 4)],
)
def test_equation_11_cuts_at_every_two_points_below_t(y: float, expected: int) -> None:
    assert rank(torch.tensor([y]), t=93.0).item() == expected


def test_accuracy_above_t_plus_two_points_is_rank_0_and_not_minus_1() -> None:
    assert rank(torch.tensor([95.5]), t=93.0).item() == 0


def test_scale_is_increasing_and_standardises_the_labels(scale: Scale) -> None:
    grid = np.linspace(0, 100, 501)
    assert (np.diff(scale(grid)) > 0).all()
    assert scale(LABELS).mean() == pytest.approx(0, abs=0.02)
    assert scale(LABELS).std() == pytest.approx(1, abs=0.15)


def test_normal_scale_gives_equal_labels_their_mean_place() -> None:
    scores = normal_scale(LABELS)(LABELS)
    assert scores[8] == scores[9]
    assert scores[-1] == pytest.approx(-scores[0])


@pytest.mark.parametrize("y", [np.array([90.0, 90.0]), np.array([0.0, 0.0, 0.0])])
def test_scale_of_labels_that_do_not_differ_is_finite(y: NDArray[np.float64]) -> None:
    assert np.isfinite(normal_scale(y)([89.0, 90.0, 91.0])).all()


def test_soft_rank_has_the_values_of_equation_11_on_every_scale(scale: Scale) -> None:
    y = np.linspace(70, 99, 97)
    weights = soft_rank(torch.tensor(scale(y), dtype=torch.float32), cuts(scale, 93.0), temperature=0.3)
    assert torch.equal(weights.argmax(dim=1), rank(torch.from_numpy(y), t=93.0))
    assert torch.equal(weights.sum(dim=1), torch.ones(97))


def test_probabilities_of_ranks_that_come_true_as_often_have_no_calibration_error() -> None:
    ranks = np.repeat([0, 4], [7, 3])
    assert calibration_error(np.full((10, 4), 0.7), ranks) == pytest.approx(0)
    assert calibration_error(np.full((10, 4), 0.9), ranks) == pytest.approx(0.2)
    apart = np.repeat([[1.0] * 4, [0.0] * 4], [7, 3], axis=0)
    assert calibration_error(apart, ranks) == 0
    assert calibration_error(apart[::-1], ranks) == pytest.approx(0.6)


@pytest.mark.parametrize("y", [60.0, 85.0, 91.9, 94.0, 94.5])
def test_gradient_of_soft_rank_points_to_better_ranks_for_better_accuracies(scale: Scale, y: float) -> None:
    score = torch.tensor(scale([y]), dtype=torch.float32, requires_grad=True)
    weights = soft_rank(score, cuts(scale, 93.0), temperature=0.3)
    (gradient,) = torch.autograd.grad((weights * torch.arange(RANKS)).sum(), score)
    assert gradient.item() < 0


def test_t_leaves_the_share_of_labels_above_and_never_none_where_the_best_tie() -> None:
    spread = np.arange(100.0)
    assert (spread > threshold(spread, 0.1)).sum() == 10
    tied = np.concatenate([np.arange(105.0), np.full(15, 110.0)])
    assert threshold(tied, 0.1) == 104.0
    assert (rank(torch.from_numpy(tied), threshold(tied, 0.1)) == 0).sum() == 15
    assert threshold(np.full(9, 50.0), 0.1) == 50.0
