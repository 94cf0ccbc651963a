"""Graph isomorphism networks (Xu et al. 2019) on the graph and its reverse, A + A^T; `normalised` ones are arch2vec's.

Shapes: B cells, V vertices, F features, H width, L layers.
"""

import torch
from torch import Tensor, nn

from nadlab.nets import accelerator
from nadlab.nets.graphs import GINInput


class GIN(nn.Module):
    """L layers h <- MLP((A + A^T + I) h), equation 4.1 of Xu et al. with epsilon = 0; an MLP is linear, ReLU, linear, ReLU.

    normalised: arch2vec's layers (`NormalisedLayer`), which in training read the statistics of their batch.
    """

    def __init__(self, features: int, width: int, depth: int, normalised: bool = False) -> None:
        from torch_geometric.nn import DenseGINConv  # late: two seconds, and what starts trials trains none

        super().__init__()
        sizes = [features, *[width] * (depth - 1)]
        self.layers = nn.ModuleList(
            NormalisedLayer(size, width) if normalised else DenseGINConv(mlp(size, width)) for size in sizes
        )

    def forward(self, cells: GINInput) -> Tensor:
        """Return the last layer's output, (B, V, H)."""
        weights = self.weights()
        if accelerator.fits(cells, weights):
            return accelerator.last_layer(cells, weights)
        return self._outputs(cells)[-1]

    def layer_means(self, cells: GINInput) -> Tensor:
        """Return the outputs of all layers, joined and averaged over the vertices, (B, L H)."""
        weights = self.weights()
        if accelerator.fits(cells, weights):
            return accelerator.layer_means(cells, weights)
        return torch.cat([rows.mean(dim=1) for rows in self._outputs(cells)], dim=1)

    def weights(self) -> list[Tensor]:
        """Return of each plain layer in turn the weight and bias of its first and of its second linear layer."""
        return list(self.layers.parameters())

    def _outputs(self, cells: GINInput) -> list[Tensor]:
        outputs: list[Tensor] = []
        for layer in self.layers:
            # the loop is in the aggregation matrix
            outputs.append(layer(outputs[-1] if outputs else cells.features, cells.aggregation, add_loop=False))
        return outputs


class NormalisedLayer(nn.Module):
    """A layer of arch2vec's encoder (its `models/model.py` and `gin/models/mlp.py`), h <- MLP((A + A^T + (1 + epsilon) I) h).

    Its MLP is linear, normalisation, ReLU, linear, normalisation, ReLU; epsilon is learnt from 0.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.epsilon = nn.Parameter(torch.zeros(1))
        self.inner, self.outer = nn.Linear(features, width), nn.Linear(width, width)
        self.inner_norm, self.outer_norm = nn.BatchNorm1d(width), nn.BatchNorm1d(width)

    def forward(self, rows: Tensor, aggregation: Tensor, add_loop: bool = False) -> Tensor:
        """Return the layer's output, (B, V, H); the loop of 1 is in the aggregation matrix."""
        rows = aggregation @ rows + (self.epsilon + add_loop) * rows
        for linear, norm in ((self.inner, self.inner_norm), (self.outer, self.outer_norm)):
            rows = norm(linear(rows).mT).relu().mT
        return rows


def mlp(features: int, width: int) -> nn.Sequential:
    """Return the MLP of one layer."""
    return nn.Sequential(nn.Linear(features, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
