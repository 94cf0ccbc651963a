"""How a network is trained: SGD with Nesterov momentum and a cosine to zero, without label smoothing, on one CPU core or GPU."""

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nadlab.benchmarks.training.data import Dataset, Part
from nadlab.errors import UserError
from nadlab.parameters.hyperparameters import between, positive

MEASURED = 1024
"""images of a batch when accuracies are measured"""


class TrainingDiverged(RuntimeError):  # noqa: N818 - it says what happened
    """The loss did not stay finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The settings of a training; the defaults are NAS-Bench-201's (Dong and Yang 2020, Table 1), used in every space."""

    epochs: int = 200
    batch: int = 256
    """images of a step; an epoch leaves out what does not fill one"""
    learning_rate: float = 0.1
    """the first step's, from which a cosine leads to 0 at the end"""
    momentum: float = 0.9
    weight_decay: float = 5e-4
    augment: bool = True
    """train on images mirrored at random, and moved by up to an eighth of their size"""
    compile: bool = False
    """by `torch.compile`, which takes a minute for a new network"""
    seed: int = 0
    """of initial weights, order and augmentation"""

    def __post_init__(self) -> None:
        positive(self, "epochs", "batch", "learning_rate", "momentum")
        between(0, 1, self, "momentum", "weight_decay")

    def check_batch(self, images: int) -> None:
        """Raise UserError where a batch is larger than a training part of so many images."""
        if self.batch > images:
            raise UserError(f"batch must be at most the {images} training images, not {self.batch}: set @batch=")


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training gave: accuracies in percent after the last epoch, and what it took."""

    valid: float
    test: float
    losses: tuple[float, ...]
    """mean cross-entropy of each epoch's batches"""
    seconds: float
    """by the clock, from the first step to the last; the measurement of accuracies is left out"""


def device() -> torch.device:
    """Return the GPU that this process may use, else its CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def train(network: nn.Module, data: Dataset, recipe: Recipe, place: torch.device | None = None) -> Trained:
    """Train a network that takes stored images (`networks.Normalised`), in place; equal arguments give equal weights on a CPU.

    A GPU computes in bfloat16 where it has it. Raises TrainingDiverged that names the epoch, and UserError where a batch is
    larger than the training part.
    """
    place = place or device()
    recipe.check_batch(len(data.train))
    network.to(place).train()
    step_of = torch.compile(network) if recipe.compile else network
    optimizer = torch.optim.SGD(
        network.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True,
        fused=True,
    )  # fmt: skip
    images, labels = _on(data.train, place)
    random = torch.Generator().manual_seed(recipe.seed)
    steps = len(images) // recipe.batch
    losses: list[float] = []
    started = time.perf_counter()
    for epoch in range(recipe.epochs):
        order = torch.randperm(len(images), generator=random)[: steps * recipe.batch].to(place)
        total = torch.zeros((), device=place)
        for step, rows in enumerate(order.split(recipe.batch)):
            batch = augmented(images[rows], random) if recipe.augment else images[rows]
            progress = (epoch * steps + step) / (recipe.epochs * steps)
            optimizer.param_groups[0]["lr"] = recipe.learning_rate * (1 + math.cos(math.pi * progress)) / 2
            optimizer.zero_grad()
            with mixed_precision(place):
                loss = F.cross_entropy(step_of(batch), labels[rows])
            loss.backward()
            optimizer.step()
            total += loss.detach()
        losses.append(float(total) / steps)
        if not math.isfinite(losses[-1]):
            raise TrainingDiverged(f"the loss is {losses[-1]} in epoch {epoch + 1} of {recipe.epochs}")
    seconds = time.perf_counter() - started
    return Trained(accuracy(network, data.valid, place), accuracy(network, data.test, place), tuple(losses), seconds)


def mixed_precision(place: torch.device) -> torch.autocast:
    """Return the context in which a GPU computes in bfloat16; a CPU, and a GPU without it, stays at float32."""
    return torch.autocast(place.type, torch.bfloat16, place.type == "cuda" and torch.cuda.is_bf16_supported(False))


def augmented(images: Tensor, random: torch.Generator) -> Tensor:
    """Return images (B, C, H, W), each mirrored or not and moved by up to an eighth of its size, at random; what comes in is zero."""
    count, channels, height, width = images.shape
    places = []
    for size in (height, width):
        moves = torch.randint(2 * (size // 8) + 1, (count, 1), generator=random)
        places.append((moves + torch.arange(size)).to(images.device))
    rows, columns = places
    mirrored = (torch.rand(count, 1, generator=random) < 0.5).to(images.device)
    columns = torch.where(mirrored, columns.flip(1), columns)
    padded = F.pad(images, (width // 8, width // 8, height // 8, height // 8))
    which = torch.arange(count, device=images.device).view(-1, 1, 1, 1)
    plane = torch.arange(channels, device=images.device).view(1, -1, 1, 1)
    return padded[which, plane, rows[:, None, :, None], columns[:, None, None, :]]


def accuracy(network: nn.Module, part: Part, place: torch.device) -> float:
    """Return the share of right classes in percent, by running statistics."""
    network.eval()
    images, labels = _on(part, place)
    with torch.inference_mode(), mixed_precision(place):
        right = sum(
            int((network(batch).argmax(1) == true).sum())
            for batch, true in zip(images.split(MEASURED), labels.split(MEASURED), strict=True)
        )
    return 100.0 * right / len(part)


def _on(part: Part, place: torch.device) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(part.images).to(place), torch.from_numpy(part.labels).to(place)
