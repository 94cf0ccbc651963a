"""GIN layers (Xu et al. 2019), each MLP((A + A^T + I) h), as one function with its backward pass written out.

Autograd would copy gradients that are zeroed in place here, and call Python for every layer. On a CPU with a compiler
all layers are one call (`kernel.py`); these operators of torch are a GPU's.

Shapes: B cells, V vertices, F inputs, H outputs, L layers, R = B V rows; S trials where they are stacked. A GIN's weights are
one tensor (N,): of each layer inner (H, F) and its bias (H,), outer (H, H) and its bias. Each tensor costs a step as much as a
small operator does, and there would be 4 L.
"""

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nadlab.semigan import kernel
from nadlab.semigan.functions import apply, stacked, with_signature


class Layer(NamedTuple):
    """The weights of one layer."""

    inner: Tensor
    inner_bias: Tensor
    outer: Tensor
    outer_bias: Tensor


class GINInput(NamedTuple):
    """What a GIN reads of B cells, in the type of the products."""

    neighbours: Tensor
    """A + A^T + I, whom a vertex hears, (B, V, V), symmetric"""
    features: Tensor
    """(B, V, F)"""

    def detach(self) -> "GINInput":
        """Return the same, cut off from what made it."""
        return GINInput(self.neighbours.detach(), self.features.detach())


def gin_input(features_BVF: Tensor, adjacency_BVV: Tensor, precision: torch.dtype = torch.float32) -> GINInput:
    """Return vertices with these features as a GIN reads them; gradients reach both."""
    itself = torch.eye(adjacency_BVV.shape[1], device=adjacency_BVV.device)
    neighbours = adjacency_BVV + adjacency_BVV.transpose(1, 2) + itself
    return GINInput(neighbours.to(precision), features_BVF.to(precision))


def layers_of(weights: Tensor, inputs: int, width: int) -> list[Layer]:
    """Return views of all layers' weights."""
    layers: list[Layer] = []
    start = 0
    while start < weights.shape[-1]:
        shapes = (width, width if layers else inputs), (width,), (width, width), (width,)
        parts = weights[..., start : start + sum(map(prod, shapes))].split([prod(shape) for shape in shapes], dim=-1)
        layers.append(Layer(*(part.unflatten(-1, shape) for part, shape in zip(parts, shapes, strict=True))))
        start += sum(map(prod, shapes))
    return layers


def joined_weights(layers: Sequence[Sequence[Tensor]], leading: int = 0) -> Tensor:
    """Return the layers' weights as one tensor, after so many axes that all have."""
    return torch.cat([part.flatten(leading) for layer in layers for part in layer], dim=-1)


def last_layer(cells: GINInput, weights: Tensor, width: int) -> Tensor:
    """Return the last layer's output, (B, V, H)."""
    rows: Tensor = apply(Layers, False, width, *cells, weights)[0]
    return rows


def mean_layers(cells: GINInput, weights: Tensor, width: int) -> Tensor:
    """Return all layers' outputs joined and averaged over the vertices, float32 (B, L H)."""
    means: Tensor = apply(Layers, True, width, *cells, weights)[0]
    return means


class Layers(torch.autograd.Function):
    """`last_layer` or `mean_layers`, with the results on the way that the backward pass reads; for S trials with S in front of all shapes."""

    @staticmethod
    @with_signature
    def forward(pooled: bool, width: int, neighbours: Tensor, features: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        """Return the output, and what the backward pass reads of the way there."""
        if kernel.fits(features, width, features.dtype):
            asked = [
                tensor.requires_grad and not torch.is_inference_mode_enabled()
                for tensor in (neighbours, features, weights)
            ]
            return kernel.layers_forward(neighbours, features, weights, width, pooled, asked)
        return _forward(neighbours, features, layers_of(weights, features.shape[-1], width), pooled)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep what the backward pass needs."""
        ctx.pooled, ctx.width, neighbours, features, weights = inputs
        ctx.in_kernel = kernel.fits(features, ctx.width, features.dtype)
        result, *others = output
        if not ctx.in_kernel and not ctx.pooled:
            others.append(result)
        ctx.save_for_backward(neighbours, features, weights, *others)
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *arguments: Any
    ) -> tuple[tuple[Tensor | None, ...], tuple[int | None, ...]]:
        """Run S trials at once."""
        output, *others = apply(Layers, *stacked(info.batch_size, in_dims, arguments))
        none = (None,) * len(others)
        return (output, *none), (0, *none)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of all arguments: of the neighbours, features and weights those that are asked for."""
        if gradients[0] is None:
            return (None,) * len(ctx.needs_input_grad)
        neighbours, features, weights, *others = ctx.saved_tensors
        arguments = neighbours, features, weights, others, ctx.width, ctx.pooled, gradients[0], ctx.needs_input_grad[2:]
        return None, None, *(kernel.layers_backward if ctx.in_kernel else _backward)(*arguments)


def _linear_relu(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return ReLU(rows weight^T + bias), (R, H), or for S trials."""
    if rows.dim() == 2:
        return F.linear(rows, weight, bias).relu_()
    return torch.baddbmm(bias[:, None], rows, weight.mT).relu_()


def _forward(neighbours: Tensor, rows: Tensor, layers: Sequence[Layer], pooled: bool) -> tuple[Tensor, ...]:
    """Return the output, and each layer's messages, hidden units and outputs, but for an output that is the result."""
    messages: list[Tensor] = []
    middles: list[Tensor] = []
    outputs: list[Tensor] = []
    for layer in layers:
        inner, inner_bias, outer, outer_bias = (weight.to(rows.dtype) for weight in layer)
        messages.append(neighbours @ rows)
        middles.append(_linear_relu(messages[-1].flatten(-3, -2), inner, inner_bias))
        rows = _linear_relu(middles[-1], outer, outer_bias).unflatten(-2, neighbours.shape[-3:-1])
        outputs.append(rows)
    if not pooled:
        return outputs[-1], *messages, *middles, *outputs[:-1]
    means = torch.cat([rows.sum(dim=-2) for rows in outputs], dim=-1).float() / neighbours.shape[-1]
    return means, *messages, *middles, *outputs


def _backward(
    neighbours: Tensor,
    features: Tensor,
    weights: Tensor,
    saved: Sequence[Tensor],
    width: int,
    pooled: bool,
    gradient: Tensor,
    asked: Sequence[bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Return the gradients of the neighbours, the features and the weights, those that are asked for."""
    layers = layers_of(weights, features.shape[-1], width)
    count = len(layers)
    heard, middles, outputs = saved[:count], saved[count : 2 * count], saved[2 * count :]
    ask_neighbours, ask_features, ask_weights = asked
    dtype = neighbours.dtype
    shares = None
    if pooled:
        shares = (gradient / neighbours.shape[-1]).to(dtype).unflatten(-1, (count, -1)).unbind(dim=-2)
    by_output = None if pooled else gradient
    by_neighbours: Tensor | None = None
    by_features: Tensor | None = None
    by_layers: list[Layer] = []
    for layer in reversed(range(count)):
        inner, outer = layers[layer].inner.to(dtype), layers[layer].outer.to(dtype)
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
            by_layers.insert(0, Layer(*(part.to(weights.dtype) for part in (*by_inner, *by_outer))))
        if not layer and not ask_features and not ask_neighbours:
            break
        by_heard = torch.matmul(within, inner).view_as(heard[layer])
        if ask_neighbours:
            part = torch.matmul(by_heard, (outputs[layer - 1] if layer else features).mT)
            by_neighbours = part if by_neighbours is None else by_neighbours.add_(part)
        # symmetric, so not transposed
        by_output = torch.matmul(neighbours, by_heard)
        if not layer:
            by_features = by_output
    return by_neighbours, by_features, joined_weights(by_layers, weights.dim() - 1) if ask_weights else None


def _through_relu(gradient: Tensor, output: Tensor, into: Tensor) -> None:
    """Write the gradient where ReLU let something through, 0 elsewhere."""
    torch.ops.aten.threshold_backward.grad_input(gradient, output, 0, grad_input=into)
