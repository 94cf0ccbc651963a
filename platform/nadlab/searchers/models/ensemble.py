"""Several multilayer perceptrons trained side by side, each on its own order of the same data (BANANAS's predictor).

Shapes: E members, N cells, B cells of a batch, F features.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor, nn

from nadlab.parameters.hyperparameters import at_least, between, positive, tunable
from nadlab.searchers.models.training import descend


@dataclass(frozen=True, slots=True)
class Perceptrons:
    """Settings of the members; the defaults are BANANAS's."""

    ensemble: int = field(default=5, metadata=tunable(1, 15))
    """perceptrons trained each round; published"""
    layers: int = field(default=10, metadata=tunable(1, 12))
    """hidden layers of each; published"""
    width: int = field(default=20, metadata=tunable(8, 64, log=True))
    """units of each layer; published"""
    epochs: int = field(default=150, metadata=tunable(20, 300, log=True))
    """epochs of training a round; published"""
    minibatch: int = 32
    """queried cells in a step of the optimizer; published"""
    learning_rate: float = field(default=0.01, metadata=tunable(1e-3, 0.1, log=True))
    """of Adam; published"""
    beta_1: float = 0.9
    """Adam's first decay rate; published"""
    beta_2: float = 0.99
    """Adam's second decay rate; published"""

    def __post_init__(self) -> None:
        at_least(1, self, "ensemble", "layers", "width", "epochs", "minibatch")
        positive(self, "learning_rate")
        between(0, 0.9999, self, "beta_1", "beta_2")

    def fit(self, features_NF: Tensor, targets_N: Tensor, generator: torch.Generator) -> "Ensemble":
        """Train a new ensemble on the mean absolute error."""
        ensemble = Ensemble(self, features_NF.shape[1], generator)
        # foreach: one call for all layers, which are tiny
        optimizer = torch.optim.Adam(
            ensemble.parameters(), self.learning_rate, (self.beta_1, self.beta_2), foreach=True
        )
        count = len(features_NF)
        for _ in range(self.epochs):
            orders = torch.stack([torch.randperm(count, generator=generator) for _ in range(self.ensemble)])
            for rows_EB in orders.split(self.minibatch, dim=1):
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
            drawn = torch.rand(settings.ensemble, inputs, outputs, generator=generator)
            self.weights.append(nn.Parameter(bound * (2 * drawn - 1)))
            self.biases.append(nn.Parameter(torch.zeros(settings.ensemble, 1, outputs)))

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
