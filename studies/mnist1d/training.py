"""The embedded benchmarks' ground truth: how one cell is trained and measured."""

from dataclasses import dataclass, field

import numpy as np
from numba import njit

from nadlab.spaces import Cells
from studies.mnist1d.data import DIGITS, Dataset, Split, splits
from studies.mnist1d.kernels import backward, forward
from studies.mnist1d.networks import NETWORKS
from studies.mnist1d.tape import LANES, Floats, Signal, Tape


@dataclass(frozen=True, slots=True)
class Recipe:
    """How every cell of a table is trained; stored inside the table. A batch has LANES samples."""

    space: str
    channels: int = 4
    """width of the first stage; the second and third have twice and four times as many"""
    epochs: int = 10
    learning_rate: float = 0.05
    """peak of SGD's cosine schedule, with Nesterov momentum"""
    momentum: float = 0.9
    weight_decay: float = 5e-4
    dataset: Dataset = field(default_factory=Dataset)


@dataclass(frozen=True, slots=True)
class Accuracies:
    """Shares of right digits in percent, after the last epoch."""

    valid: float
    test: float


@dataclass(frozen=True, slots=True)
class Model:
    """A network's tape, its features before the mean over positions, its weights and running statistics.

    The linear layer's weights, (10, C + 1) with the biases last, stand behind the tape's own.
    """

    tape: Tape
    features: Signal
    weights: Floats
    statistics: Floats

    @property
    def place(self) -> tuple[int, int, int, int, int]:
        """Where the compiled loops find the input, the features and the linear layer."""
        f = self.features
        return self.tape.input.row, f.row, f.channels, f.length, self.tape.weights

    def signals(self) -> Floats:
        """Return room for every signal of the tape, zero."""
        return np.zeros(self.tape.rows * LANES, np.float32)


def initial_model(tape: Tape, features: Signal, rng: np.random.Generator) -> Model:
    """Draw the initial weights of a network."""
    bound = features.channels**-0.5
    head = rng.uniform(-bound, bound, DIGITS * (features.channels + 1)).astype(np.float32)
    weights = np.concatenate([tape.initial_weights(rng), head])
    return Model(tape, features, weights, tape.initial_statistics())


def train_cell(cell: Cells, recipe: Recipe, seed: int) -> Accuracies:
    """Train one cell from scratch on one core; equal arguments give equal accuracies on equal processors."""
    train, valid, test = splits(recipe.dataset)
    rng = np.random.default_rng(seed)
    model = initial_model(*NETWORKS[recipe.space](cell, recipe.channels), rng)
    steps = len(train.digits) // LANES
    turns = np.arange(recipe.epochs * steps) * (np.pi / (recipe.epochs * steps))
    rates = (recipe.learning_rate * (1 + np.cos(turns)) / 2).astype(np.float32)
    orders = np.concatenate([rng.permutation(len(train.digits))[: steps * LANES] for _ in range(recipe.epochs)])
    _train(
        model.tape.table(), model.place, model.signals(), model.weights, model.statistics, train.signals, train.digits,
        orders, rates, np.float32(recipe.momentum), np.float32(recipe.weight_decay),
    )  # fmt: skip
    return Accuracies(accuracy(model, valid), accuracy(model, test))


def accuracy(model: Model, split: Split) -> float:
    """Return the share of right digits in percent, by running statistics."""
    table, signals = model.tape.table(), model.signals()
    right: int = _right(table, model.place, signals, model.weights, model.statistics, split.signals, split.digits)
    return 100.0 * right / len(split.digits)


def gradient(model: Model, signals: Floats, digits: np.ndarray[tuple[int], np.dtype[np.int64]]) -> tuple[float, Floats]:
    """Return the mean cross-entropy of a batch of LANES samples and its gradient, shaped like the weights."""
    values = model.signals()
    total = np.zeros_like(model.weights)
    statistics = model.statistics.copy()
    loss = _step(
        model.tape.table(), model.place, values, np.zeros_like(values), model.weights, total, statistics,
        signals, digits, np.arange(LANES),
    )  # fmt: skip
    return float(loss), total


@njit(cache=True, fastmath=True, error_model="numpy")
def _train(  # type: ignore[no-untyped-def]
    table, place, values, weights, statistics, signals, digits, orders, rates, momentum, decay
):
    """Run SGD with Nesterov momentum over the batches that `orders` lists."""
    gradients = np.zeros_like(values)
    total, velocity = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(len(rates)):
        gradients[:] = 0
        total[:] = 0
        batch = orders[step * LANES : (step + 1) * LANES]
        _step(table, place, values, gradients, weights, total, statistics, signals, digits, batch)
        for i in range(len(weights)):
            slope = total[i] + decay * weights[i]
            velocity[i] = momentum * velocity[i] + slope
            weights[i] -= rates[step] * (slope + momentum * velocity[i])


@njit(cache=True, fastmath=True, error_model="numpy")
def _step(  # type: ignore[no-untyped-def]
    table, place, values, gradients, weights, total, statistics, signals, digits, batch
):
    """Return a batch's mean cross-entropy; add its gradient to `total`, where `gradients` starts at zero."""
    _, row, channels, length, head = place
    logits, means = _logits(table, place, values, weights, statistics, signals, batch, True)
    loss = np.float32(0)
    slopes = np.empty((DIGITS, LANES), np.float32)
    for lane in range(LANES):
        top = logits[0, lane]
        for d in range(1, DIGITS):
            top = max(top, logits[d, lane])
        norm = np.float32(0)
        for d in range(DIGITS):
            slopes[d, lane] = np.exp(logits[d, lane] - top)
            norm += slopes[d, lane]
        digit = digits[batch[lane]]
        loss += np.log(norm) + top - logits[digit, lane]
        for d in range(DIGITS):
            slopes[d, lane] = slopes[d, lane] / norm / np.float32(LANES)
        slopes[digit, lane] -= np.float32(1) / np.float32(LANES)
    for d in range(DIGITS):
        at = head + d * (channels + 1)
        for c in range(channels):
            for lane in range(LANES):
                total[at + c] += slopes[d, lane] * means[c, lane]
        for lane in range(LANES):
            total[at + channels] += slopes[d, lane]
    share = np.float32(1) / np.float32(length)
    for c in range(channels):
        for d in range(DIGITS):
            weight = weights[head + d * (channels + 1) + c] * share
            for p in range(length):
                here = gradients[(row + c * length + p) * LANES :][:LANES]
                for lane in range(LANES):
                    here[lane] += weight * slopes[d, lane]
    backward(table, values, gradients, weights, total)
    return loss / np.float32(LANES)


@njit(cache=True, fastmath=True, error_model="numpy")
def _logits(table, place, values, weights, statistics, signals, batch, training):  # type: ignore[no-untyped-def]
    """Return logits, (10, LANES), and the features' means over positions, (C, LANES)."""
    entry, row, channels, length, head = place
    for lane in range(LANES):
        for p in range(signals.shape[1]):
            values[(entry + p) * LANES + lane] = signals[batch[lane], p]
    forward(table, values, weights, statistics, training)
    means = np.zeros((channels, LANES), np.float32)
    for c in range(channels):
        for p in range(length):
            here = values[(row + c * length + p) * LANES :][:LANES]
            for lane in range(LANES):
                means[c, lane] += here[lane]
        for lane in range(LANES):
            means[c, lane] /= np.float32(length)
    logits = np.empty((DIGITS, LANES), np.float32)
    for d in range(DIGITS):
        at = head + d * (channels + 1)
        logits[d] = weights[at + channels]
        for c in range(channels):
            for lane in range(LANES):
                logits[d, lane] += weights[at + c] * means[c, lane]
    return logits, means


@njit(cache=True, fastmath=True, error_model="numpy")
def _right(table, place, values, weights, statistics, signals, digits):  # type: ignore[no-untyped-def]
    """Count the samples whose greatest logit is their digit's; the last batch is filled up with its first sample."""
    right = 0
    batch = np.empty(LANES, np.int64)
    for start in range(0, len(digits), LANES):
        for lane in range(LANES):
            batch[lane] = start + lane if start + lane < len(digits) else start
        logits, _ = _logits(table, place, values, weights, statistics, signals, batch, False)
        for lane in range(min(LANES, len(digits) - start)):
            right += np.argmax(logits[:, lane]) == digits[start + lane]
    return right
