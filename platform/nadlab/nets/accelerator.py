"""An optional accelerator for a GIN's layers on a CPU: `cpp/`, behind the operator `nadlab::gin`.

torch's operators send every result through memory, and matrices of eight rows and 64 columns are over before their calls
are. Here a tile of cells stays in a core's cache through all layers. The numbers are those of `DenseGINConv`, to
rounding. Without a compiler, on a GPU, in another type than float32, for a width that is not a multiple of 16 and for layers
with batch normalisation the layers are torch's own.

Shapes: B cells, V vertices, F features, H width, L layers; a pack's S trials in front of all of them.
"""

import ctypes
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nadlab.compiler import library
from nadlab.nets.graphs import GINInput

SOURCE = Path(__file__).parent / "cpp" / "library.cpp"
LANES = 16
"""of which F, filled up with zeros, and H are multiples"""


class _Stack(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int64)
        for name in ("cells", "vertices", "features", "width", "layers", "mean", "share", "threads")
    ]


def fits(cells: GINInput, weights: Sequence[Tensor]) -> bool:
    """Return whether the accelerator takes a GIN's layers: the only place where it is chosen."""
    return (
        cells.features.device.type == "cpu"
        and all(tensor.dtype == torch.float32 for tensor in (*cells, *weights))
        # of a layer with batch normalisation there is more than two linear layers
        and [weight.dim() for weight in weights] == [2, 1, 2, 1] * (len(weights) // 4)
        and accelerates(weights[0].shape[-2])
    )


def accelerates(width: int, normalised: bool = False) -> bool:
    """Return whether the accelerator takes the layers of a width on a CPU of this machine: never normalised ones."""
    return not normalised and width % LANES == 0 and library(SOURCE) is not None


def last_layer(cells: GINInput, weights: Sequence[Tensor]) -> Tensor:
    """Return what the last layer puts out, (B, V, H)."""
    rows: Tensor = gin(*cells, weights, False, torch.is_grad_enabled(), False)[0]
    return rows


def layer_means(cells: GINInput, weights: Sequence[Tensor]) -> Tensor:
    """Return what all layers put out, joined and averaged over the vertices, (B, L H)."""
    keep = torch.is_grad_enabled()
    means: Tensor = gin(*cells, weights, True, keep, keep and not _needs_gradient(*cells))[0]
    return means


def _needs_gradient(aggregation: Tensor, features: Tensor) -> bool:
    return aggregation.requires_grad or features.requires_grad


@torch.library.custom_op("nadlab::gin", mutates_args=())
def gin(
    aggregation: Tensor, features: Tensor, weights: Sequence[Tensor], mean: bool, keep: bool, share: bool
) -> tuple[Tensor, Tensor]:
    """Return the result and, with `keep`, what each layer's two ReLUs put out, for the backward pass, (2 L B V H + 1,).

    weights: of each layer the weight and bias of its first and of its second linear layer. share: no gradients of the cells
    will be asked for, which are probably discrete, so that few vertices differ in their first message (`cpp/shared.hpp`).
    Raises ValueError when shapes do not fit each other.
    """
    result, saved = _results(aggregation, features, weights, mean, keep, share)
    for one in _each_trial(features.dim() > 3, aggregation, features, result, saved, *weights):
        M, h, own_result, own_saved, first, *others = one
        h, first = _filled_up(h), _filled_up(first)
        cells = _pointers(M, h)
        results = _pointers(own_result, own_saved if keep else None)
        _function("gin_forward")(_stack(h, first, len(weights), mean, share), *cells, _array(first, *others), *results)
    return result, saved


@torch.library.custom_op("nadlab::gin_backward", mutates_args=())
def gin_backward(
    gradient: Tensor,
    aggregation: Tensor,
    features: Tensor,
    weights: Sequence[Tensor],
    saved: Tensor,
    mean: bool,
    share: bool,
    of_cells: bool,
    of_weights: bool,
) -> list[Tensor]:
    """Return the gradients of aggregation and features, if `of_cells`, then those of the weights, if `of_weights`.

    Raises ValueError when gradients of the cells are asked for that were shared.
    """
    if share and of_cells:
        raise ValueError("gradients of cells need share = False")
    asked = _gradients(aggregation, features, weights, of_cells, of_weights)
    count, inputs = len(weights), features.shape[-1]
    for one in _each_trial(features.dim() > 3, gradient, aggregation, features, saved, *weights, *asked):
        own_gradient, M, h, own_saved, first, *others = one[: 4 + count]
        by = one[4 + count :]
        h, first = _filled_up(h), _filled_up(first)
        by_M, by_h, by_weights = None, None, None
        if of_cells:
            by_M, by_h = by[0].zero_(), torch.empty_like(h)
        if of_weights:
            by_first = torch.empty_like(first)
            by_weights = _array(by_first, *by[-count + 1 :])
        given = *_pointers(M, h), _array(first, *others), *_pointers(own_saved, own_gradient)
        _function("gin_backward")(_stack(h, first, count, mean, share), *given, *_pointers(by_M, by_h), by_weights)
        if by_h is not None:
            by[1].copy_(by_h[..., :inputs])
        if by_weights is not None:
            by[-count].copy_(by_first[:, :inputs])
    return asked


@gin.register_fake
def _results(
    aggregation: Tensor, features: Tensor, weights: Sequence[Tensor], mean: bool, keep: bool, _share: bool
) -> tuple[Tensor, Tensor]:
    *trials, cells, vertices, inputs = features.shape
    layers, width = len(weights) // 4, weights[0].shape[-2]
    shapes = [(width, inputs), *[(width,), (width, width)] * (2 * layers - 1), (width,)]
    expected = [(*trials, *shape) for shape in ((cells, vertices, vertices), *shapes)]
    if [tuple(tensor.shape) for tensor in (aggregation, *weights)] != expected:
        raise ValueError(f"aggregation and weights do not fit features of shape {tuple(features.shape)}")
    result = features.new_empty((*trials, cells, *((layers * width,) if mean else (vertices, width))))
    saved = features.new_empty((*trials, 2 * layers * cells * vertices * width + 1 if keep else 0))
    return result, saved


def _gradients(
    aggregation: Tensor, features: Tensor, weights: Sequence[Tensor], of_cells: bool, of_weights: bool
) -> list[Tensor]:
    asked = [*((aggregation, features) if of_cells else ()), *(weights if of_weights else ())]
    return [tensor.new_empty(tensor.shape) for tensor in asked]


@gin_backward.register_fake
def _backward_results(_: Tensor, aggregation: Tensor, features: Tensor, *others: Any) -> list[Tensor]:
    weights, _saved, _mean, _share, *asked = others
    return _gradients(aggregation, features, weights, *asked)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    aggregation, features, weights, ctx.mean, _, ctx.share = inputs
    ctx.save_for_backward(aggregation, features, output[1], *weights)
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Any, ...]:
    aggregation, features, saved, *weights = ctx.saved_tensors
    of_cells, of_weights = any(ctx.needs_input_grad[:2]), any(ctx.needs_input_grad[2])
    by = gin_backward(gradient, aggregation, features, weights, saved, ctx.mean, ctx.share, of_cells, of_weights)
    by_cells = by[:2] if of_cells else (None, None)
    return *by_cells, by[-len(weights) :] if of_weights else [None] * len(weights), None, None, None


gin.register_autograd(_backward, setup_context=_setup_context)


@gin.register_vmap
def _vmap_forward(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Any, Any]:
    aggregation, features, *others, share = _stacked(info.batch_size, in_dims, arguments)
    # under vmap tensors don't show that they need a gradient
    return gin(aggregation, features, *others, share and not _needs_gradient(aggregation, features)), (0, 0)


def _stacked(trials: int, in_dims: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    """Return arguments with the trials' axis in front of every tensor."""

    def stacked(argument: Any, dim: Any) -> Any:
        if isinstance(argument, Tensor):
            return argument.expand(trials, *argument.shape) if dim is None else argument.movedim(dim, 0)
        if isinstance(argument, (list, tuple)):
            return [stacked(*pair) for pair in zip(argument, dim or [None] * len(argument), strict=True)]
        return argument

    return [stacked(*pair) for pair in zip(arguments, in_dims, strict=True)]


def _each_trial(stacked: bool, *tensors: Tensor) -> Iterable[Sequence[Tensor]]:
    contiguous = [tensor.contiguous() for tensor in tensors]
    return zip(*contiguous, strict=True) if stacked else [contiguous]


def _filled_up(rows: Tensor) -> Tensor:
    """Return rows with zeros behind each, up to a multiple of `LANES`."""
    missing = -rows.shape[-1] % LANES
    return F.pad(rows, (0, missing)) if missing else rows


def _stack(features: Tensor, first: Tensor, weights: int, mean: bool, share: bool) -> Any:
    cells, vertices, inputs = features.shape
    sizes = cells, vertices, inputs, len(first), weights // 4, mean, share, torch.get_num_threads()
    return ctypes.byref(_Stack(*sizes))


def _function(name: str) -> Any:
    return getattr(library(SOURCE), name)


def _pointers(*tensors: Tensor | None) -> list[ctypes.c_void_p]:
    return [ctypes.c_void_p(None if tensor is None else tensor.data_ptr()) for tensor in tensors]


def _array(*tensors: Tensor) -> Any:
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))
