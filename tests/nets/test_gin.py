"""The GIN against matrices written out, and against torch-geometric's layer for edge lists."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.nn import GINConv

from nadlab.nets.gin import GIN
from nadlab.nets.graphs import GINInput, Graphs, gin_input, graphs_from_bytes, read


def some_graphs(count: int = 20, vertices: int = 5, operations: int = 4) -> Graphs:
    random = torch.Generator().manual_seed(0)
    adjacency = (torch.rand((count, vertices, vertices), generator=random) > 0.5).float().triu(1)
    labels = torch.randint(operations, (count, vertices), generator=random)
    return Graphs(adjacency, F.one_hot(labels, operations).float())


def network(features: int, width: int = 32, depth: int = 3) -> GIN:
    torch.manual_seed(0)
    return GIN(features, width, depth)


def layers_written_out(gin: GIN, cells: GINInput) -> list[Tensor]:
    """Return h <- ReLU(W_2 ReLU(W_1 (A + A^T + I) h + b_1) + b_2) of each layer."""
    outputs, (rest) = [cells.features], gin.weights()
    while rest:
        (inner, inner_bias, outer, outer_bias), rest = rest[:4], rest[4:]
        middle = (cells.aggregation @ outputs[-1] @ inner.T + inner_bias).relu()
        outputs.append((middle @ outer.T + outer_bias).relu())
    return outputs[1:]


def test_layers_are_those_of_the_equation() -> None:
    graphs = some_graphs()
    gin, cells = network(9), read(graphs)
    outputs = layers_written_out(gin, cells)
    torch.testing.assert_close(gin(cells), outputs[-1])
    torch.testing.assert_close(gin.layer_means(cells), torch.cat(outputs, dim=2).mean(dim=1))


def test_layers_are_those_of_torch_geometric_on_edges_both_ways() -> None:
    graphs = some_graphs()
    gin = network(graphs.X.shape[2])
    batch, vertices, _ = graphs.X.shape
    owner, source, target = (graphs.A + graphs.A.mT).nonzero().T
    edges = torch.stack([source, target]) + owner * vertices
    rows = graphs.X.flatten(0, 1)
    for layer in gin.layers:
        convolution = GINConv(nn.Identity())
        convolution.nn = layer.nn  # the constructor would draw new weights
        rows = convolution(rows, edges)
    torch.testing.assert_close(gin(gin_input(graphs.X, graphs.A)), rows.unflatten(0, (batch, vertices)))


def test_a_vertex_aggregates_itself_and_its_neighbours_on_both_sides() -> None:
    chain = torch.tensor([[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]])
    cells = gin_input(torch.ones(1, 3, 1), chain)
    assert cells.aggregation.tolist() == [[[1, 1, 0], [1, 1, 1], [0, 1, 1]]]


def test_cells_read_from_bytes_have_operation_and_position_as_features() -> None:
    labels = torch.arange(30, dtype=torch.uint8)[:, None].expand(-1, 11)
    edges = torch.ones(30, 11, 11, dtype=torch.uint8).triu(1)
    graphs = graphs_from_bytes(edges, labels, 30)
    cells = read(graphs)
    assert torch.equal(graphs.A, edges.float())
    assert torch.equal(cells.features[7, 3].nonzero().flatten(), torch.tensor([7, 30 + 3]))


def test_gradients_reach_adjacency_and_features() -> None:
    graphs = some_graphs()
    A, X = graphs.A.requires_grad_(), graphs.X.requires_grad_()
    gradients = torch.autograd.grad(network(9).layer_means(read(Graphs(A, X))).sum(), [A, X])
    assert all(gradient.abs().max() > 0 for gradient in gradients)
