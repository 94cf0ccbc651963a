"""AG, PP and D: the dense GIN against torch-geometric's, discreteness, and the gradients that must get through."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import DenseGINConv, GINConv

from nadlab.semigan.generator import LATENT, Latents
from nadlab.semigan.joint import Networks, networks
from nadlab.semigan.networks import GIN, Graphs
from nadlab.semigan.ranks import RANKS, soft_rank
from nadlab.semigan.settings import Settings
from nadlab.spaces import Cells, space


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
    convolution.nn = nn.Sequential(gin.inner[layer], nn.ReLU(), gin.outer[layer], nn.ReLU())
    return convolution


@pytest.mark.parametrize("reference", ["GINConv", "DenseGINConv"])
def test_dense_gin_agrees_with_torch_geometric_to_1e_5(reference: str) -> None:
    _, graphs, _ = sampled("nasbench101")
    torch.manual_seed(0)
    gin = GIN(graphs.X.shape[2], 32, 3)
    ours = gin(graphs.X, graphs.A)
    hidden, both_ways = graphs.X, graphs.A + graphs.A.transpose(1, 2)
    batch, vertices, _ = hidden.shape
    owner, source, target = both_ways.nonzero().T
    edges = torch.stack([source, target]) + owner * vertices
    for layer in range(3):
        if reference == "DenseGINConv":
            hidden = with_weights(DenseGINConv(nn.Identity()), gin, layer)(hidden, both_ways)
        else:
            flat = hidden.reshape(batch * vertices, -1)
            hidden = with_weights(GINConv(nn.Identity()), gin, layer)(flat, edges).reshape(batch, vertices, -1)
        assert torch.allclose(ours[layer], hidden, atol=1e-5)


def test_bfloat16_products_stay_near_float32() -> None:
    _, graphs, _ = sampled("nasbench201")
    torch.manual_seed(0)
    exact = GIN(graphs.X.shape[2], 32, 4)
    rough = GIN(graphs.X.shape[2], 32, 4, torch.bfloat16)
    rough.load_state_dict(exact.state_dict())
    last, rounded = exact(graphs.X, graphs.A)[-1], rough(graphs.X, graphs.A)[-1].float()
    assert ((last - rounded).norm() / last.norm()).item() < 0.02


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201", "darts"])
def test_generated_cells_are_discrete_and_decisions_are_read_back(name: str) -> None:
    _, graphs, nets = sampled(name)
    made = nets.AG(*drawn(50, nets), nn.functional.one_hot(torch.arange(50) % RANKS, RANKS).float())
    assert set(made.A.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(made.X.sum(dim=2), torch.ones(50, made.X.shape[1]))
    decisions = nets.AG.decisions
    again = decisions.cells(decisions.of(graphs))
    assert torch.equal(again.A, graphs.A)
    assert torch.equal(again.X, graphs.X)


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
        most = labels[counts.argmax()]
        X = nn.functional.one_hot(most, made.X.shape[2]).float()[None]
        expected = nets.AG.log_likelihood(latents, rank_0, Graphs(made.A[:1], X)).exp().item()
    assert counts.max().item() / many == pytest.approx(expected, rel=0.1)


def test_adversarial_gradient_reaches_the_generator_through_its_discrete_cells() -> None:
    for name in ("nasbench101", "nasbench201"):
        _, _, nets = sampled(name)
        ranks = nn.functional.one_hot(torch.arange(40) % RANKS, RANKS).float()
        logits = nets.D(nets.AG(*drawn(40, nets), ranks), ranks)
        gradients = torch.autograd.grad(logits.mean(), list(nets.AG.parameters()))
        assert all(gradient.abs().max() > 0 for gradient in gradients)


def test_adversarial_gradient_reaches_the_predictor_through_the_rank() -> None:
    _, graphs, nets = sampled("nasbench201")
    ranks = soft_rank(nets.PP(graphs), torch.tensor([1.0, 0.0, -0.5, -1.0]), temperature=0.3)
    gradients = torch.autograd.grad(nets.D(graphs, ranks).mean(), list(nets.PP.parameters()))
    assert all(gradient.abs().max() > 0 for gradient in gradients)
