"""AG's choices about a cell, one after another, each from a layer that is linear in the features and in the choices before it.

NADE (Larochelle and Murray 2011). Shapes: B cells, H numbers of the state, G decisions of up to C choices each; weights
(G, H, C), bias (G, C) and memory (G, C, H), what a choice adds to the state.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nadlab.semigan import kernel
from nadlab.semigan.functions import apply, stacked, with_signature


class Layers(NamedTuple):
    """From the state to a choice, and from a choice to the state."""

    weights: Tensor
    bias: Tensor
    memory: Tensor


def choose(features_BH: Tensor, noise_BGC: Tensor, layers: Layers) -> Tensor:
    """Return one-hot choices, (B, G, C), the likeliest with the noise added to the logits.

    Their gradient is that of the softmax of logits and noise (straight-through, Jang et al. 2017).
    """
    if _in_kernel(features_BH):
        in_kernel: Tensor = apply(_Decide, features_BH, noise_BGC, *layers, True)[0]
        return in_kernel
    state = features_BH
    chosen: list[Tensor] = []
    # taken apart at once: the gradient of a selection is as large as what it was taken from
    places = zip(noise_BGC.unbind(1), *(each.unbind() for each in layers), strict=True)
    for noise, weights, bias, memory in places:
        soft = F.softmax(torch.addmm(bias, F.relu(state), weights) + noise, dim=1)
        hard = F.one_hot(soft.argmax(dim=1), soft.shape[1]).float()
        chosen.append(hard + (soft - soft.detach()))
        state = torch.addmm(state, chosen[-1], memory)
    return torch.stack(chosen, dim=1)


def log_likelihood(features_BH: Tensor, chosen_BGC: Tensor, layers: Layers) -> Tensor:
    """Return log p(one-hot choices | features) in nats, (B,); no gradient reaches the choices."""
    if _in_kernel(features_BH):
        in_kernel: Tensor = apply(_Decide, features_BH, chosen_BGC, *layers, False)[0]
        return in_kernel
    chosen = chosen_BGC.detach()
    written = torch.einsum("bgc,gch->gbh", chosen, layers.memory)
    earlier = written.new_ones(len(written), len(written)).tril(-1)
    before = (earlier @ written.flatten(1)).view_as(written)
    logits = torch.baddbmm(layers.bias[:, None], F.relu(before + features_BH), layers.weights)
    return (F.log_softmax(logits, dim=2) * chosen.transpose(0, 1)).sum(dim=(0, 2))


def _in_kernel(features: Tensor) -> bool:
    return features.dtype == torch.float32 and kernel.fits(features, features.shape[-1])


class _Decide(torch.autograd.Function):
    """`choose` by the noise that is given or `log_likelihood` of the choices; for S trials with S in front of all shapes."""

    forward = staticmethod(with_signature(kernel.decide_forward))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        features, given, weights, _, memory, ctx.choosing = inputs
        result, soft = output
        ctx.save_for_backward(features, weights, memory, result if ctx.choosing else given, soft)
        ctx.mark_non_differentiable(soft)
        ctx.set_materialize_grads(False)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[tuple[Tensor, ...], tuple[int, int]]:
        return apply(_Decide, *stacked(info.batch_size, in_dims, arguments)), (0, 0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        if gradients[0] is None:
            return (None,) * len(ctx.needs_input_grad)
        by_features, *of_layers = kernel.decide_backward(
            *ctx.saved_tensors, gradient=gradients[0], choosing=ctx.choosing
        )
        return by_features, None, *of_layers, None
