"""`gin_kernel.cpp` from Python: the layers of `gin.py` on a CPU, at a multiple of the speed of torch's operators.

Shapes: B cells, V vertices, F inputs, H outputs, L layers; S trials, in front of all of them, where they are stacked.
"""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from nadlab.compiled import library

SOURCE = Path(__file__).with_suffix(".cpp")
WEIGHTS = 4
"""of a layer: inner (H, F) and its bias (H,), outer (H, H) and its bias"""
WHOLE = 16
"""outputs that a layer must have a multiple of"""
_switched_off = False


class _Sizes(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int64)
        for name in ("trials", "cells", "vertices", "inputs", "width", "layers", "pooled", "threads")
    ]


@contextmanager
def switched_off() -> Iterator[None]:
    """Take torch's operators instead, as on a GPU."""
    global _switched_off
    before, _switched_off = _switched_off, True
    try:
        yield
    finally:
        _switched_off = before


def fits(first: Tensor, weights: Sequence[Tensor]) -> bool:
    """Return whether the kernel takes layers of these weights over such messages on this machine."""
    if _switched_off or first.device.type != "cpu" or weights[0].shape[-2] % WHOLE:
        return False
    kernel = library(SOURCE)
    # a processor may lack bfloat16
    return kernel is not None and hasattr(kernel, f"forward_{_name(first)}")


def forward(neighbours: Tensor, first: Tensor, weights: Sequence[Tensor], pooled: bool) -> tuple[Tensor, Tensor]:
    """Return the layers' output (`gin.last_layer`, `gin.mean_layers`) and what `backward` reads of the way there."""
    neighbours, first, *weights = (tensor.contiguous() for tensor in (neighbours, first, *weights))
    sizes = _sizes(first, weights, pooled)
    *leading, vertices, _ = first.shape
    if pooled:
        result = first.new_empty((*leading, sizes.layers * sizes.width), dtype=torch.float32)
    else:
        result = first.new_empty((*leading, vertices, sizes.width))
    saved = first.new_empty(_kernel().numbers_to_save(ctypes.byref(sizes)))
    function = getattr(_kernel(), f"forward_{_name(first)}")
    function(ctypes.byref(sizes), *_pointers(neighbours, first), _array(weights), *_pointers(result, saved))
    return result, saved


def backward(
    neighbours: Tensor,
    first: Tensor,
    weights: Sequence[Tensor],
    saved: Tensor,
    pooled: bool,
    gradient: Tensor,
    asked: tuple[bool, bool, bool],
) -> tuple[Tensor | None, Tensor | None, list[Tensor] | None]:
    """Return the gradients of the neighbours, the first messages and the weights: those that are asked for."""
    neighbours, first, gradient, *weights = (t.contiguous() for t in (neighbours, first, gradient, *weights))
    sizes = _sizes(first, weights, pooled)
    by_neighbours, by_first = (
        torch.empty_like(tensor) if wanted else None
        for tensor, wanted in zip((neighbours, first), asked[:2], strict=True)
    )
    by_weights = [torch.empty_like(weight) for weight in weights] if asked[2] else None
    function = getattr(_kernel(), f"backward_{_name(first)}")
    function(
        ctypes.byref(sizes),
        *_pointers(neighbours, first),
        _array(weights),
        *_pointers(saved, gradient, by_neighbours, by_first),
        _array(by_weights) if by_weights else None,
    )
    return by_neighbours, by_first, by_weights


def _kernel() -> ctypes.CDLL:
    kernel = library(SOURCE)
    assert kernel
    kernel.numbers_to_save.restype = ctypes.c_int64
    return kernel


def _sizes(first: Tensor, weights: Sequence[Tensor], pooled: bool) -> _Sizes:
    *stacked, cells, vertices, inputs = first.shape
    trials = stacked[0] if stacked else 1
    width, layers = weights[0].shape[-2], len(weights) // WEIGHTS
    return _Sizes(trials, cells, vertices, inputs, width, layers, pooled, torch.get_num_threads())


def _name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _pointers(*tensors: Tensor | None) -> list[ctypes.c_void_p]:
    return [ctypes.c_void_p(None if tensor is None else tensor.data_ptr()) for tensor in tensors]


def _array(tensors: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))
