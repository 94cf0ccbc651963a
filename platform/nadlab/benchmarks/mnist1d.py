"""The embedded benchmark's ground truth: one NAS-Bench-201 cell trained as a one-dimensional network on MNIST-1D.

MNIST-1D (Greydanus and Kobak 2024) is made offline by its own generator. The network follows NAS-Bench-201's
macro skeleton in one dimension: a stem, three stages of one cell with the channels doubling between them, a
global average and a linear layer.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nadlab.spaces.nasbench201 import EDGES


@dataclass(frozen=True, slots=True)
class Recipe:
    """How every cell of the table is trained; stored inside the table."""

    channels: int = 4
    """width of the first stage; the second and third have twice and four times as many"""
    epochs: int = 10
    checkpoints: tuple[int, ...] = (2, 5, 10)
    """epochs after which validation and test accuracy are measured"""
    batch_size: int = 200
    learning_rate: float = 0.1
    """peak of SGD's cosine schedule, Nesterov momentum 0.9"""
    weight_decay: float = 5e-4
    train_samples: int = 4_000
    valid_samples: int = 5_000
    test_samples: int = 5_000
    iid_noise: float = 0.02
    """standard deviation of MNIST-1D's white noise; its own default is 0.02"""
    correlated_noise: float = 0.3
    """MNIST-1D's correlated noise; its own default is 0.25"""
    data_seed: int = 42


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Accuracies in percent at the recipe's checkpoints."""

    valid: tuple[float, ...]
    test: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """Signals (samples, 1, 40) and digits (samples,)."""

    signals: Tensor
    digits: Tensor


@cache
def splits(recipe: Recipe) -> tuple[Split, Split, Split]:
    """Make the train, validation and test sets; equal for equal recipes."""
    from mnist1d.data import get_dataset_args, make_dataset

    args = get_dataset_args()
    args.num_samples = recipe.train_samples + recipe.valid_samples + recipe.test_samples
    args.iid_noise_scale, args.corr_noise_scale = recipe.iid_noise, recipe.correlated_noise
    args.train_split, args.seed = 1.0, recipe.data_seed
    made = make_dataset(args)
    signals = torch.from_numpy(made["x"]).float().unsqueeze(1)
    digits = torch.from_numpy(made["y"]).long()
    sizes = [recipe.train_samples, recipe.valid_samples, recipe.test_samples]
    train, valid, test = (
        Split(x, y) for x, y in zip(torch.split(signals, sizes), torch.split(digits, sizes), strict=True)
    )
    return train, valid, test


class CellStage(nn.Module):
    """One cell of `channels` channels; operations are indices into EDGE_OPERATIONS."""

    def __init__(self, operations: tuple[int, ...], channels: int) -> None:
        super().__init__()
        self.operations = operations
        self.edges = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(),
                nn.Conv1d(channels, channels, width, padding=width // 2, bias=False),
                nn.BatchNorm1d(channels),
            )
            if (width := {2: 1, 3: 3}.get(operation))
            else nn.Identity()
            for operation in operations
        )

    def forward(self, signal: Tensor) -> Tensor:
        nodes: list[Tensor | None] = [signal, None, None, None]
        for (source, target), operation, edge in zip(EDGES, self.operations, self.edges, strict=True):
            incoming = nodes[source]
            if operation == 0 or incoming is None:
                continue
            if operation == 4:
                value = F.avg_pool1d(incoming, 3, stride=1, padding=1, count_include_pad=False)
            else:
                value = edge(incoming)
            present = nodes[target]
            nodes[target] = value if present is None else present + value
        result = nodes[3]
        return torch.zeros_like(signal) if result is None else result


class Network(nn.Module):
    """Stem, three stages of one cell, global average, linear layer: (batch, 1, 40) -> (batch, 10) logits."""

    def __init__(self, operations: tuple[int, ...], channels: int) -> None:
        super().__init__()
        widths = (channels, 2 * channels, 4 * channels)
        layers: list[nn.Module] = [nn.Conv1d(1, channels, 3, padding=1, bias=False), nn.BatchNorm1d(channels)]
        for stage, width in enumerate(widths):
            if stage:
                layers += [
                    nn.ReLU(),
                    nn.Conv1d(width // 2, width, 3, stride=2, padding=1, bias=False),
                    nn.BatchNorm1d(width),
                ]
            layers.append(CellStage(operations, width))
        self.features = nn.Sequential(*layers, nn.BatchNorm1d(widths[-1]), nn.ReLU())
        self.classifier = nn.Linear(widths[-1], 10)

    def forward(self, signal: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(signal).mean(dim=2))
        return logits


def train_cell(operations: tuple[int, ...], recipe: Recipe, seed: int) -> LearningCurve:
    """Train one cell from scratch; equal arguments give equal curves on one machine and thread count."""
    train, valid, test = splits(recipe)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(operations, recipe.channels)
    steps = recipe.train_samples // recipe.batch_size
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=recipe.learning_rate,
        momentum=0.9,
        nesterov=True,
        weight_decay=recipe.weight_decay,
        foreach=True,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs * steps)
    curve: list[tuple[float, float]] = []
    for epoch in range(1, recipe.epochs + 1):
        network.train()
        order = torch.randperm(recipe.train_samples, generator=generator)
        for batch in order[: steps * recipe.batch_size].view(steps, recipe.batch_size):
            loss = F.cross_entropy(network(train.signals[batch]), train.digits[batch])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
        if epoch in recipe.checkpoints:
            curve.append((accuracy(network, valid), accuracy(network, test)))
    valid_curve, test_curve = zip(*curve, strict=True)
    return LearningCurve(valid_curve, test_curve)


@torch.inference_mode()
def accuracy(network: Network, split: Split) -> float:
    """Return the share of right digits in percent."""
    network.eval()
    right = sum(
        int((network(x).argmax(dim=1) == y).sum().item())
        for x, y in zip(torch.split(split.signals, 1_000), torch.split(split.digits, 1_000), strict=True)
    )
    return 100.0 * right / len(split.digits)
