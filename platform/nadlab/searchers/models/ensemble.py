"""Several multilayer perceptrons trained side by side, each on its own order of the same data (BANANAS's predictor).

Shapes: E members, N cells, B cells of a batch, F features.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from nadlab.searchers.models.training import descend


@dataclass(frozen=True, slots=True)
class Perceptrons:
    """Settings of the members; the defaults are BANANAS's."""

    members: int = 5
    layers: int = 10
    width: int = 20
    epochs: int = 150
    batch: int = 32
    learning_rate: float = 0.01

    def fit(self, features_NF: Tensor, targets_N: Tensor, generator: torch.Generator) -> "Ensemble":
        """Train a new ensemble on the mean absolute error."""
        ensemble = Ensemble(self, features_NF.shape[1], generator)
        # foreach: one call for all layers, which are tiny
        optimizer = torch.optim.Adam(ensemble.parameters(), self.learning_rate, (0.9, 0.99), foreach=True)
        count = len(features_NF)
        for _ in range(self.epochs):
            orders = torch.stack([torch.randperm(count, generator=generator) for _ in range(self.members)])
            for rows_EB in orders.split(self.batch, dim=1):
                descend(optimizer, (ensemble(features_NF[rows_EB]) - targets_N[rows_EB]).abs().mean(dim=1).sum())
        return ensemble


class Ensemble(nn.Module):
    """E perceptrons in one product a layer."""

    def __init__(self, settings: Perceptrons, features: int, generator: torch.Generator) -> None:
        super().__init__()
        sizes = [features, *[settings.width] * settings.layers, 1]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for inputs, outputs in pairwise(sizes):
            # Glorot's uniform law with zero biases, as in the Keras of the published code
            bound = (6 / (inputs + outputs)) ** 0.5
            drawn = torch.rand(settings.members, inputs, outputs, generator=generator)
            self.weights.append(nn.Parameter(bound * (2 * drawn - 1)))
            self.biases.append(nn.Parameter(torch.zeros(settings.members, 1, outputs)))

    def forward(self, features_EBF: Tensor) -> Tensor:
        """Return each member's predictions, (E, B)."""
        hidden = features_EBF
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = torch.baddbmm(bias, hidden if layer == 0 else hidden.relu(), weight)
        return hidden.squeeze(2)

    def predict(self, features_NF: Tensor) -> Tensor:
        """Return each member's predictions for the same cells, (E, N)."""
        with torch.inference_mode():
            predictions: Tensor = self(features_NF.expand(len(self.weights[0]), -1, -1))
        return predictions
