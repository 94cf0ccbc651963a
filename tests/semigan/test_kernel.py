"""The kernel for CPUs against torch's operators in double precision."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from nadlab.compiler import library
from nadlab.semigan import kernel
from nadlab.semigan.biarch2perf import descend
from nadlab.semigan.choices import Layers, choose, log_likelihood
from nadlab.semigan.gin import GINInput, joined_weights, last_layer, mean_layers
from nadlab.semigan.latents import LATENT, Latents, gin_input_of
from nadlab.semigan.linear import linear, scored

pytestmark = pytest.mark.usefixtures("every_precision")

SHAPES = [
    (75, 8, 15, 64, 4),
    (36, 8, 40, 64, 5),
    (33, 11, 23, 16, 3),
    (5, 7, 12, 96, 1),
    (1, 4, 9, 48, 2),
    (3, 20, 5, 32, 2),
]
"""cells, vertices, inputs, width, layers: full and partial tiles and vectors, odd and even numbers of vertices"""
PRECISIONS = [torch.float32, torch.bfloat16]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


def cells_and_weights(shape: tuple[int, int, int, int, int], trials: tuple[int, ...] = ()) -> list[Tensor]:
    cells, vertices, inputs, width, layers = shape
    square = (drawn(*trials, cells, vertices, vertices) > 0.5).float().triu(1)
    arguments = [square + square.mT + torch.eye(vertices), drawn(*trials, cells, vertices, inputs).bfloat16().float()]
    for layer in range(layers):
        size = width if layer else inputs
        arguments += [drawn(*trials, width, size, seed=layer) / size**0.5, drawn(*trials, width, seed=layer) / 10]
        arguments += [drawn(*trials, width, width, seed=-layer) / width**0.5, drawn(*trials, width, seed=-layer) / 10]
    return arguments


def layers_of(pooled: bool) -> Callable[..., Tensor]:
    layers = mean_layers if pooled else last_layer

    def function(neighbours: Tensor, features: Tensor, *weights: Tensor) -> Tensor:
        return layers(GINInput(neighbours, features), joined_weights([weights]), weights[1].shape[-1])

    return function


def results(function: Callable[..., Tensor], arguments: Sequence[Tensor], in_kernel: bool) -> list[Tensor]:
    """Return a function's output and the gradients of its arguments."""
    own = [argument.clone().requires_grad_() for argument in arguments]
    with kernel.switched_off(not in_kernel):
        output = function(*own)
        weighting = drawn(*output.shape, seed=7).bfloat16().to(output.dtype)
        return [output, *torch.autograd.grad(output, own, weighting, allow_unused=True, materialize_grads=True)]


def errors(ours: Sequence[Tensor], exact: Sequence[Tensor]) -> list[float]:
    pairs = zip(ours, exact, strict=True)
    return [((one - other).norm() / other.norm().clamp(min=1e-9)).item() for one, other in pairs]


def allowed(torchs: Sequence[float], precision: torch.dtype) -> float:
    """Return the sum of errors that is no worse than torch's but by chance: where a rounded unit falls to the other side of zero."""
    return max(2.5 * sum(torchs), len(torchs) * (5e-7 if precision is torch.float32 else 0.005))


def needed(rows: Tensor, outputs: int, precision: torch.dtype) -> None:
    """Fail where torch's operators would be compared with themselves."""
    assert kernel.fits(rows, outputs, precision)


def doubled(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [tensor.double() for tensor in tensors]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("pooled", [False, True], ids=["last layer", "means of all layers"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_layers_and_gradients_are_as_near_the_exact_ones_as_torchs(
    shape: tuple[int, int, int, int, int], pooled: bool, precision: torch.dtype
) -> None:
    arguments = cells_and_weights(shape)
    exact = results(layers_of(pooled), doubled(arguments), in_kernel=False)
    arguments[:2] = [part.to(precision) for part in arguments[:2]]
    needed(arguments[1], shape[3], precision)
    ours, torchs = (errors(results(layers_of(pooled), arguments, mode), exact) for mode in (True, False))
    assert sum(ours) < allowed(torchs, precision), (ours, torchs)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("has_score", [False, True])
@pytest.mark.parametrize("more", [0, 5, 16])
@pytest.mark.parametrize(("rows", "inputs", "outputs"), [(100, 208, 64), (64, 64, 16), (7, 37, 48), (1, 1, 16)])
def test_linear_layers_and_gradients_are_as_near_the_exact_ones_as_torchs(
    rows: int, inputs: int, outputs: int, more: int, has_score: bool, precision: torch.dtype
) -> None:
    needed(drawn(rows), outputs, precision)
    fan_in = inputs + more
    arguments = [drawn(rows, size).bfloat16().float() for size in (inputs, more)]
    arguments += [drawn(outputs, fan_in) / fan_in**0.5, drawn(outputs)]
    arguments += [drawn(1, outputs) / outputs**0.5, drawn(1)] if has_score else []

    def layer(precision: torch.dtype) -> Callable[..., Tensor]:
        def function(rows: Tensor, others: Tensor, *weights: Tensor) -> Tensor:
            parts = (rows, others) if more else (rows,)
            return scored(parts, weights, precision) if has_score else linear(parts, weights[0], weights[1], precision)

        return function

    exact = results(layer(torch.float64), doubled(arguments), in_kernel=False)
    for type_of_rows in {torch.float32, precision}:
        arguments[0] = arguments[0].to(type_of_rows)
        ours, torchs = (errors(results(layer(precision), arguments, mode), exact) for mode in (True, False))
        assert sum(ours) < allowed(torchs, precision), (ours, torchs)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("cells", "vertices"), [(100, 8), (7, 11), (1, 20)])
def test_latents_are_read_as_exactly_as_torch_reads_them(cells: int, vertices: int, precision: torch.dtype) -> None:
    needed(drawn(cells), LATENT, precision)
    latents = [drawn(cells, vertices, LATENT), drawn(cells, vertices, LATENT, seed=1)]
    weightings = [drawn(cells, vertices, size).bfloat16() for size in (vertices, 2 * LATENT + vertices)]

    def outcome(precision: torch.dtype, own: torch.dtype, in_kernel: bool) -> list[Tensor]:
        rank, similarity = (drawn(count, LATENT).to(own).requires_grad_() for count in (cells, LATENT))
        with kernel.switched_off(not in_kernel):
            read = gin_input_of(Latents(*(z.to(own) for z in latents)), rank, similarity, precision)
            by = torch.autograd.grad(read, [rank, similarity], [each.to(precision) for each in weightings])
            return [*read, *by]

    exact = outcome(torch.float64, torch.float64, in_kernel=False)
    ours, torchs = (errors(outcome(precision, torch.float32, mode), exact) for mode in (True, False))
    assert sum(ours) < allowed(torchs, precision), (ours, torchs)


@pytest.mark.parametrize(
    ("cells", "decisions", "choices", "width"), [(100, 6, 7, 128), (37, 26, 6, 64), (1, 3, 2, 16), (50, 20, 17, 32)]
)
def test_choices_likelihoods_and_gradients_are_the_exact_ones(
    cells: int, decisions: int, choices: int, width: int
) -> None:
    arguments = [drawn(cells, width), drawn(decisions, width, choices) / width**0.5, drawn(decisions, choices)]
    arguments.append(drawn(decisions, choices, width) / decisions**0.5)
    noise = drawn(cells, decisions, choices)
    made = torch.nn.functional.one_hot(noise.argmax(dim=2), choices).float()
    functions: dict[str, Callable[..., Tensor]] = {
        "choose": lambda features, *layers: choose(features, noise.to(features.dtype), Layers(*layers)),
        "likelihood": lambda features, *layers: log_likelihood(features, made.to(features.dtype), Layers(*layers)),
    }
    for name, function in functions.items():
        exact = results(function, doubled(arguments), in_kernel=False)
        ours = results(function, arguments, in_kernel=True)
        assert max(errors(ours, exact)) < 1e-6, name
    assert set(results(functions["choose"], arguments, in_kernel=True)[0].unique().tolist()) == {0.0, 1.0}


def test_steps_of_adam_are_torchs() -> None:
    ends = []
    for in_kernel in (True, False):
        weights = [drawn(*shape).requires_grad_() for shape in ((64, 15), (64,), (5, 7), (1,))]
        optimizer = torch.optim.Adam(weights, betas=(0.5, 0.999), fused=True)
        with kernel.switched_off(not in_kernel):
            for step in range(20):
                # the gradient of a transposed use lies transposed in memory
                uses = [weight.movedim(0, -1) for weight in weights]
                loss = torch.stack([((use - drawn(*use.shape, seed=step)) ** 2).sum() for use in uses]).sum()
                descend(optimizer, loss, 0.01)
        ends.append([*weights, *(moment for weight in weights for moment in optimizer.state[weight].values())])
    assert max(errors(*ends)) < 1e-5


def test_threads_and_trials_side_by_side_change_nothing_but_the_order_of_sums(threads: Callable[[int], None]) -> None:
    shape = (50, 7, 12, 32, 3)
    together = cells_and_weights(shape, (4,))
    stacked = torch.vmap(layers_of(True))
    for count in (1, 3):
        threads(count)
        output = stacked(*together)
        for trial in range(4):
            alone = layers_of(True)(*(argument[trial] for argument in together))
            assert torch.equal(output[trial], alone), (count, trial)
    several = results(stacked, together, in_kernel=True)
    threads(1)
    assert max(errors(several, results(stacked, together, in_kernel=True))) < 1e-6


def test_threads_change_nothing_but_the_order_of_sums_of_a_whole_step(threads: Callable[[int], None]) -> None:
    latents = Latents(drawn(70, 8, 16), drawn(70, 8, 16, seed=1))
    chosen = torch.nn.functional.one_hot(drawn(70, 6, 4).argmax(dim=2), 4).float()
    weights = [drawn(70, 16), drawn(16, 16), drawn(32, 80) / 9, drawn(32), drawn(1, 32), drawn(1)]
    weights += [drawn(6, 64, 4), drawn(6, 4), drawn(6, 4, 64)]

    def whole(rank: Tensor, similarity: Tensor, *others: Tensor) -> Tensor:
        cells = gin_input_of(latents, rank, similarity, torch.float32)
        rows = cells.neighbours.flatten(1) + cells.features.sum(dim=1).repeat(1, 2)[:, :64]
        scores = scored([rows, rank], others[:4], torch.float32)
        return scores + log_likelihood(rows * scores[:, None], chosen, Layers(*others[4:]))

    outcomes = []
    for count in (1, 3):
        threads(count)
        outcomes.append(results(whole, weights, in_kernel=True))
    assert max(errors(*outcomes)) < 1e-5


def test_a_likelihood_that_gives_its_choices_no_gradient_leaves_them_without() -> None:
    features, layers = drawn(9, 16).requires_grad_(), Layers(drawn(2, 16, 3), drawn(2, 3), drawn(2, 3, 16))
    log_likelihood(features, choose(features, drawn(9, 2, 3), layers), layers).sum().backward()
    assert features.grad is not None
    assert features.grad.abs().max() > 0


def test_what_is_not_a_number_stays_visible() -> None:
    arguments = cells_and_weights((20, 8, 15, 32, 2))
    arguments[1][3, 2, 1] = float("nan")
    output = layers_of(True)(*arguments)
    assert output[3].isnan().all()
    assert not output[:3].isnan().any()
    assert not output[4:].isnan().any()


def test_tensors_may_lie_transposed_in_memory() -> None:
    arguments = cells_and_weights((50, 8, 15, 32, 2))
    turned = [argument.mT.contiguous().mT if argument.dim() > 1 else argument for argument in arguments]

    def whole(*arguments: Tensor) -> Tensor:
        # the gradient of a transposition lies transposed
        return layers_of(False)(*arguments).transpose(1, 2).contiguous()

    assert max(errors(results(whole, turned, True), results(whole, arguments, False))) < 1e-5


def test_layers_without_whole_vectors_and_tensors_elsewhere_are_left_to_torch() -> None:
    rows = drawn(3, 4)
    assert kernel.fits(rows, 32, torch.float32)
    assert not kernel.fits(rows, 24, torch.float32)
    assert not kernel.fits(rows, 32, torch.float64)
    assert not kernel.fits(rows.to("meta"), 32, torch.float32)
    with kernel.switched_off():
        assert not kernel.fits(rows, 32, torch.float32)


def test_shapes_and_types_that_do_not_fit_each_other_are_refused() -> None:
    neighbours, features, *weights = cells_and_weights((3, 4, 5, 16, 2))
    refused: list[Callable[[], object]] = [
        lambda: layers_of(True)(neighbours, drawn(3, 4, 9), *weights),
        lambda: layers_of(True)(neighbours[:1], features, *weights),
        lambda: layers_of(True)(neighbours.double(), features, *weights),
        lambda: layers_of(True)(neighbours, features, *doubled(weights)),
        lambda: layers_of(True)(neighbours, features, *weights[:-1]),
        lambda: mean_layers(GINInput(neighbours, drawn(3, 4, 16)), torch.empty(0), 16),
        lambda: linear([drawn(2, 20)], drawn(16, 15), drawn(16), torch.float32),
        lambda: linear([drawn(2, 3, 5)], drawn(16, 5), drawn(16), torch.float32),
        lambda: linear([drawn(2, 15), drawn(3, 5)], drawn(16, 20), drawn(16), torch.float32),
        lambda: scored([drawn(2, 5)], [drawn(16, 5), drawn(16), drawn(1, 15), drawn(1)], torch.float32),
        lambda: gin_input_of(Latents(drawn(2, 3, 16), drawn(2, 4, 16)), drawn(2, 5), drawn(16, 16), torch.float32),
        lambda: choose(drawn(1, 16), drawn(2, 3, 4), Layers(drawn(3, 16, 4), drawn(3, 4), drawn(3, 4, 16))),
        lambda: choose(drawn(2, 16), drawn(2, 3, 4), Layers(drawn(3, 16, 4), drawn(3, 4), drawn(3, 5, 16))),
    ]
    for call in refused:
        with pytest.raises(ValueError, match="the kernel takes"):
            call()


def test_one_weight_that_asks_for_its_gradient_gets_it() -> None:
    rows, weight, bias = drawn(4, 5), drawn(16, 5), drawn(16).requires_grad_()
    linear([rows], weight, bias, torch.float32).sum().backward()
    assert bias.grad is not None
    assert bias.grad.tolist() == [4.0] * 16
    arguments = cells_and_weights((3, 4, 5, 16, 2))
    arguments[-1].requires_grad_()
    layers_of(True)(*arguments).sum().backward()
    assert arguments[-1].grad is not None


def test_the_kernel_compiles_here() -> None:
    assert library(kernel.SOURCE) is not None
