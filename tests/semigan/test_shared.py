"""The kernel's first layer of discrete cells, which takes once what many vertices hear."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nadlab.semigan import kernel
from nadlab.semigan.gin import GINInput, joined_weights, mean_layers
from tests.semigan.test_kernel import PRECISIONS, allowed, drawn, errors, needed

pytestmark = pytest.mark.usefixtures("every_precision")

SHAPES = [
    (120, 8, 7, 64, 4),
    (50, 7, 5, 96, 2),
    (70, 7, 5, 48, 1),
    (40, 11, 3, 32, 3),
    (2000, 20, 3, 16, 2),
]
"""cells, vertices, operations, width, layers: vertices of whole and partial tiles, several tiles of different messages"""


def discrete(cells: int, vertices: int, operations: int, trials: tuple[int, ...] = (), graphs: int = 3) -> GINInput:
    """Return cells of a few graphs with operations at random."""
    random = torch.Generator().manual_seed(cells)
    square = (torch.rand((graphs, vertices, vertices), generator=random) > 0.5).float().triu(1)
    adjacency = square[torch.randint(graphs, (*trials, cells), generator=random)]
    chosen = torch.randint(operations, (*trials, cells, vertices), generator=random)
    positions = torch.eye(vertices).expand(*trials, cells, -1, -1)
    features = torch.cat([F.one_hot(chosen, operations).float(), positions], dim=-1)
    return GINInput(adjacency + adjacency.mT + torch.eye(vertices), features)


def weights_of(inputs: int, width: int, layers: int, trials: tuple[int, ...] = ()) -> Tensor:
    each = []
    for layer in range(layers):
        size = width if layer else inputs
        shapes = (width, size), (width,), (width, width), (width,)
        each.append([drawn(*trials, *shape, seed=layer) / shape[-1] ** 0.5 for shape in shapes])
    return joined_weights(each, len(trials))


def different(cells: GINInput) -> int:
    """Return how many different things vertices of a batch hear."""
    return len(torch.unique((cells.neighbours.float() @ cells.features.float()).flatten(0, 1), dim=0))


def shared(cells: GINInput, weights: Tensor, width: int, asked: tuple[bool, bool, bool] = (False, False, True)) -> int:
    """Return how many messages the kernel's first layer took, 0 where it took all vertices."""
    _, kept, *_ = kernel.layers_forward(*cells, weights, width, True, asked)
    return kernel.messages_shared(kept)[0]


def outcome(cells: GINInput, weights: Tensor, width: int, in_kernel: bool) -> list[Tensor]:
    """Return the means of the layers and the gradient of the weights."""
    own = weights.clone().requires_grad_()
    with kernel.switched_off(not in_kernel):
        means = mean_layers(cells, own, width)
        weighting = drawn(*means.shape, seed=7).bfloat16().to(means.dtype)
        return [means.detach(), *torch.autograd.grad(means, [own], weighting)]


def of_type(cells: GINInput, dtype: torch.dtype) -> GINInput:
    return GINInput(*(part.to(dtype) for part in cells))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_layers_and_gradients_are_as_near_the_exact_ones_as_torchs(
    shape: tuple[int, int, int, int, int], precision: torch.dtype
) -> None:
    count, vertices, operations, width, layers = shape
    cells, weights = discrete(count, vertices, operations), weights_of(operations + vertices, width, layers)
    needed(weights, width, precision)
    exact = outcome(of_type(cells, torch.float64), weights.double(), width, in_kernel=False)
    cells = of_type(cells, precision)
    ours, torchs = (errors(outcome(cells, weights, width, mode), exact) for mode in (True, False))
    assert sum(ours) < allowed(torchs, precision), (ours, torchs)


def test_each_message_is_taken_once() -> None:
    cells, weights = discrete(120, 8, 7, graphs=1), weights_of(15, 32, 3)
    assert shared(cells, weights, 32) == different(cells)


def test_all_vertices_are_taken_where_most_hear_different_things() -> None:
    cells = GINInput(discrete(60, 8, 7).neighbours, drawn(60, 8, 15))
    weights = weights_of(15, 32, 3)
    assert different(cells) > 480 * 3 / 4
    assert shared(cells, weights, 32) == 0
    exact = outcome(of_type(cells, torch.float64), weights.double(), 32, in_kernel=False)
    assert max(errors(outcome(cells, weights, 32, in_kernel=True), exact)) < 1e-6


def test_all_vertices_are_taken_where_gradients_of_the_cells_are_asked_for() -> None:
    cells, weights = discrete(120, 8, 7), weights_of(15, 32, 3)
    features = cells.features.clone().requires_grad_()
    with_features = GINInput(cells.neighbours, features)
    assert shared(with_features, weights, 32, (False, True, True)) == 0
    (by_features,) = torch.autograd.grad(mean_layers(with_features, weights, 32).sum(), [features])
    with kernel.switched_off():
        (torchs,) = torch.autograd.grad(mean_layers(with_features, weights, 32).sum(), [features])
    torch.testing.assert_close(by_features, torchs)


def test_threads_and_trials_side_by_side_change_nothing_but_the_order_of_sums(threads: Callable[[int], None]) -> None:
    cells, weights = discrete(150, 8, 7, (3,)), weights_of(15, 32, 3, (3,)).requires_grad_()
    stacked = torch.vmap(lambda cells, weights: mean_layers(GINInput(*cells), weights, 32))
    by_count = []
    for count in (1, 3):
        threads(count)
        means = stacked(cells, weights)
        (gradient,) = torch.autograd.grad(means.sum(), [weights])
        by_count.append(gradient)
        for trial in range(3):
            own = weights[trial].detach().requires_grad_()
            alone = mean_layers(GINInput(*(part[trial] for part in cells)), own, 32)
            assert torch.equal(means[trial], alone), (count, trial)
            (by_own,) = torch.autograd.grad(alone.sum(), [own])
            assert max(errors([gradient[trial]], [by_own])) < 1e-6
    assert max(errors(by_count[:1], by_count[1:])) < 1e-6


def test_trials_of_a_pack_share_as_a_trial_alone_does(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[bool]] = []
    found = kernel.layers_forward

    def noting(*given: Any) -> tuple[Tensor, ...]:
        asked.append(given[-1])
        return found(*given)

    monkeypatch.setattr(kernel, "layers_forward", noting)
    cells, weights = discrete(20, 8, 7, (3,)), weights_of(15, 32, 2, (3,)).requires_grad_()
    torch.vmap(lambda cells, weights: mean_layers(GINInput(*cells), weights, 32))(cells, weights)
    mean_layers(GINInput(*(part[0] for part in cells)), weights[0], 32)
    assert asked == [[False, False, True]] * 2


def test_nothing_is_kept_for_a_backward_pass_that_cannot_come() -> None:
    cells, weights = discrete(120, 8, 7), weights_of(15, 32, 3)
    nothing = kernel.layers_forward(*cells, weights, 32, True, (False, False, False))
    kept = kernel.layers_forward(*cells, weights, 32, True, (False, False, True))
    assert len(nothing) == 2
    assert len(kept) > 2
    assert torch.equal(nothing[0], kept[0])


def test_gradients_that_were_not_announced_are_refused() -> None:
    cells, weights = discrete(20, 8, 7), weights_of(15, 32, 2)
    for told, asked in (((False, False, True), (False, True, True)), ((False, False, False), (False, False, True))):
        means, *saved = kernel.layers_forward(*cells, weights, 32, True, told)
        with pytest.raises(ValueError, match="was not told before"):
            kernel.layers_backward(*cells, weights, saved, 32, True, torch.ones_like(means), asked)


def test_no_cells_have_no_means_and_a_gradient_of_zero() -> None:
    cells, weights = GINInput(torch.empty(0, 8, 8), torch.empty(0, 8, 15)), weights_of(15, 32, 3)
    means, by_weights = outcome(cells, weights, 32, in_kernel=True)
    assert means.shape == (0, 96)
    assert not by_weights.any()


def test_what_is_not_a_number_stays_visible() -> None:
    cells, weights = discrete(60, 8, 7), weights_of(15, 32, 3)
    cells.features[3, 2, 1] = float("nan")
    means = mean_layers(cells, weights, 32)
    assert means[3].isnan().all()
    assert not means[:3].isnan().any()
    assert not means[4:].isnan().any()
