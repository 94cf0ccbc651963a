"""Equations 6-10, each against a value computed by hand."""

import math

import pytest
import torch

from nadlab.semigan import losses

# D = sigmoid(logit): 0.8 at log 4, 0.5 at 0, 0.2 at -log 4
HIGH, EVEN, LOW = math.log(4), 0.0, -math.log(4)


def test_equation_6_weighs_the_predictors_pairs_by_alpha_and_the_generators_by_the_rest() -> None:
    real, predicted, made = torch.tensor([HIGH, EVEN]), torch.tensor([LOW]), torch.tensor([EVEN])
    by_hand = -((math.log(0.8) + math.log(0.5)) / 2 + 0.3 * math.log(0.8) + 0.7 * math.log(0.5))
    assert losses.discriminator_loss(real, predicted, made, alpha=0.3).item() == pytest.approx(by_hand)
    without = by_hand + 0.7 * math.log(0.5)
    assert losses.discriminator_loss(real, predicted, alpha=0.3).item() == pytest.approx(without)


def test_equation_7_is_the_mean_log_of_one_minus_d() -> None:
    assert losses.log_one_minus_d(torch.tensor([HIGH, LOW])).item() == pytest.approx(
        (math.log(0.2) + math.log(0.8)) / 2
    )
    assert losses.log_d(torch.tensor([HIGH, LOW])).item() == pytest.approx((math.log(0.8) + math.log(0.2)) / 2)


def test_equation_8_adds_the_adversarial_and_the_pseudo_term_to_the_error() -> None:
    gammas = (torch.tensor(-2.0), torch.tensor(3.0), torch.tensor(5.0))
    assert losses.predictor_loss(*gammas, alpha=0.25, alpha_p=0.1).item() == pytest.approx(-0.5 + 3.0 + 0.5)


def test_equation_9_is_the_mean_squared_error() -> None:
    y, predicted = torch.tensor([1.0, 2.0]), torch.tensor([0.0, 4.0])
    assert losses.squared_error(y, predicted).item() == pytest.approx((1 + 4) / 2)


def test_equation_10_is_scaled_by_one_minus_alpha() -> None:
    adversarial = losses.adversarial_loss(torch.tensor([HIGH]), saturating=True)
    assert losses.generator_loss(adversarial, 0.9).item() == pytest.approx(0.1 * math.log(0.2))


def test_non_saturating_form_has_its_minimum_where_the_printed_one_has_it() -> None:
    logits = torch.tensor([HIGH], requires_grad=True)
    (printed,) = torch.autograd.grad(losses.adversarial_loss(logits, saturating=True), logits)
    (other,) = torch.autograd.grad(losses.adversarial_loss(logits, saturating=False), logits)
    assert printed.item() == pytest.approx(-0.8)
    assert other.item() == pytest.approx(-0.2)
