"""What the functions of our own that autograd and vmap go through share."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor

Forward = TypeVar("Forward", bound=Callable[..., Any])


def with_signature(function: Forward) -> Forward:
    """Keep a function's signature with it: `Function.apply` asks for it each time, and finding it takes as long as a small operator."""
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
