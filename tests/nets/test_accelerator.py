"""The accelerator against torch's operators in double precision."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from nadlab.compiler import compiler, library
from nadlab.nets import accelerator
from nadlab.nets.gin import GIN
from nadlab.nets.graphs import GINInput, graphs_from_bytes, read

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler here")

SHAPES = [
    (75, 8, 15, 64, 4),
    (36, 8, 40, 64, 5),
    (33, 11, 23, 16, 3),
    (5, 7, 12, 96, 1),
    (1, 4, 9, 48, 2),
    (3, 20, 5, 32, 2),
    (2, 70, 16, 16, 2),
    (0, 5, 6, 16, 2),
]
"""cells, vertices, features, width, layers: full and partial tiles and vectors, odd and even numbers of vertices"""


@pytest.fixture(params=[1, 3], ids=["one thread", "three threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def network(features: int, width: int, layers: int, seed: int = 0) -> GIN:
    torch.manual_seed(seed)
    return GIN(features, width, layers)


def dense_cells(cells: int, vertices: int, features: int) -> GINInput:
    """Return cells of any real numbers, not even symmetric."""
    random = torch.Generator().manual_seed(cells)
    shapes = (cells, vertices, vertices), (cells, vertices, features)
    return GINInput(*(torch.randn(shape, generator=random) / vertices**0.5 for shape in shapes))


def discrete_cells(cells: int, vertices: int, operations: int, graphs: int = 3) -> GINInput:
    random = torch.Generator().manual_seed(cells)
    edges = (torch.rand((graphs, vertices, vertices), generator=random) > 0.5).byte().triu(1)
    labels = torch.randint(operations, (cells, vertices), generator=random)
    return read(graphs_from_bytes(edges[torch.randint(graphs, (cells,), generator=random)], labels, operations))


def results(gin: GIN, cells: GINInput, mean: bool, of_cells: bool = True) -> list[Tensor]:
    """Return a network's output and the gradients of its weights and, if `of_cells`, of aggregation and features."""
    cells = GINInput(*(part.clone().requires_grad_(of_cells) for part in cells))
    output = gin.layer_means(cells) if mean else gin(cells)
    weighting = torch.randn(output.shape, generator=torch.Generator().manual_seed(7))
    asked = [*gin.parameters(), *(cells if of_cells else ())]
    return [output, *torch.autograd.grad((output * weighting).sum(), asked)]


def exact(gin: GIN, cells: GINInput, mean: bool, of_cells: bool = True) -> list[Tensor]:
    return results(deepcopy(gin).double(), GINInput(*(part.double() for part in cells)), mean, of_cells)


def largest_error(ours: list[Tensor], others: list[Tensor]) -> float:
    pairs = zip(ours, others, strict=True)
    return max(float(((one - other).norm() / other.norm().clamp(min=1e-9)).item()) for one, other in pairs)


def messages_shared(gin: GIN, cells: GINInput) -> int:
    """Return how many messages the first layer took once, 0 where it took every vertex."""
    _, saved = accelerator.gin(*cells, gin.weights(), True, True, True)
    return int(saved[-1:].view(torch.int32))


def different_messages(cells: GINInput) -> int:
    return len(torch.unique((cells.aggregation @ cells.features).flatten(0, 1), dim=0))


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("mean", [False, True], ids=["last layer", "means of all layers"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_output_and_gradients_are_those_of_double_precision(shape: tuple[int, ...], mean: bool) -> None:
    gin, cells = network(*shape[2:]), dense_cells(*shape[:3])
    assert accelerator.fits(cells, gin.weights())
    assert largest_error(results(gin, cells, mean), exact(gin, cells, mean)) < 5e-6


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("vertices", "width", "layers"), [(8, 64, 4), (7, 96, 2), (11, 32, 3), (8, 32, 1)])
def test_discrete_cells_give_the_same_with_their_messages_shared(vertices: int, width: int, layers: int) -> None:
    gin, cells = network(2 + vertices, width, layers), discrete_cells(120, vertices, 2)
    assert (messages_shared(gin, cells) == different_messages(cells)) == (layers > 1)
    assert largest_error(results(gin, cells, True, False), exact(gin, cells, True, False)) < 5e-6


def test_every_vertex_is_taken_where_most_messages_differ() -> None:
    gin, cells = network(15, 32, 3), discrete_cells(60, 8, 7, graphs=60)
    assert different_messages(cells) > 240
    assert messages_shared(gin, cells) == 0
    assert largest_error(results(gin, cells, True, False), exact(gin, cells, True, False)) < 5e-6


def test_gradients_of_shared_cells_are_refused() -> None:
    gin, cells = network(12, 16, 2), discrete_cells(20, 8, 4)
    means, saved = accelerator.gin(*cells, gin.weights(), True, True, True)
    with pytest.raises(ValueError, match="share = False"):
        accelerator.gin_backward(torch.ones_like(means), *cells, gin.weights(), saved, True, True, True, False)


def operator_arguments(mean: bool, share: bool, trials: tuple[int, ...] = ()) -> tuple[Any, ...]:
    cells = discrete_cells(20, 4, 3) if share else dense_cells(3, 4, 5)
    weights = network(cells.features.shape[-1], 16, 2).weights()
    parts = [part.expand(*trials, *part.shape).clone().requires_grad_(not share) for part in cells]
    return (
        *parts,
        [each.detach().expand(*trials, *each.shape).clone().requires_grad_() for each in weights],
        mean,
        True,
        share,
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("trials", [(), (2,)])
def test_operator_keeps_the_rules_of_custom_operators(mean: bool, trials: tuple[int, ...]) -> None:
    torch.library.opcheck(torch.ops.nadlab.gin.default, operator_arguments(mean, False, trials))
    # of what is saved of shared messages a part is never written, which comparing two runs would fail on
    without_comparison = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(
        torch.ops.nadlab.gin.default, operator_arguments(True, True, trials), test_utils=without_comparison
    )


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("cells", [dense_cells(10, 7, 9), discrete_cells(40, 7, 2)], ids=["dense", "discrete"])
def test_stacked_networks_give_what_each_gives_alone(cells: GINInput) -> None:
    networks = [network(9, 32, 2, seed) for seed in range(3)]
    weights, buffers = stack_module_state(networks)
    discrete = cells.features.shape[0] == 40

    def means(own: Any, kept: Any, features: Tensor) -> Tensor:
        stacked: Tensor = functional_call(networks[0], (own, kept), (GINInput(cells.aggregation, features),))
        return stacked

    features = torch.stack([cells.features] * 3).requires_grad_(not discrete)
    together = vmap(means)(weights, buffers, features)
    by_stacked = torch.autograd.grad(together.square().sum(), list(weights.values()))
    for index, gin in enumerate(networks):
        alone = gin(cells)
        assert torch.equal(together[index], alone)
        own = torch.autograd.grad(alone.square().sum(), list(gin.parameters()))
        assert largest_error([each[index] for each in by_stacked], list(own)) < 1e-6


def test_shapes_that_do_not_fit_each_other_are_refused() -> None:
    cells, weights = dense_cells(3, 4, 5), network(5, 16, 2).weights()
    for aggregation, features, layers in (
        (cells.aggregation[:2], cells.features, weights),
        (cells.aggregation, cells.features[..., :4], weights),
        (cells.aggregation, cells.features, weights[:-1]),
    ):
        with pytest.raises(ValueError, match="do not fit"):
            accelerator.gin(aggregation, features, layers, True, True, False)


def test_nothing_is_saved_where_no_gradient_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bool] = []
    operator = accelerator.gin

    def noting(*arguments: Any) -> Any:
        kept.append(arguments[4])
        return operator(*arguments)

    monkeypatch.setattr(accelerator, "gin", noting)
    gin, cells = network(12, 16, 2), discrete_cells(20, 8, 4)
    with torch.inference_mode():
        silent = gin.layer_means(cells)
    assert torch.equal(silent, gin.layer_means(cells))
    assert kept == [False, True]


def test_what_is_not_a_number_stays_visible() -> None:
    gin, cells = network(15, 32, 2), dense_cells(20, 8, 15)
    cells.features[3, 2, 1] = float("nan")
    means = gin.layer_means(cells)
    assert means[3].isnan().any()
    assert not means[[*range(3), *range(4, 20)]].isnan().any()


@pytest.mark.parametrize(
    "changed",
    [lambda part: part.double(), lambda part: part.to("meta")],
    ids=["double precision", "another device"],
)
def test_other_types_and_devices_are_left_to_torch(changed: Callable[[Tensor], Tensor]) -> None:
    cells, weights = dense_cells(3, 4, 5), network(5, 16, 1).weights()
    assert accelerator.fits(cells, weights)
    assert not accelerator.fits(GINInput(*map(changed, cells)), [changed(weight) for weight in weights])
    assert not accelerator.fits(cells, network(5, 24, 1).weights())


def test_without_a_compiler_torch_computes_and_one_warning_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gin, cells = network(12, 16, 2), dense_cells(20, 8, 12)
    accelerated = results(gin, cells, True)
    library.cache_clear()
    monkeypatch.setenv("CXX", "/nowhere/c++")
    try:
        plain = [results(gin, cells, True) for _ in range(2)]
        assert not accelerator.fits(cells, gin.weights())
        assert [message for message in caplog.messages if "no C++ compiler" in message] == caplog.messages
        assert len(caplog.messages) == 1
    finally:
        library.cache_clear()
    assert largest_error(plain[0], accelerated) < 5e-6
