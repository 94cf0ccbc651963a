"""GIN layers (Xu et al. 2019), each MLP((A + A^T + I) h), as one function with its backward pass written out.

Autograd would copy gradients that are zeroed in place here, and call Python for every layer. On a CPU with a compiler
all layers are one call (`kernel.py`); these operators of torch are a GPU's.

Shapes: B cells, V vertices, F inputs, H outputs, L layers, R = B V rows; S trials where they are stacked.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from nadlab.semigan import kernel
from nadlab.semigan.linear import stacked

Weights = Sequence[Tensor]
"""of each layer inner (H, F) and its bias (H,), outer (H, H) and its bias"""
OF_A_LAYER = kernel.OF_A_LAYER


class Messages(NamedTuple):
    """What B cells' vertices hear from their neighbours and themselves, in the type of the products: what a GIN reads."""

    neighbours: Tensor
    """A + A^T + I, (B, V, V), symmetric"""
    first: Tensor
    """neighbours times the features, what the first layer's MLP reads, (B, V, F)"""

    def detach(self) -> "Messages":
        """Return the same, cut off from what made it."""
        return Messages(self.neighbours.detach(), self.first.detach())


def messages(features_BVF: Tensor, adjacency_BVV: Tensor, precision: torch.dtype = torch.float32) -> Messages:
    """Return what vertices with these features hear; gradients reach both."""
    itself = torch.eye(adjacency_BVV.shape[1], device=adjacency_BVV.device)
    neighbours = (adjacency_BVV + adjacency_BVV.transpose(1, 2) + itself).to(precision)
    return Messages(neighbours, torch.bmm(neighbours, features_BVF.to(precision)))


def last_layer(heard: Messages, weights: Weights) -> Tensor:
    """Return the last layer's output, (B, V, H)."""
    rows: Tensor = Layers.apply(False, *heard, *weights)[0]  # type: ignore[no-untyped-call]
    return rows


def mean_layers(heard: Messages, weights: Weights) -> Tensor:
    """Return all layers' outputs joined and averaged over the vertices, float32 (B, L H)."""
    means: Tensor = Layers.apply(True, *heard, *weights)[0]  # type: ignore[no-untyped-call]
    return means


class Layers(torch.autograd.Function):
    """`last_layer` or `mean_layers`, with the results on the way that the backward pass reads; for S trials with S in front of all shapes."""

    @staticmethod
    def forward(pooled: bool, neighbours_BVV: Tensor, first_BVF: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        """Return the output, and what the backward pass reads of the way there."""
        return _forward(Messages(neighbours_BVV, first_BVF), pooled, weights)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep what the backward pass needs."""
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)
        _keep(ctx, inputs, output)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        """Run S trials at once."""
        outputs = Layers.apply(*stacked(info.batch_size, in_dims, arguments))  # type: ignore[no-untyped-call]
        return outputs, (0,) * len(outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of all arguments."""
        return _backward(ctx, gradients[0])


def _linear_relu(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return ReLU(rows weight^T + bias), (R, H), or for S trials."""
    if rows.dim() == 2:
        return F.linear(rows, weight, bias).relu_()
    return torch.baddbmm(bias[:, None], rows, weight.mT).relu_()


def _in_kernel(heard: Messages, weights: Weights) -> bool:
    return kernel.fits(heard.first, weights[0].shape[-2], heard.first.dtype)


def _forward(heard: Messages, pooled: bool, weights: Weights) -> tuple[Tensor, ...]:
    """Return the output and, in the order of `_keep`, the results on the way."""
    neighbours, message = heard
    if _in_kernel(heard, weights):
        return kernel.layers_forward(neighbours, message, weights, pooled)
    cast = [weight.to(message.dtype) for weight in weights]
    later: list[Tensor] = []
    middles: list[Tensor] = []
    outputs: list[Tensor] = []
    for start in range(0, len(cast), OF_A_LAYER):
        inner, inner_bias, outer, outer_bias = cast[start : start + OF_A_LAYER]
        if start:
            message = neighbours @ outputs[-1]
            later.append(message)
        middles.append(_linear_relu(message.flatten(-3, -2), inner, inner_bias))
        rows = _linear_relu(middles[-1], outer, outer_bias)
        outputs.append(rows.unflatten(-2, message.shape[-3:-1]))
    if not pooled:
        return outputs[-1], *later, *middles, *outputs[:-1]
    means = torch.cat([rows.sum(dim=-2) for rows in outputs], dim=-1).float() / message.shape[-2]
    return means, *later, *middles, *outputs


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    pooled, neighbours, first, *weights = inputs
    result, *others = output
    ctx.pooled, ctx.layers = pooled, len(weights) // OF_A_LAYER
    ctx.in_kernel = _in_kernel(Messages(neighbours, first), weights)
    if not ctx.in_kernel and not pooled:
        others.append(result)
    ctx.save_for_backward(neighbours, first, *others, *weights)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    """Return the gradients of the layers' arguments, or of S trials'; those of the messages and weights only where they are asked for."""
    count = ctx.layers
    neighbours, *saved = ctx.saved_tensors
    none: list[Tensor | None] = [None] * OF_A_LAYER * count
    if ctx.in_kernel:
        first, kept, *weights = saved
        asked = ctx.needs_input_grad[1:4]
        *of_messages, of_weights = kernel.layers_backward(neighbours, first, weights, kept, ctx.pooled, gradient, asked)
        return None, *of_messages, *(of_weights or none)
    heard, middles, outputs = saved[:count], saved[count : 2 * count], saved[2 * count : 3 * count]
    weights = saved[3 * count :]
    _, ask_neighbours, ask_first, ask_weights, *_ = ctx.needs_input_grad
    dtype = neighbours.dtype
    shares = None
    if ctx.pooled:
        shares = (gradient / neighbours.shape[-1]).to(dtype).unflatten(-1, (count, -1)).unbind(dim=-2)
    by_output = None if ctx.pooled else gradient
    by_neighbours: Tensor | None = None
    by_first: Tensor | None = None
    by_weights: list[Tensor] = []
    for layer in reversed(range(count)):
        inner, outer = (weights[OF_A_LAYER * layer + place].to(dtype) for place in (0, 2))
        if shares is not None:
            share = shares[layer].unsqueeze(-2)
            by_output = share.expand_as(outputs[layer]) if by_output is None else by_output.add_(share)
        assert by_output is not None
        # in place but where it isn't this function's own
        behind = torch.empty_like(outputs[layer]) if layer == count - 1 else by_output
        _through_relu(by_output, outputs[layer], behind)
        behind = behind.view_as(middles[layer])
        within = torch.matmul(behind, outer)
        _through_relu(within, middles[layer], within)
        if ask_weights:
            by_outer = torch.matmul(behind.mT, middles[layer]), behind.sum(dim=-2)
            # the narrower factor on the left
            by_inner = torch.matmul(heard[layer].flatten(-3, -2).mT, within).mT, within.sum(dim=-2)
            by_weights[:0] = [part.to(weights[0].dtype) for part in (*by_inner, *by_outer)]
        if not layer and not ask_first:
            break
        by_heard = torch.matmul(within, inner).view_as(heard[layer])
        if not layer:
            by_first = by_heard
            break
        if ask_neighbours:
            part = torch.matmul(by_heard, outputs[layer - 1].mT)
            by_neighbours = part if by_neighbours is None else by_neighbours.add_(part)
        # symmetric, so not transposed
        by_output = torch.matmul(neighbours, by_heard)
    return None, by_neighbours, by_first, *(by_weights or none)


def _through_relu(gradient: Tensor, output: Tensor, into: Tensor) -> None:
    """Write the gradient where ReLU let something through, 0 elsewhere."""
    torch.ops.aten.threshold_backward.grad_input(gradient, output, 0, grad_input=into)
