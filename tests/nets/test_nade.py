"""Autoregressive decisions against a loop over decisions, and against the frequencies of samples."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nadlab.nets.nade import NADE, gumbel

ALLOWED = torch.tensor([[True, True, True], [True, True, False], [True, True, True], [True, True, False]])


def decisions(width: int = 8) -> NADE:
    torch.manual_seed(0)
    nade = NADE(ALLOWED, width)
    torch.nn.init.normal_(nade.bias)
    return nade


def drawn(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return states and noise."""
    random = torch.Generator().manual_seed(seed)
    return torch.randn(count, 8, generator=random), gumbel((count, *ALLOWED.shape), random)


def one_by_one(nade: NADE, state: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Return log p of one cell's choices, (G, C), and the state after them."""
    total = torch.zeros(())
    for g, choice in enumerate(chosen.argmax(dim=1).tolist()):
        logits = state.relu() @ nade.choice[g] + nade.bias[g]
        total = total + logits[ALLOWED[g]].log_softmax(dim=0)[choice]
        state = state + nade.memory[g, choice]
    return total, state


def test_log_likelihood_in_one_pass_is_the_sum_over_decisions() -> None:
    nade = decisions()
    state, noise = drawn(50)
    chosen = nade.sample(state, noise).detach()
    totals, states = zip(*(one_by_one(nade, *cell) for cell in zip(state, chosen, strict=True)), strict=True)
    torch.testing.assert_close(nade.log_likelihood(state, chosen), torch.stack(totals))
    torch.testing.assert_close(nade.final_state(state, chosen), torch.stack(states))


def test_samples_are_one_hot_and_never_forbidden() -> None:
    nade = decisions()
    chosen = nade.sample(*drawn(500)).detach()
    assert torch.equal(chosen.sum(dim=2), torch.ones(500, len(ALLOWED)))
    assert set(chosen.unique().tolist()) == {0.0, 1.0}
    assert not chosen[:, ~ALLOWED].any()


def test_samples_come_as_often_as_their_likelihood_says() -> None:
    nade = decisions()
    state, noise = drawn(20_000)
    same = state[:1].expand(20_000, -1)
    with torch.no_grad():
        chosen = nade.sample(same, noise)
        kinds, counts = chosen.argmax(dim=2).unique(dim=0, return_counts=True)
        expected = nade.log_likelihood(same[: len(kinds)], F.one_hot(kinds, 3).float()).exp()
    assert expected.sum() == pytest.approx(1, abs=0.02)
    torch.testing.assert_close(counts / 20_000, expected, atol=0.012, rtol=0)


def test_gradient_of_a_sample_is_that_of_the_softmax_with_the_noise() -> None:
    nade = decisions()
    state, noise = drawn(1)
    weighting = torch.randn(ALLOWED.shape[1])
    (ours,) = torch.autograd.grad((nade.sample(state.requires_grad_(), noise)[0, 0] * weighting).sum(), state)
    soft = F.softmax(state.relu() @ nade.choice[0] + nade.bias[0] + noise[0, 0], dim=1)
    (expected,) = torch.autograd.grad((soft * weighting).sum(), state)
    torch.testing.assert_close(ours, expected)


def test_later_decisions_send_a_gradient_through_earlier_choices() -> None:
    nade = decisions()
    state, noise = drawn(30)
    (by_memory,) = torch.autograd.grad(nade.sample(state, noise)[:, -1, 0].sum(), nade.memory)
    assert by_memory[0].abs().max() > 0
    assert not by_memory[-1].any()
