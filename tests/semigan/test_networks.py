"""AG, PP and D: the dense GIN against torch-geometric's, discreteness, and the gradients that must get through."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import DenseGINConv, GINConv

from nadlab.semigan import kernel
from nadlab.semigan.gin import GINInput, gin_input, joined_weights, last_layer, mean_layers
from nadlab.semigan.joint import Networks, networks
from nadlab.semigan.latents import LATENT, Latents
from nadlab.semigan.networks import GIN, Graphs, read, read_bytes, vertex_features
from nadlab.semigan.ranks import RANKS, soft_rank
from nadlab.semigan.settings import Settings
from nadlab.spaces import Cells, space
from perf.training.reference import mlp_of


def as_graphs(cells: Cells, operations: int) -> Graphs:
    labels = torch.from_numpy(np.ascontiguousarray(cells.operations)).long()
    adjacency = torch.from_numpy(np.ascontiguousarray(cells.adjacency)).float()
    return Graphs(adjacency, nn.functional.one_hot(labels, operations).float())


def sampled(name: str, count: int = 200) -> tuple[Cells, Graphs, Networks]:
    each = space(name)
    cells = each.canonical(each.sample(count, np.random.default_rng(0)))
    operations = len(each.operations)
    nets = networks([cells], operations, Settings(width=16), 0, torch.device("cpu"))
    return cells, as_graphs(cells, operations), nets


def drawn(count: int, nets: Networks, seed: int = 0) -> tuple[Latents, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    decisions = nets.AG.decisions
    z_A, z_X = (torch.randn((count, len(decisions.A), LATENT), generator=generator) for _ in range(2))
    uniform = torch.rand((count, *decisions.allowed.shape), generator=generator).clamp(1e-6, 1 - 1e-6)
    return Latents(z_A, z_X), uniform


def with_weights(convolution: nn.Module, gin: GIN, layer: int) -> nn.Module:
    # after construction, which would draw new weights
    convolution.nn = mlp_of(gin.layers()[layer])
    return convolution


@pytest.mark.parametrize("reference", ["GINConv", "DenseGINConv"])
def test_dense_gin_agrees_with_torch_geometric_to_1e_5(reference: str) -> None:
    _, graphs, _ = sampled("nasbench101")
    torch.manual_seed(0)
    gin = GIN(graphs.X.shape[2], 32, 3)
    cells = gin_input(graphs.X, graphs.A)
    hidden, both_ways = graphs.X, graphs.A + graphs.A.transpose(1, 2)
    batch, vertices, _ = hidden.shape
    owner, source, target = both_ways.nonzero().T
    edges = torch.stack([source, target]) + owner * vertices
    means = []
    for layer in range(3):
        if reference == "DenseGINConv":
            hidden = with_weights(DenseGINConv(nn.Identity()), gin, layer)(hidden, both_ways)
        else:
            flat = hidden.reshape(batch * vertices, -1)
            hidden = with_weights(GINConv(nn.Identity()), gin, layer)(flat, edges).reshape(batch, vertices, -1)
        means.append(hidden.mean(dim=1))
    assert torch.allclose(gin(cells), hidden, atol=1e-5)
    assert torch.allclose(mean_layers(cells, gin.weights, gin.width), torch.cat(means, dim=1), atol=1e-5)


@pytest.mark.parametrize("pooled", [False, True], ids=["last layer", "means of all layers"])
def test_gradients_of_the_layers_in_torch_are_those_of_autograd(pooled: bool) -> None:
    random = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    square = drawn(5, 4, 4)
    inputs = [square + square.mT, drawn(5, 4, 3)]
    weights = [drawn(*shape) for shape in ((16, 3), (16,), (16, 16), (16,), (16, 16), (16,), (16, 16), (16,))]
    arguments = [argument.requires_grad_() for argument in (*inputs, *weights)]

    def written_plainly(neighbours: Tensor, features: Tensor, *weights: Tensor) -> Tensor:
        outputs: list[Tensor] = []
        for start in (0, 4):
            heard = neighbours @ (outputs[-1] if outputs else features)
            inner, inner_bias, outer, outer_bias = weights[start : start + 4]
            middle = nn.functional.linear(heard, inner, inner_bias).relu()
            outputs.append(nn.functional.linear(middle, outer, outer_bias).relu())
        return torch.cat(outputs, dim=2).mean(dim=1) if pooled else outputs[-1]

    with kernel.switched_off():
        joined = joined_weights([arguments[2:]])
        ours = (mean_layers if pooled else last_layer)(GINInput(*arguments[:2]), joined, 16)
    plain = written_plainly(*arguments)
    weighting = torch.randn(plain.shape, generator=random)
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)
    pairs = [torch.autograd.grad((output * weighting).sum(), arguments) for output in (ours, plain)]
    for one, other in zip(*pairs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


def test_fixed_discriminator_gives_its_encoder_no_gradient_and_the_same_logits() -> None:
    _, graphs, nets = sampled("nasbench201")
    ranks = nn.functional.one_hot(torch.arange(len(graphs.A)) % RANKS, RANKS).float().requires_grad_()
    learning, fixed = (nets.D(read(graphs), ranks, fixed) for fixed in (False, True))
    assert torch.equal(learning, fixed)
    assert torch.autograd.grad(fixed.sum(), ranks)[0].abs().max() > 0
    weight = nets.D.encoder.gin.weights
    assert torch.autograd.grad(fixed.sum() + weight.sum() * 0, weight)[0].abs().max() == 0


def test_bfloat16_products_stay_near_float32() -> None:
    _, graphs, _ = sampled("nasbench201")
    torch.manual_seed(0)
    gin = GIN(graphs.X.shape[2], 32, 4)
    last = gin(gin_input(graphs.X, graphs.A))
    rounded = gin(gin_input(graphs.X, graphs.A, torch.bfloat16)).float()
    assert 0 < ((last - rounded).norm() / last.norm()).item() < 0.02


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201", "darts"])
def test_generated_cells_are_discrete_and_decisions_are_read_back(name: str) -> None:
    _, graphs, nets = sampled(name)
    made = nets.AG(*drawn(50, nets), nn.functional.one_hot(torch.arange(50) % RANKS, RANKS).float())
    assert set(made.A.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(made.X.sum(dim=2), torch.ones(50, made.X.shape[1]))
    decisions = nets.AG.decisions
    again = decisions.cells(decisions.of(graphs.A.byte(), graphs.X.argmax(dim=2).byte()))
    assert torch.equal(again.A, graphs.A)
    assert torch.equal(again.X, graphs.X)


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201", "darts"])
def test_cells_are_read_alike_from_bytes_from_choices_and_as_graphs(name: str) -> None:
    cells, graphs, nets = sampled(name)
    table = vertex_features(cells.operations.shape[1], graphs.X.shape[2])
    from_bytes = read_bytes(torch.from_numpy(cells.adjacency), torch.from_numpy(cells.operations), table)
    latents, uniform = drawn(50, nets)
    features = nets.AG.features(latents, nn.functional.one_hot(torch.arange(50) % RANKS, RANKS).float())
    with torch.no_grad():
        pairs = [
            (from_bytes, read(graphs)),
            (nets.AG.as_read(features, uniform), read(nets.AG.cells(features, uniform))),
        ]
    for ours, plain in pairs:
        assert torch.equal(ours.neighbours, plain.neighbours)
        assert torch.equal(ours.features, plain.features)


def test_bytes_of_many_operations_do_not_overflow() -> None:
    operations, vertices = 30, 11
    labels = torch.arange(operations, dtype=torch.uint8)[:, None].expand(-1, vertices)
    edges = torch.zeros(operations, vertices, vertices, dtype=torch.uint8)
    one_hot = nn.functional.one_hot(labels.long(), operations).float()
    ours = read_bytes(edges, labels, vertex_features(vertices, operations))
    assert torch.equal(ours.features, read(Graphs(edges.float(), one_hot)).features)


def test_log_likelihood_is_the_logarithm_of_the_probability_with_which_cells_are_drawn() -> None:
    _, _, nets = sampled("nasbench201", 3)
    latents, _ = drawn(1, nets)
    rank_0 = nn.functional.one_hot(torch.zeros(1, dtype=torch.long), RANKS).float()
    many = 20_000
    _, uniform = drawn(many, nets, seed=1)
    repeated = Latents(*(z.expand(many, -1, -1) for z in latents))
    with torch.inference_mode():
        made = nets.AG(repeated, uniform, rank_0.expand(many, -1))
        labels, counts = made.X.argmax(dim=2).unique(dim=0, return_counts=True)
        chosen = nets.AG.decisions.of(made.A[:1].byte(), labels[counts.argmax()][None].byte())
        expected = nets.AG.log_likelihood(nets.AG.features(latents, rank_0), chosen).exp().item()
    assert counts.max().item() / many == pytest.approx(expected, rel=0.1)


def test_adversarial_gradient_reaches_the_generator_through_its_discrete_cells() -> None:
    for name in ("nasbench101", "nasbench201"):
        _, _, nets = sampled(name)
        ranks = nn.functional.one_hot(torch.arange(40) % RANKS, RANKS).float()
        logits = nets.D(read(nets.AG(*drawn(40, nets), ranks)), ranks)
        gradients = torch.autograd.grad(logits.mean(), list(nets.AG.parameters()))
        assert all(gradient.abs().max() > 0 for gradient in gradients)


def test_adversarial_gradient_reaches_the_predictor_through_the_rank() -> None:
    _, graphs, nets = sampled("nasbench201")
    ranks = soft_rank(nets.PP(read(graphs)), torch.tensor([1.0, 0.0, -0.5, -1.0]), temperature=0.3)
    gradients = torch.autograd.grad(nets.D(read(graphs), ranks).mean(), list(nets.PP.parameters()))
    assert all(gradient.abs().max() > 0 for gradient in gradients)
