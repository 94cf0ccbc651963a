"""What the functions of our own that autograd and vmap go through share."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

Forward = TypeVar("Forward", bound=Callable[..., Any])


def apply(function: type[torch.autograd.Function], *arguments: Any) -> tuple[Tensor, ...]:
    """Call a function that vmap knows; without vmap, past the binding of its arguments, which takes as long as it does for small cells."""
    called: Any = function if torch._C._are_functorch_transforms_active() else super(torch.autograd.Function, function)
    result: tuple[Tensor, ...] = called.apply(*arguments)
    return result


def with_signature(function: Forward) -> Forward:
    """Keep a function's signature with it: under vmap each call asks for it, and finding it takes as long as a small operator."""
    function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return function


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
