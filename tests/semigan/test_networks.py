"""AG, PP and D: against the supplement written out, discreteness, and the gradients that must get through."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nadlab.nets.gin import GIN
from nadlab.nets.graphs import Graphs, read
from nadlab.nets.nade import gumbel
from nadlab.semigan.biarch2perf import untrained_networks
from nadlab.semigan.networks.generator import LATENT, Latents
from nadlab.semigan.networks.predictor import Predictor
from nadlab.semigan.ranks import RANKS, soft_rank
from nadlab.semigan.settings import Settings
from nadlab.semigan.step import Networks
from nadlab.spaces import Cells, space


def as_graphs(cells: Cells, operations: int) -> Graphs:
    labels = torch.from_numpy(np.ascontiguousarray(cells.operations)).long()
    adjacency = torch.from_numpy(np.ascontiguousarray(cells.adjacency)).float()
    return Graphs(adjacency, nn.functional.one_hot(labels, operations).float())


def sampled(name: str, count: int = 200) -> tuple[Cells, Graphs, Networks]:
    each = space(name)
    cells = each.canonical(each.sample(count, np.random.default_rng(0)))
    operations = len(each.operations)
    nets = untrained_networks([cells], operations, Settings(width=16), 0)
    return cells, as_graphs(cells, operations), nets


def drawn(count: int, nets: Networks, seed: int = 0) -> tuple[Latents, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    decisions = nets.AG.decisions
    z_A, z_X = (torch.randn((count, len(decisions.A), LATENT), generator=generator) for _ in range(2))
    return Latents(z_A, z_X), gumbel((count, *decisions.allowed.shape), generator)


def one_hot_ranks(count: int) -> Tensor:
    return nn.functional.one_hot(torch.arange(count) % RANKS, RANKS).float()


def linear(rows: Tensor, layer: Any) -> Tensor:
    result: Tensor = rows @ layer.weight.T + layer.bias
    return result


def vertex_means(gin: GIN, graphs: Graphs) -> Tensor:
    """Return each layer's h <- MLP((A + A^T + I) h), averaged over the vertices and joined."""
    vertices = graphs.A.shape[1]
    rows, means = torch.cat([graphs.X, torch.eye(vertices).expand(len(graphs.A), -1, -1)], dim=2), []
    layers: Any = gin.layers
    for layer in layers:
        aggregated = (graphs.A + graphs.A.mT + torch.eye(vertices)) @ rows
        rows = linear(linear(aggregated, layer.nn[0]).relu(), layer.nn[2]).relu()
        means.append(rows.mean(dim=1))
    return torch.cat(means, dim=1)


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201"])
def test_predictor_is_the_supplements_written_out(name: str) -> None:
    _, graphs, nets = sampled(name)
    assert isinstance(nets.PP, Predictor)
    assert len(nets.PP.gin.layers) == 4
    joined = vertex_means(nets.PP.gin, graphs)
    (first, _, last) = nets.PP.head
    scores = linear(linear(joined, first).relu(), last).squeeze(1)
    torch.testing.assert_close(nets.PP(read(graphs)), scores)


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201"])
def test_discriminator_is_the_supplements_written_out(name: str) -> None:
    _, graphs, nets = sampled(name)
    ranks = one_hot_ranks(len(graphs.A))
    assert len(nets.D.gin.layers) == 3
    joined = torch.cat([vertex_means(nets.D.gin, graphs), ranks @ nets.D.rank_embedding.weight.T], dim=1)
    (first, _, last) = nets.D.head
    logits = linear(linear(joined, first).relu(), last).squeeze(1)
    torch.testing.assert_close(nets.D(read(graphs), ranks), logits)


def test_generators_features_are_the_supplements_written_out() -> None:
    _, _, nets = sampled("nasbench101")
    AG, (latents, _), ranks = nets.AG, drawn(3, nets), one_hot_ranks(3)
    assert len(AG.gin.layers) == 5
    features = AG.features(latents, ranks)
    for cell, (z_A, z_X, rank_R) in enumerate(zip(*latents, ranks, strict=True)):
        rank = AG.rank_embedding.weight @ rank_R
        vertices = len(z_A)
        rows = torch.stack([torch.cat([z_X[v], rank, torch.eye(vertices)[v]]) for v in range(vertices)])
        soft = torch.eye(vertices)
        for source in range(vertices):
            for target in range(source + 1, vertices):
                alike = (AG.similarity.weight @ z_A[source]) @ z_A[target] / LATENT**0.5
                soft[source, target] = soft[target, source] = torch.sigmoid(alike) / vertices
        layers: Any = AG.gin.layers
        for layer in layers:
            rows = linear(linear(soft @ rows, layer.nn[0]).relu(), layer.nn[2]).relu()
        torch.testing.assert_close(features[cell], linear(torch.cat([rows.flatten(), rank]), AG.context))


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201", "darts"])
def test_generated_cells_are_discrete_and_decisions_are_read_back(name: str) -> None:
    _, graphs, nets = sampled(name)
    made = nets.AG(*drawn(50, nets), one_hot_ranks(50))
    assert set(made.A.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(made.X.sum(dim=2), torch.ones(50, made.X.shape[1]))
    decisions = nets.AG.decisions
    again = decisions.cells(decisions.of(graphs.A.byte(), graphs.X.argmax(dim=2).byte()))
    assert torch.equal(again.A, graphs.A)
    assert torch.equal(again.X, graphs.X)


def test_log_likelihood_is_the_logarithm_of_the_probability_with_which_cells_are_drawn() -> None:
    _, _, nets = sampled("nasbench201", 3)
    latents, _ = drawn(1, nets)
    rank_0 = nn.functional.one_hot(torch.zeros(1, dtype=torch.long), RANKS).float()
    many = 20_000
    _, noise = drawn(many, nets, seed=1)
    repeated = Latents(*(z.expand(many, -1, -1) for z in latents))
    with torch.inference_mode():
        made = nets.AG(repeated, noise, rank_0.expand(many, -1))
        labels, counts = made.X.argmax(dim=2).unique(dim=0, return_counts=True)
        chosen = nets.AG.decisions.of(made.A[:1].byte(), labels[counts.argmax()][None].byte())
        expected = nets.AG.log_likelihood(nets.AG.features(latents, rank_0), chosen).exp().item()
    assert counts.max().item() / many == pytest.approx(expected, rel=0.1)


def test_adversarial_gradient_reaches_the_generator_through_its_discrete_cells() -> None:
    for name in ("nasbench101", "nasbench201"):
        _, _, nets = sampled(name)
        ranks = one_hot_ranks(40)
        logits = nets.D(read(nets.AG(*drawn(40, nets), ranks)), ranks)
        gradients = torch.autograd.grad(logits.mean(), list(nets.AG.parameters()))
        assert all(gradient.abs().max() > 0 for gradient in gradients)


def test_adversarial_gradient_reaches_the_predictor_through_the_rank() -> None:
    _, graphs, nets = sampled("nasbench201")
    ranks = soft_rank(nets.PP(read(graphs)), torch.tensor([1.0, 0.0, -0.5, -1.0]), temperature=0.3)
    gradients = torch.autograd.grad(nets.D(read(graphs), ranks).mean(), list(nets.PP.parameters()))
    assert all(gradient.abs().max() > 0 for gradient in gradients)
