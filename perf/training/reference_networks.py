"""SemiGAN-NAD's networks as one would write them first: torch-geometric, a cell at a time (`reference.py` trains them)."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GINConv, global_mean_pool
from torch_geometric.utils import scatter

from nadlab.nets.gin import GIN
from nadlab.nets.graphs import Graphs
from nadlab.semigan.networks.discriminator import Discriminator
from nadlab.semigan.networks.generator import LATENT, Generator, Latents
from nadlab.semigan.networks.predictor import Predictor
from nadlab.spaces import Cells


def encode(adjacency: Sequence[Sequence[int]], operations: Sequence[int], operation_count: int) -> Data:
    """Return one cell as a graph with edges both ways; a vertex has its operation and its position, one-hot."""
    vertices = len(operations)
    features, edges = [], []
    for vertex, operation in enumerate(operations):
        row = [0.0] * (operation_count + vertices)
        row[operation] = row[operation_count + vertex] = 1.0
        features.append(row)
        for target in range(vertices):
            if adjacency[vertex][target]:
                edges += [(vertex, target), (target, vertex)]
    edge_index = torch.tensor(edges, dtype=torch.long).reshape(-1, 2).T.contiguous()
    return Data(x=torch.tensor(features), edge_index=edge_index)


class CellDataset(Dataset[Data]):
    """Cells, encoded when they are asked for."""

    def __init__(self, cells: Cells, operation_count: int) -> None:
        self.cells = cells
        self.operation_count = operation_count

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, index: int) -> Data:
        adjacency, operations = self.cells.adjacency[index].tolist(), self.cells.operations[index].tolist()
        return encode(adjacency, operations, self.operation_count)


def batch_of(A: Tensor, X: Tensor) -> Batch:
    """Return generated cells as weighted graphs, so that gradients reach A and X."""
    graphs = []
    vertices = A.shape[1]
    pairs = [(source, target) for source in range(vertices) for target in range(source + 1, vertices)]
    for adjacency, operations in zip(A, X, strict=True):
        edges = [*pairs, *((target, source) for source, target in pairs)]
        weights = torch.stack([adjacency[source, target] for source, target in pairs])
        features = torch.cat([operations, torch.eye(vertices)], dim=1)
        edge_index = torch.tensor(edges, dtype=torch.long).T.contiguous()
        graphs.append(Data(x=features, edge_index=edge_index, edge_weight=weights.repeat(2)))
    return Batch.from_data_list(graphs)


class WeightedGINConv(GINConv):
    """GINConv that takes weights of the edges, too."""

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """Return MLP(x + weighted sum of the neighbours)."""
        if edge_weight is None:
            plain: Tensor = super().forward(x, edge_index)
            return plain
        source, target = edge_index
        mixed: Tensor = self.nn(x + scatter(edge_weight[:, None] * x[source], target, dim_size=len(x), reduce="sum"))
        return mixed


class PlainGIN(nn.Module):
    """Layers with the MLPs of a `GIN`."""

    def __init__(self, gin: GIN) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList()
        for layer in gin.layers:
            convolution = WeightedGINConv(nn.Identity())
            convolution.nn = layer.nn  # the constructor would draw new weights
            self.convolutions.append(convolution)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None) -> list[Tensor]:
        """Return the outputs of all layers."""
        outputs = []
        for convolution in self.convolutions:
            x = convolution(x, edge_index, edge_weight)
            outputs.append(x)
        return outputs


class PlainEncoder(nn.Module):
    """Layers joined and averaged over the vertices."""

    def __init__(self, gin: GIN) -> None:
        super().__init__()
        self.gin = PlainGIN(gin)

    def forward(self, batch: Batch) -> Tensor:
        """Return one row a graph."""
        layers = self.gin(batch.x, batch.edge_index, batch.edge_weight)
        return torch.cat([global_mean_pool(layer, batch.batch) for layer in layers], dim=1)


class PlainPredictor(nn.Module):
    """PP."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.encoder, self.head = PlainEncoder(predictor.gin), predictor.head

    def forward(self, batch: Batch) -> Tensor:
        """Return scores."""
        scores: Tensor = self.head(self.encoder(batch)).squeeze(1)
        return scores


class PlainDiscriminator(nn.Module):
    """D."""

    def __init__(self, discriminator: Discriminator) -> None:
        super().__init__()
        self.encoder, self.head = PlainEncoder(discriminator.gin), discriminator.head
        self.rank_embedding = discriminator.rank_embedding

    def forward(self, batch: Batch, ranks: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.head(torch.cat([self.encoder(batch), self.rank_embedding(ranks)], dim=1)).squeeze(1)
        return logits


class PlainGenerator(Generator):
    """AG with copied weights, its GIN by torch-geometric and its choices one by one."""

    def __init__(self, generator: Generator, width: int, depth: int) -> None:
        super().__init__(generator.decisions, width, depth, generator.readings)
        self.load_state_dict(generator.state_dict())
        self.plain = PlainGIN(self.gin)
        del self.gin

    def features(self, latents: Latents, rank_BR: Tensor) -> Tensor:
        """Return what the decisions start from."""
        vertices = latents.z_A.shape[1]
        rank = self.rank_embedding(rank_BR)
        graphs = []
        for z_A, z_X, condition in zip(*latents, rank, strict=True):
            graph = torch.sigmoid(self.similarity(z_A) @ z_A.T / LATENT**0.5) / vertices
            edges = [(source, target) for source in range(vertices) for target in range(source + 1, vertices)]
            weights = torch.stack([graph[source, target] for source, target in edges]).repeat(2)
            both = [*edges, *((target, source) for source, target in edges)]
            x = torch.cat([z_X, condition.expand(vertices, -1), torch.eye(vertices)], dim=1)
            graphs.append(Data(x=x, edge_index=torch.tensor(both).T.contiguous(), edge_weight=weights))
        batch = Batch.from_data_list(graphs)
        last = self.plain(batch.x, batch.edge_index, batch.edge_weight)[-1]
        extracted: Tensor = self.context(torch.cat([last.reshape(len(rank), -1), rank], dim=1))
        return extracted

    def cells(self, features: Tensor, noise_BGC: Tensor) -> Graphs:
        """Return discrete cells."""
        state, chosen = features, []
        for place, (weights, bias, memory) in enumerate(self.decision_layers()):
            soft = F.softmax(F.relu(state) @ weights + bias + noise_BGC[:, place], dim=1)
            hard = F.one_hot(soft.argmax(dim=1), soft.shape[1]).float()
            chosen.append(hard + (soft - soft.detach()))
            state = state + chosen[-1] @ memory
        return self.decisions.cells(torch.stack(chosen, dim=1))

    def log_likelihood(self, features: Tensor, chosen_BGC: Tensor) -> Tensor:
        """Return log p of each cell."""
        state, total = features, torch.zeros(len(features))
        for place, (weights, bias, memory) in enumerate(self.decision_layers()):
            logits = F.relu(state) @ weights + bias
            total = total + (F.log_softmax(logits, dim=1) * chosen_BGC[:, place]).sum(dim=1)
            state = state + chosen_BGC[:, place] @ memory
        return total

    def decision_layers(self) -> Iterable[tuple[Tensor, Tensor, Tensor]]:
        """Return weights, bias and memory of each decision."""
        bias = torch.where(self.decisions.allowed, self.nade.bias, -1e4)
        return zip(self.nade.choice, bias, self.nade.memory, strict=True)
