"""One GIN layer, MLP((A + A^T + I) h), with its backward pass written out.

torch's own float32 products are MKL's, which leaves AVX-512 alone on an AMD processor; oneDNN's, which torch ships too
and calls in its compiled code, use it and take the bias and the ReLU along. Autograd would also copy gradients that
are zeroed in place here.

Shapes: B cells, V vertices, F inputs, H outputs, R = B V rows.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Weights = tuple[Tensor, ...]
"""inner (H, F) and its bias (H,), outer (H, H) and its bias"""
Product = Callable[[Tensor, Tensor], Tensor]
CALLS_COST_MORE = 2**17
"""numbers in a trial's layer below which stacked products are faster than oneDNN's for one trial after the other"""


def linear_relu(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return ReLU(rows weight^T + bias), (R, H)."""
    if _in_onednn(rows):
        fused: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "relu", [], "")
        return fused
    return F.linear(rows, weight, bias).relu_()


def product(left: Tensor, right: Tensor) -> Tensor:
    """Return left @ right, two matrices."""
    # torch's own bfloat16 products are oneDNN's already, and copy less
    if _in_onednn(left) and left.dtype == torch.float32:
        multiplied: Tensor = torch.ops.mkldnn._linear_pointwise(left, right.t(), None, "none", [], "")
        return multiplied
    return left @ right


def _in_onednn(tensor: Tensor) -> bool:
    backend = torch.backends.mkldnn
    return tensor.device.type == "cpu" and backend.is_available() and bool(backend.enabled)


def gin_layer(hidden_BVF: Tensor, neighbours_BVV: Tensor, weights: Weights) -> Tensor:
    """Return ReLU(ReLU((neighbours hidden) inner^T + inner_bias) outer^T + outer_bias), (B, V, H)."""
    rows: Tensor = GINLayer.apply(hidden_BVF, neighbours_BVV, *weights)[0]  # type: ignore[no-untyped-call]
    return rows


def stacked_gin_layer(hidden_SBVF: Tensor, neighbours_SBVV: Tensor, weights: Weights) -> Tensor:
    """Return S layers with weights of their own, (S, B, V, H): three products for all of them."""
    rows: Tensor = StackedGINLayer.apply(hidden_SBVF, neighbours_SBVV, *weights)  # type: ignore[no-untyped-call]
    return rows


class GINLayer(torch.autograd.Function):
    """`gin_layer` with its two inner results, which the backward pass reads."""

    @staticmethod
    def forward(
        hidden_BVF: Tensor, neighbours_BVV: Tensor, inner: Tensor, inner_bias: Tensor, outer: Tensor, outer_bias: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return (B, V, H) and the rows (R, F) and (R, H) before it."""
        mixed = torch.bmm(neighbours_BVV, hidden_BVF).flatten(0, 1)
        middle = linear_relu(mixed, inner, inner_bias)
        rows = linear_relu(middle, outer, outer_bias)
        return rows.view(*hidden_BVF.shape[:2], -1), mixed, middle

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        """Keep what the backward pass needs."""
        hidden, neighbours, inner, _, outer, _ = inputs
        rows, mixed, middle = output
        ctx.mark_non_differentiable(mixed, middle)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(hidden, neighbours, mixed, inner, middle, outer, rows)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *arguments: Tensor
    ) -> tuple[tuple[Tensor, None, None], tuple[int | None, ...]]:
        """Run S layers at once: stacked, or where they are large and torch has no stacked product as fast as oneDNN's, one after the other."""
        hidden, neighbours, *weights = (
            argument.expand(info.batch_size, *argument.shape) if dim is None else argument.movedim(dim, 0)
            for argument, dim in zip(arguments, in_dims, strict=True)
        )
        _, cells, vertices, _ = hidden.shape
        width = weights[0].shape[1]
        if not _in_onednn(hidden) or cells * vertices * width < CALLS_COST_MORE:
            return (stacked_gin_layer(hidden, neighbours, tuple(weights)), None, None), (0, None, None)
        each = zip(*(argument.unbind() for argument in (hidden, neighbours, *weights)), strict=True)
        return (torch.stack([gin_layer(one[0], one[1], one[2:]) for one in each]), None, None), (0, None, None)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of all arguments."""
        return _gradients(ctx, gradients[0], product, torch.bmm)


class StackedGINLayer(torch.autograd.Function):
    """`stacked_gin_layer` with the same backward pass."""

    @staticmethod
    def forward(ctx: Any, hidden_SBVF: Tensor, neighbours_SBVV: Tensor, *weights: Tensor) -> Tensor:
        """Return (S, B, V, H)."""
        inner, inner_bias, outer, outer_bias = weights
        mixed = (neighbours_SBVV @ hidden_SBVF).flatten(1, 2)
        middle = torch.baddbmm(inner_bias[:, None], mixed, inner.mT).relu_()
        rows = torch.baddbmm(outer_bias[:, None], middle, outer.mT).relu_().view(*hidden_SBVF.shape[:3], -1)
        ctx.save_for_backward(hidden_SBVF, neighbours_SBVV, mixed, inner, middle, outer, rows)
        return rows

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of all arguments."""
        return _gradients(ctx, gradients[0], torch.bmm, torch.matmul)


def _gradients(ctx: Any, gradient: Tensor, of_rows: Product, of_cells: Product) -> tuple[Tensor | None, ...]:
    """Return the gradients of a layer's arguments, or of S layers'; those of A and of the features only where they are asked for.

    of_rows: product of rows and weights. of_cells: of matrices of a few vertices.
    """
    hidden, neighbours, mixed, inner, middle, outer, rows = ctx.saved_tensors
    behind = torch.empty_like(middle)
    _through_relu(gradient, rows, behind.view_as(rows))
    within = of_rows(behind, outer)
    _through_relu(within, middle, within)
    by_hidden = by_neighbours = None
    if any(ctx.needs_input_grad[:2]):
        by_mixed = of_rows(within, inner).view(hidden.shape)
        if ctx.needs_input_grad[0]:
            by_hidden = of_cells(neighbours.mT, by_mixed)
        if ctx.needs_input_grad[1]:
            by_neighbours = of_cells(by_mixed, hidden.mT)
    if not ctx.needs_input_grad[2]:
        return by_hidden, by_neighbours, None, None, None, None
    by_inner, by_outer = of_rows(within.mT, mixed), of_rows(behind.mT, middle)
    return by_hidden, by_neighbours, by_inner, within.sum(dim=-2), by_outer, behind.sum(dim=-2)


def _through_relu(gradient: Tensor, output: Tensor, into: Tensor) -> None:
    """Write the gradient where ReLU let something through, 0 elsewhere."""
    torch.ops.aten.threshold_backward.grad_input(gradient, output, 0, grad_input=into)
