"""DNGO (Snoek et al., ICML 2015): Bayesian linear regression on the last hidden layer of a neural network.

As arch2vec uses it (pybnn): three tanh layers, trained for 100 epochs of batches of 10 with Adam at 0.01 on
standardised inputs, the two precisions of the linear regression set by maximum marginal likelihood, the posterior's
mean and deviation as prediction. Choice: scikit-learn's `BayesianRidge` is that regression (with weak gamma priors of 1e-6
on the precisions), and the targets are standardised too.
"""

import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from nadlab.searchers.models.training import descend, seeded

Floats = NDArray[np.float64]


class DNGO:
    """A fitted model."""

    def __init__(
        self,
        features: NDArray[np.float32],
        y: Floats,
        random: torch.Generator,
        *,
        width: int = 128,
        epochs: int = 100,
        batch: int = 10,
        learning_rate: float = 0.01,
    ) -> None:
        # late: scikit-learn takes a second, in every process that imports the methods
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import BayesianRidge

        self.centre, self.scale = features.mean(axis=0), features.std(axis=0) + 1e-6
        self.mean, self.spread = float(y.mean()), float(y.std()) + 1e-6
        with seeded(random):
            layers = [nn.Linear(size, width) for size in (features.shape[1], width, width)]
            self.basis = nn.Sequential(*(part for layer in layers for part in (layer, nn.Tanh())))
            head = nn.Linear(width, 1)
        targets = torch.from_numpy((y - self.mean) / self.spread).float()
        inputs = self._inputs(features)
        parameters = [*self.basis.parameters(), *head.parameters()]
        optimizer = torch.optim.Adam(parameters, lr=learning_rate, fused=True)
        for _ in range(epochs):
            for rows in torch.randperm(len(y), generator=random).split(batch):
                descend(optimizer, ((head(self.basis(inputs[rows])).squeeze(1) - targets[rows]) ** 2).mean())
        self.regression = BayesianRidge()
        # small matrices: threads cost more than they save, and make results depend on the cores
        with threadpool_limits(1), warnings.catch_warnings():
            # the precisions are usable before they have settled to the library's tolerance
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.regression.fit(self._basis(features), targets.numpy().astype(np.float64))

    def predict(self, features: NDArray[np.float32]) -> tuple[Floats, Floats]:
        """Return mean and standard deviation, each (N,), in the targets' units."""
        with threadpool_limits(1):
            mean, deviation = self.regression.predict(self._basis(features), return_std=True)
        return mean * self.spread + self.mean, deviation * self.spread

    def _inputs(self, features: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy((features - self.centre) / self.scale)

    def _basis(self, features: NDArray[np.float32]) -> Floats:
        with torch.inference_mode():
            return np.asarray(self.basis(self._inputs(features)).numpy().astype(np.float64))
