"""Linear layers whose products run in a type of their own, in one call with their ReLU where the kernel takes them.

Shapes: R rows, F inputs, H outputs.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nadlab.semigan import kernel


def linear(rows: Tensor, weight: Tensor, bias: Tensor, precision: torch.dtype, rectified: bool = False) -> Tensor:
    """Return rows weight^T + bias, multiplied in `precision`, or its ReLU, in the weights' type (R, H)."""
    if kernel.fits(rows, len(weight), precision) and rows.dtype in (torch.float32, precision):
        in_kernel: Tensor = Linear.apply(rows, weight, bias, precision, rectified)  # type: ignore[no-untyped-call]
        return in_kernel
    product = F.linear(rows.to(precision), weight.to(precision), bias.to(precision)).to(weight.dtype)
    return F.relu(product) if rectified else product


class Linear(torch.autograd.Function):
    """`linear` of the kernel; for S trials with S in front of all shapes."""

    @staticmethod
    def forward(rows: Tensor, weight: Tensor, bias: Tensor, precision: torch.dtype, rectified: bool) -> Tensor:
        """Return the output."""
        return kernel.linear_forward(rows, weight, bias, precision, rectified)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep what the backward pass needs."""
        rows, weight, _, ctx.precision, ctx.rectified = inputs
        ctx.save_for_backward(rows, weight, output)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Tensor, int]:
        """Run S trials at once."""
        return Linear.apply(*stacked(info.batch_size, in_dims, arguments)), 0  # type: ignore[no-untyped-call]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of all arguments."""
        rows, weight, output = ctx.saved_tensors
        asked = ctx.needs_input_grad[0], any(ctx.needs_input_grad[1:3])
        of = kernel.linear_backward(rows, weight, output, ctx.precision, ctx.rectified, gradients[0], asked)
        return *of, None, None


def stacked(trials: int, in_dims: tuple[int | None, ...], arguments: tuple[Any, ...]) -> list[Any]:
    """Return a vmapped function's arguments, its tensors with the trials in front."""
    return [
        argument
        if not isinstance(argument, Tensor)
        else argument.expand(trials, *argument.shape)
        if dim is None
        else argument.movedim(dim, 0)
        for argument, dim in zip(arguments, in_dims, strict=True)
    ]
