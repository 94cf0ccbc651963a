"""`cpp/` from Python: the networks' layers and Adam on a CPU, at a multiple of the speed of torch's operators.

Shapes: B cells, V vertices, F inputs, H outputs, L layers with N weights, R rows, G decisions of C choices each, Z numbers
of a latent; S trials, in front of all of them, where they are stacked. Weights are float32.
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nadlab.compiler import library

SOURCE = Path(__file__).parent / "cpp" / "library.cpp"
WHOLE = 16
"""outputs that a layer must have a multiple of"""
_switched_off = False


class _Sizes(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int64)
        for name in ("trials", "cells", "vertices", "inputs", "width", "layers", "pooled", "threads")
    ]


class _LinearSizes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("trials", "rows", "inputs", "more", "outputs", "threads")]


class _LatentSizes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("trials", "cells", "vertices", "latent", "embedding", "threads")]


class _DecisionSizes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("trials", "cells", "decisions", "choices", "width", "threads")]


@contextmanager
def switched_off(off: bool = True) -> Iterator[None]:
    """Take torch's operators instead, as on a GPU; with False, the kernel."""
    global _switched_off
    before, _switched_off = _switched_off, off
    try:
        yield
    finally:
        _switched_off = before


def fits(numbers: Tensor, outputs: int = WHOLE, precision: torch.dtype = torch.float32) -> bool:
    """Return whether the kernel takes such numbers on this machine, and multiplies them in this type to so many outputs."""
    if _switched_off or numbers.device.type != "cpu" or outputs % WHOLE:
        return False
    kernel = library(SOURCE)
    return kernel is not None and _multiplies(kernel, precision)


@cache
def _multiplies(kernel: ctypes.CDLL, precision: torch.dtype) -> bool:
    # a processor may lack bfloat16
    return hasattr(kernel, f"layers_forward_{_name(precision)}")


def layers_forward(
    neighbours: Tensor, features: Tensor, weights: Tensor, width: int, pooled: bool, asked: Sequence[bool]
) -> tuple[Tensor, ...]:
    """Return the layers' output (`gin.last_layer`, `gin.mean_layers`) and what `layers_backward` reads of the way there.

    asked: whether gradients of the neighbours, the features and the weights will be asked for. Cells that no gradient
    reaches are discrete: few of their vertices differ in what they hear, and the first layer takes each once.
    """
    neighbours, features, weights = neighbours.contiguous(), features.contiguous(), weights.contiguous()
    layout = _layout(features.shape, weights.shape[-1], width, pooled, torch.get_num_threads())
    *leading, vertices, _ = features.shape
    _require(features.dtype, (neighbours, (*leading, vertices, vertices)))
    _require(torch.float32, (weights, (*leading[:-1], layout.numbers_of_the_weights)))
    if pooled:
        result = features.new_empty((*leading, layout.layers * width), dtype=torch.float32)
    else:
        result = features.new_empty((*leading, vertices, width))
    saved = [features.new_empty(layout.numbers_of_a_piece) for _ in range(layout.pieces if any(asked) else 0)]
    # AG's latents, which are not pooled, hardly agree
    discrete = pooled and not (asked[0] or asked[1])
    shared = features.new_empty(layout.bytes_of_the_shared if discrete else 0, dtype=torch.uint8)
    run = _function("layers_forward", features.dtype)
    run(layout.sizes, *_pointers(neighbours, features, weights, result), _array(saved), *_pointers(shared))
    return result, shared, *saved


def layers_backward(
    neighbours: Tensor,
    features: Tensor,
    weights: Tensor,
    saved: Sequence[Tensor],
    width: int,
    pooled: bool,
    gradient: Tensor,
    asked: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    """Return the gradients of the neighbours, the features and the weights, those that are asked for."""
    of_cells, gradient = (neighbours.contiguous(), features.contiguous(), weights.contiguous()), gradient.contiguous()
    by = [torch.empty_like(tensor) if wanted else None for tensor, wanted in zip(of_cells, asked, strict=True)]
    layout = _layout(features.shape, weights.shape[-1], width, pooled, torch.get_num_threads())
    shared, *pieces = saved
    if len(pieces) < layout.pieces or (len(shared) and (asked[0] or asked[1])):
        raise ValueError("the kernel was not told before that these gradients would be asked for")
    run = _function("layers_backward", features.dtype)
    run(layout.sizes, *_pointers(*of_cells), _array(pieces), *_pointers(shared, gradient, *by))
    return tuple(by)


def messages_shared(shared: Tensor, trials: int = 1) -> list[int]:
    """Return how many different messages of each trial the first layer took, 0 where it took all vertices, from what `layers_forward` returned."""
    return [int(kept[:8].view(torch.int64)) if len(kept) else 0 for kept in shared.view(trials, -1)]


def linear_forward(
    rows: Tensor,
    more: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    last: Tensor | None,
    last_bias: Tensor | None,
    precision: torch.dtype,
) -> tuple[Tensor, ...]:
    """Return [rows, more] weight^T + bias, multiplied in `precision`, float32 (R, H); with `last`, the scores (R,) of its ReLU, and that."""
    rows, weight, bias = rows.contiguous(), weight.contiguous(), bias.contiguous()
    more, last, last_bias = _contiguous(more), _contiguous(last), _contiguous(last_bias)
    *stacked, count, inputs = rows.shape
    outputs, others = weight.shape[-2], 0 if more is None else more.shape[-1]
    _require(torch.float32, (weight, (*stacked, outputs, inputs + others)), (bias, (*stacked, outputs)))
    if more is not None:
        _require(torch.float32, (more, (*stacked, count, others)))
    result = weight.new_empty((*stacked, count, outputs))
    scores = None
    if last is not None:
        assert last_bias is not None
        _require(torch.float32, (last, (*stacked, 1, outputs)), (last_bias, (*stacked, 1)))
        scores = weight.new_empty((*stacked, count))
    run = _function("linear_forward", precision, rows.dtype)
    sizes = _sizes(_LinearSizes, rows.shape, others, outputs)
    run(sizes, *_pointers(rows, more, weight, bias, last, last_bias, result, scores))
    return (result,) if scores is None else (scores, result)


def linear_backward(
    rows: Tensor,
    more: Tensor | None,
    weight: Tensor,
    last: Tensor | None,
    hidden: Tensor | None,
    precision: torch.dtype,
    gradient: Tensor,
    asked: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    """Return the gradients of all tensors that `linear_forward` takes: of rows, of more, and of the weights, where they are asked for.

    hidden: what it returned besides the scores, None where it returned none.
    """
    rows, weight, gradient = rows.contiguous(), weight.contiguous(), gradient.contiguous()
    more, last = _contiguous(more), _contiguous(last)
    by_rows = torch.empty_like(rows) if asked[0] else None
    by_more = torch.empty_like(more) if asked[1] and more is not None else None
    by_weights: list[Tensor | None] = [None] * 4
    if asked[2]:
        by_weights[:2] = torch.empty_like(weight), weight.new_empty(weight.shape[:-1])
        if last is not None:
            by_weights[2:] = torch.empty_like(last), last.new_empty(last.shape[:-1])
    run = _function("linear_backward", precision, rows.dtype)
    others = 0 if more is None else more.shape[-1]
    sizes = _sizes(_LinearSizes, rows.shape, others, weight.shape[-2])
    run(sizes, *_pointers(rows, more, weight, last, hidden, gradient, by_rows, by_more, *by_weights))
    return by_rows, by_more, *by_weights


def latents_forward(
    z_A: Tensor, z_X: Tensor, rank: Tensor, similarity: Tensor, precision: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what a GIN reads of latents (`latents.gin_input_of`), neighbours and features, and the weights of edges (B, V, V) above the diagonal."""
    z_A, z_X, rank, similarity = (t.contiguous() for t in (z_A, z_X, rank, similarity))
    *stacked, cells, vertices, latent = z_A.shape
    embedding = rank.shape[-1]
    _require(
        torch.float32,
        (z_A, z_A.shape),
        (z_X, z_A.shape),
        (rank, (*stacked, cells, embedding)),
        (similarity, (*stacked, latent, latent)),
    )
    edges = z_A.new_empty((*stacked, cells, vertices, vertices))
    neighbours = torch.empty_like(edges, dtype=precision)
    features = z_A.new_empty((*stacked, cells, vertices, latent + embedding + vertices), dtype=precision)
    arguments = _pointers(z_A, z_X, rank, similarity, neighbours, features, edges)
    sizes = _sizes(_LatentSizes, z_A.shape, embedding)
    _function("latents_forward", precision)(sizes, *arguments)
    return neighbours, features, edges


def latents_backward(
    z_A: Tensor, rank: Tensor, edges: Tensor, by_neighbours: Tensor, by_features: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the gradients of the rank and of the similarity from those of neighbours and features."""
    z_A, by_neighbours, by_features = z_A.contiguous(), by_neighbours.contiguous(), by_features.contiguous()
    _require(by_features.dtype, (by_neighbours, edges.shape))
    by_rank, by_similarity = rank.new_empty(rank.shape), z_A.new_empty((*z_A.shape[:-3], z_A.shape[-1], z_A.shape[-1]))
    arguments = _pointers(z_A, edges, by_neighbours, by_features, by_rank, by_similarity)
    sizes = _sizes(_LatentSizes, z_A.shape, rank.shape[-1])
    _function("latents_backward", by_features.dtype)(sizes, *arguments)
    return by_rank, by_similarity


def decide_forward(
    features: Tensor, given: Tensor, weights: Tensor, bias: Tensor, memory: Tensor, choosing: bool
) -> tuple[Tensor, Tensor]:
    """Return the result, and the softmax that it was made from, (B, G, C).

    choosing: `given` is the noise, the result the one-hot choices (`choices.choose`), both (B, G, C); otherwise `given`
    are one-hot choices, and the result the logarithms of their probabilities (`choices.log_likelihood`), (B,).
    """
    features, given, weights, bias, memory = (t.contiguous() for t in (features, given, weights, bias, memory))
    *stacked, cells, decisions, choices = given.shape
    width = weights.shape[-2]
    _require(
        torch.float32,
        (given, given.shape),
        (features, (*stacked, cells, width)),
        (weights, (*stacked, decisions, width, choices)),
        (bias, (*stacked, decisions, choices)),
        (memory, (*stacked, decisions, choices, width)),
    )
    result = torch.empty_like(given) if choosing else features.new_empty(features.shape[:-1])
    soft = torch.empty_like(given)
    noise, chosen, likelihoods = (given, result, None) if choosing else (None, given, result)
    arguments = _pointers(features, noise, weights, bias, memory, chosen, soft, likelihoods)
    _function("decide_forward")(_sizes(_DecisionSizes, given.shape, width), *arguments)
    return result, soft


def decide_backward(
    features: Tensor,
    weights: Tensor,
    memory: Tensor,
    chosen: Tensor,
    soft: Tensor,
    *,
    gradient: Tensor,
    choosing: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of features, weights, bias and memory from that of `decide_forward`'s result."""
    features, weights, memory, chosen, gradient = (
        t.contiguous() for t in (features, weights, memory, chosen, gradient)
    )
    by_chosen, by_likelihoods = (gradient, None) if choosing else (None, gradient)
    by_features, by_weights, by_memory = (torch.empty_like(tensor) for tensor in (features, weights, memory))
    by_bias = memory.new_empty(memory.shape[:-1])
    given = features, weights, memory, chosen, soft, by_chosen, by_likelihoods
    arguments = _pointers(*given, by_features, by_weights, by_bias, by_memory)
    sizes = _sizes(_DecisionSizes, chosen.shape, weights.shape[-2])
    _function("decide_backward")(sizes, *arguments)
    return by_features, by_weights, by_bias, by_memory


def adam_step(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    states: Sequence[dict[str, Tensor]],
    learning_rate: float,
    betas: tuple[float, float],
    epsilon: float,
) -> None:
    """Take a step of Adam in place; states are `torch.optim.Adam`'s."""
    sizes = (ctypes.c_int64 * len(parameters))(*(parameter.numel() for parameter in parameters))
    gradients = [gradient.contiguous() for gradient in gradients]
    moments = [[state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step")]
    arrays = [_array(tensors) for tensors in (parameters, gradients, *moments)]
    numbers = [ctypes.c_double(number) for number in (learning_rate, *betas, epsilon)]
    _function("adam_step")(ctypes.c_int64(len(parameters)), sizes, *arrays, *numbers)


@cache
def _function(name: str, *types: torch.dtype) -> Callable[..., int]:
    function: Callable[..., int] = getattr(library(SOURCE), "_".join([name, *map(_name, types)]))
    return function


class _Layout(NamedTuple):
    """What the kernel says of cells and weights of one shape; of what it writes, in numbers and bytes."""

    sizes: Any
    layers: int
    numbers_of_the_weights: int
    pieces: int
    numbers_of_a_piece: int
    bytes_of_the_shared: int


# shapes come again in every step, and asking takes as long as a small operator
@lru_cache(maxsize=1024)
def _layout(features: torch.Size, numbers: int, width: int, pooled: bool, threads: int) -> _Layout:
    """Return that of features (..., B, V, F) and weights (..., N)."""
    *stacked, cells, vertices, inputs = features
    # but for the first layer's, which has other inputs
    layers = 1 + (numbers - width * (inputs + width + 2)) // (2 * width * (width + 1))
    if layers < 1 or not vertices:
        raise ValueError(f"the kernel takes weights of a layer at least, and vertices, not {numbers} and {vertices}")
    sizes = ctypes.byref(_Sizes(_trials(stacked), cells, vertices, inputs, width, layers, pooled, threads))

    def asked(name: str) -> int:
        function: Any = getattr(library(SOURCE), name)
        function.restype = ctypes.c_int64
        return int(function(sizes))

    return _Layout(sizes, layers, *(asked(name) for name in _Layout._fields[2:]))


def _sizes(kind: type[ctypes.Structure], shape: torch.Size, *more: int) -> Any:
    """Return sizes by reference: the trials, the last axes of a shape, more of them, the threads."""
    return _sizes_for(kind, shape, *more, torch.get_num_threads())


@lru_cache(maxsize=1024)
def _sizes_for(kind: type[ctypes.Structure], shape: torch.Size, *more: int) -> Any:
    axes = len(kind._fields_) - 1 - len(more)
    return ctypes.byref(kind(_trials(shape[:-axes]), *shape[-axes:], *more))


def _trials(stacked: Sequence[int]) -> int:
    if len(stacked) > 1:
        raise ValueError(f"the kernel takes trials side by side along one axis, not {len(stacked)}")
    return stacked[0] if stacked else 1


def _require(dtype: torch.dtype, *expected: tuple[Tensor, Sequence[int]]) -> None:
    """Raise ValueError for what the kernel would read past the end, or as other numbers."""
    for tensor, shape in expected:
        if tensor.shape != torch.Size(shape) or tensor.dtype != dtype or tensor.device.type != "cpu":
            had = f"{tensor.dtype} {tuple(tensor.shape)} on {tensor.device}"
            raise ValueError(f"the kernel takes {dtype} {tuple(shape)} on the CPU here, not {had}")


def _name(precision: torch.dtype) -> str:
    return str(precision).removeprefix("torch.")


def _contiguous(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.contiguous()


def _pointers(*tensors: Tensor | None) -> list[ctypes.c_void_p]:
    return [ctypes.c_void_p(None if tensor is None else tensor.data_ptr()) for tensor in tensors]


def _array(tensors: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p] | None:
    """Return their addresses, None of no tensors."""
    return None if not tensors else (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))
