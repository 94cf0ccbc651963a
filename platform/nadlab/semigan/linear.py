"""Linear layers whose products run in a type of their own, in one call with what surrounds them where the kernel takes them.

Shapes: R rows, F inputs, H outputs. Rows may come in two parts, which lie side by side.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nadlab.semigan import kernel
from nadlab.semigan.functions import apply, stacked, with_signature


def linear(parts: Sequence[Tensor], weight: Tensor, bias: Tensor, precision: torch.dtype) -> Tensor:
    """Return rows weight^T + bias, multiplied in `precision`, in the weights' type (R, H)."""
    if _in_kernel(parts, weight, precision):
        result: Tensor = apply(Linear, *_two(parts), weight, bias, None, None, precision)[0]
        return result
    return F.linear(_joined(parts, precision), weight.to(precision), bias.to(precision)).to(weight.dtype)


def scored(parts: Sequence[Tensor], weights: Sequence[Tensor], precision: torch.dtype) -> Tensor:
    """Return a number for each row, (R,): a linear layer in `precision`, ReLU and a linear layer of one output.

    weights: of the first layer (H, F) and its bias (H,), of the second (1, H) and its bias (1,).
    """
    weight, bias, last, last_bias = weights
    if _in_kernel(parts, weight, precision):
        scores: Tensor = apply(Linear, *_two(parts), weight, bias, last, last_bias, precision)[0]
        return scores
    return F.linear(linear(parts, weight, bias, precision).relu(), last, last_bias).squeeze(1)


def _in_kernel(parts: Sequence[Tensor], weight: Tensor, precision: torch.dtype) -> bool:
    of_rows, *of_others = (part.dtype for part in parts)
    types_fit = of_rows in (torch.float32, precision) and all(other == torch.float32 for other in of_others)
    return types_fit and kernel.fits(parts[0], len(weight), precision)


def _two(parts: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
    return parts[0], parts[1] if len(parts) > 1 else None


def _joined(parts: Sequence[Tensor], precision: torch.dtype) -> Tensor:
    rows = [part.to(precision) for part in parts]
    return torch.cat(rows, dim=1) if len(rows) > 1 else rows[0]


class Linear(torch.autograd.Function):
    """`linear` or, with a second layer, `scored` of the kernel, the latter with the hidden units; for S trials with S in front of all shapes."""

    forward = staticmethod(with_signature(kernel.linear_forward))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep what the backward pass needs."""
        rows, more, weight, _, last, _, ctx.precision = inputs
        ctx.save_for_backward(rows, more, weight, last, output[1] if len(output) > 1 else None)
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        """Run S trials at once."""
        output = apply(Linear, *stacked(info.batch_size, in_dims, arguments))
        return output, (0,) * len(output)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradients of all arguments: of the weights all that are there or none."""
        if gradients[0] is None:
            return (None,) * len(ctx.needs_input_grad)
        asked = *ctx.needs_input_grad[:2], any(ctx.needs_input_grad[2:6])
        rows, more, weight, last, hidden = ctx.saved_tensors
        of = kernel.linear_backward(rows, more, weight, last, hidden, ctx.precision, gradients[0], asked)
        return *of, None
