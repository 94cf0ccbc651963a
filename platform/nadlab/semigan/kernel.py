"""`kernel.cpp` from Python: linear layers and those of a GIN on a CPU, at a multiple of the speed of torch's operators.

Shapes: B cells, V vertices, F inputs, H outputs, L layers, R rows; S trials, in front of all of them, where they are stacked.
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from nadlab.compiled import library

SOURCE = Path(__file__).with_suffix(".cpp")
OF_A_LAYER = 4
"""weights of a GIN's layer: inner (H, F) and its bias (H,), outer (H, H) and its bias"""
WHOLE = 16
"""outputs that a layer must have a multiple of"""
_switched_off = False


class _Sizes(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int64)
        for name in ("trials", "cells", "vertices", "inputs", "width", "layers", "pooled", "threads")
    ]


class _LinearSizes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("trials", "rows", "inputs", "outputs", "rectified", "threads")]


@contextmanager
def switched_off() -> Iterator[None]:
    """Take torch's operators instead, as on a GPU."""
    global _switched_off
    before, _switched_off = _switched_off, True
    try:
        yield
    finally:
        _switched_off = before


def fits(rows: Tensor, outputs: int, precision: torch.dtype) -> bool:
    """Return whether the kernel multiplies such rows in this type, to so many outputs, on this machine."""
    if _switched_off or rows.device.type != "cpu" or outputs % WHOLE:
        return False
    kernel = library(SOURCE)
    # a processor may lack bfloat16
    return kernel is not None and hasattr(kernel, f"layers_forward_{_name(precision)}")


def layers_forward(
    neighbours: Tensor, features: Tensor, weights: Sequence[Tensor], pooled: bool
) -> tuple[Tensor, Tensor]:
    """Return the layers' output (`gin.last_layer`, `gin.mean_layers`) and what `layers_backward` reads of the way there."""
    neighbours, features, *weights = (tensor.contiguous() for tensor in (neighbours, features, *weights))
    sizes = _sizes(features, weights, pooled)
    *leading, vertices, _ = features.shape
    if pooled:
        result = features.new_empty((*leading, sizes.layers * sizes.width), dtype=torch.float32)
    else:
        result = features.new_empty((*leading, vertices, sizes.width))
    saved = features.new_empty(_numbers_to_save(sizes))
    run = _function("layers_forward", features.dtype)
    run(ctypes.byref(sizes), *_pointers(neighbours, features), _array(weights), *_pointers(result, saved))
    return result, saved


def layers_backward(
    neighbours: Tensor,
    features: Tensor,
    weights: Sequence[Tensor],
    saved: Sequence[Tensor],
    pooled: bool,
    gradient: Tensor,
    asked: Sequence[bool],
) -> tuple[Tensor | None, Tensor | None, list[Tensor]]:
    """Return the gradients of the neighbours, the features and the weights, those that are asked for."""
    neighbours, features, gradient, *weights = (t.contiguous() for t in (neighbours, features, gradient, *weights))
    sizes = _sizes(features, weights, pooled)
    by_neighbours, by_features = (
        torch.empty_like(tensor) if wanted else None
        for tensor, wanted in zip((neighbours, features), asked[:2], strict=True)
    )
    by_weights = [torch.empty_like(weight) for weight in weights] if asked[2] else []
    run = _function("layers_backward", features.dtype)
    run(
        ctypes.byref(sizes),
        *_pointers(neighbours, features),
        _array(weights),
        *_pointers(*saved, gradient, by_neighbours, by_features),
        _array(by_weights) if by_weights else None,
    )
    return by_neighbours, by_features, by_weights


def linear_forward(rows: Tensor, weight: Tensor, bias: Tensor, precision: torch.dtype, rectified: bool) -> Tensor:
    """Return rows weight^T + bias, multiplied in `precision`, or its ReLU, float32 (R, H)."""
    rows, weight, bias = rows.contiguous(), weight.contiguous(), bias.contiguous()
    result = weight.new_empty((*rows.shape[:-1], weight.shape[-2]))
    run = _function("linear_forward", precision, rows.dtype)
    run(ctypes.byref(_linear_sizes(rows, weight, rectified)), *_pointers(rows, weight, bias, result))
    return result


def linear_backward(
    rows: Tensor,
    weight: Tensor,
    result: Tensor,
    precision: torch.dtype,
    rectified: bool,
    gradient: Tensor,
    asked: Sequence[bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Return the gradients of rows, weight and bias: the first, and the others together, where they are asked for."""
    rows, weight, gradient = rows.contiguous(), weight.contiguous(), gradient.contiguous()
    by_rows = torch.empty_like(rows) if asked[0] else None
    by_weight, by_bias = (torch.empty_like(weight), weight.new_empty(weight.shape[:-1])) if asked[1] else (None, None)
    run = _function("linear_backward", precision, rows.dtype)
    sizes = _linear_sizes(rows, weight, rectified)
    run(ctypes.byref(sizes), *_pointers(rows, weight, result, gradient, by_rows, by_weight, by_bias))
    return by_rows, by_weight, by_bias


def _function(name: str, *types: torch.dtype) -> Callable[..., int]:
    function: Callable[..., int] = getattr(library(SOURCE), "_".join([name, *map(_name, types)]))
    return function


def _numbers_to_save(sizes: _Sizes) -> int:
    kernel = library(SOURCE)
    assert kernel
    kernel.numbers_to_save.restype = ctypes.c_int64
    return int(kernel.numbers_to_save(ctypes.byref(sizes)))


def _sizes(features: Tensor, weights: Sequence[Tensor], pooled: bool) -> _Sizes:
    *stacked, cells, vertices, inputs = features.shape
    width, layers = weights[0].shape[-2], len(weights) // OF_A_LAYER
    return _Sizes(_trials(stacked), cells, vertices, inputs, width, layers, pooled, torch.get_num_threads())


def _linear_sizes(rows: Tensor, weight: Tensor, rectified: bool) -> _LinearSizes:
    *stacked, count, inputs = rows.shape
    return _LinearSizes(_trials(stacked), count, inputs, weight.shape[-2], rectified, torch.get_num_threads())


def _trials(stacked: Sequence[int]) -> int:
    return stacked[0] if stacked else 1


def _name(precision: torch.dtype) -> str:
    return str(precision).removeprefix("torch.")


def _pointers(*tensors: Tensor | None) -> list[ctypes.c_void_p]:
    return [ctypes.c_void_p(None if tensor is None else tensor.data_ptr()) for tensor in tensors]


def _array(tensors: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))
