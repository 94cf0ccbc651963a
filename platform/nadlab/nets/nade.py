"""A distribution over G discrete decisions, taken one after another (NADE, Larochelle and Murray 2011).

p(c | state) = prod_g p(c_g | state, c_1, ..., c_(g-1)): each decision is read by a linear layer from the rectified sum
of a start state and of what the decisions before it add to it, so that a decision costs one small matrix product and
any joint distribution can be learned.

Shapes: B cells, H width, G decisions of up to C choices each; choices are one-hot, (B, G, C).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FORBIDDEN = -1e4
"""logit of a choice that a decision does not have"""


class NADE(nn.Module):
    """`allowed`, bool (G, C), says which choices each decision has; `width` is that of the state."""

    def __init__(self, allowed: Tensor, width: int) -> None:
        super().__init__()
        decisions, choices = allowed.shape
        self.memory = nn.Parameter(torch.randn(decisions, choices, width) / decisions**0.5)
        self.choice = nn.Parameter(torch.randn(decisions, width, choices) / width**0.5)
        self.bias = nn.Parameter(torch.zeros(decisions, choices))
        self.register_buffer("forbidden", torch.where(allowed, 0.0, FORBIDDEN), persistent=False)

    def sample(self, state_BH: Tensor, noise_BGC: Tensor, relaxed: bool = False) -> Tensor:
        """Return the choices that are likeliest with the noise added to their logits: with Gumbel noise a sample.

        Their gradient is that of the softmax of logits and noise (straight-through Gumbel-softmax, Jang et al. 2017);
        `relaxed` returns that softmax itself.
        """
        state, sampled = state_BH, []
        # unbound at once: the gradient of each selection would be as large as what it selects from
        layers = (each.unbind() for each in (self.choice, self._bias(), self.memory))
        for noise, choice, bias, memory in zip(noise_BGC.unbind(1), *layers, strict=True):
            soft = F.softmax(torch.addmm(bias, F.relu(state), choice) + noise, dim=1)
            sampled.append(soft if relaxed else straight_through(soft))
            state = torch.addmm(state, sampled[-1], memory)
        return torch.stack(sampled, dim=1)

    def log_likelihood(self, state_BH: Tensor, chosen_BGC: Tensor) -> Tensor:
        """Return log p(choices | state) in nats, (B,), of all decisions in one masked pass."""
        logits_GBC = self._logits(state_BH, chosen_BGC)
        return (F.log_softmax(logits_GBC, dim=2) * chosen_BGC.transpose(0, 1)).sum(dim=(0, 2))

    def logits(self, state_BH: Tensor, chosen_BGC: Tensor) -> Tensor:
        """Return the logits of each decision after the choices before it, (B, G, C)."""
        return self._logits(state_BH, chosen_BGC).transpose(0, 1)

    def _logits(self, state_BH: Tensor, chosen_BGC: Tensor) -> Tensor:
        added_GBH = torch.einsum("bgc,gch->gbh", chosen_BGC, self.memory)
        states_GBH = state_BH + added_GBH.cumsum(dim=0) - added_GBH
        return torch.baddbmm(self._bias()[:, None], F.relu(states_GBH), self.choice)

    def final_state(self, state_BH: Tensor, chosen_BGC: Tensor) -> Tensor:
        """Return the state after the last decision, (B, H)."""
        return state_BH + torch.einsum("bgc,gch->bh", chosen_BGC, self.memory)

    def _bias(self) -> Tensor:
        return self.bias + self.get_buffer("forbidden")


def straight_through(soft: Tensor) -> Tensor:
    """Return the one-hot of the likeliest choices, last axis, whose gradient is that of the probabilities."""
    hard = F.one_hot(soft.argmax(dim=-1), soft.shape[-1]).to(soft.dtype)
    return hard + (soft - soft.detach())


def gumbel(shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    """Draw Gumbel noise on the CPU: the largest of logits and noise is a sample of their softmax."""
    return -torch.log(-torch.log(torch.rand(shape, generator=random).clamp(1e-6, 1 - 1e-6)))
