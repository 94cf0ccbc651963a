"""Small one-dimensional networks as tapes of instructions; `kernels.py` runs them, compiled, on one core.

A tape is a list of instructions in the order of the forward pass; each writes one signal that no other writes, and
the backward pass reads the list in reverse. A signal holds `channels` x `length` rows of LANES numbers, one number a
sample of the batch, so that every innermost loop runs over whole vector registers.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

LANES = 32
"""Samples of a batch."""

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Op(IntEnum):
    """Kinds of instruction; all compiled loops branch on these numbers."""

    RELU = 0
    CONVOLUTION = 1
    DEPTHWISE = 2
    BATCH_NORM = 3
    AVERAGE_POOL = 4
    MAX_POOL = 5
    ADD = 6


RELU, CONVOLUTION, DEPTHWISE, BATCH_NORM, AVERAGE_POOL, MAX_POOL, ADD = (int(op) for op in Op)


@dataclass(frozen=True, slots=True)
class Signal:
    """Where a signal lies: `channels` x `length` rows from `row` on."""

    row: int
    channels: int
    length: int

    @property
    def rows(self) -> int:
        """Rows that it takes."""
        return self.channels * self.length

    def first(self, channels: int) -> "Signal":
        """Return its first channels, in place."""
        return Signal(self.row, channels, self.length)

    def part(self, first: int, channels: int) -> "Signal":
        """Return `channels` of its channels from `first` on, in place."""
        return Signal(self.row + first * self.length, channels, self.length)


class Tape:
    """Records a network, layer by layer. `into` names a part of a signal that nothing else writes."""

    def __init__(self, length: int) -> None:
        self.rows = self.weights = self.statistics = 0
        self.instructions: list[tuple[int, ...]] = []
        self.initial: list[tuple[int, float, float]] = []
        self.input = self.signal(1, length)

    def signal(self, channels: int, length: int) -> Signal:
        """Return a new signal, zero until an instruction writes it."""
        self.rows += channels * length
        return Signal(self.rows - channels * length, channels, length)

    def relu(self, x: Signal, into: Signal | None = None) -> Signal:
        """max(x, 0)."""
        return self._record(RELU, x, into or self.signal(x.channels, x.length))

    def convolution(self, x: Signal, channels: int, kernel: int, stride: int = 1) -> Signal:
        """Dense convolution without bias, padded to keep the length at stride 1."""
        y = self.signal(channels, -(-x.length // stride))
        weights = self._parameters(x.channels * channels * kernel, bound=(x.channels * kernel) ** -0.5)
        return self._record(CONVOLUTION, x, y, kernel=kernel, stride=stride, weights=weights)

    def depthwise(self, x: Signal, kernel: int, stride: int = 1, dilation: int = 1) -> Signal:
        """Convolution of each channel by itself, without bias."""
        y = self.signal(x.channels, -(-x.length // stride))
        weights = self._parameters(x.channels * kernel, bound=kernel**-0.5)
        return self._record(DEPTHWISE, x, y, kernel=kernel, stride=stride, dilation=dilation, weights=weights)

    def batch_norm(self, x: Signal, into: Signal | None = None) -> Signal:
        """Batch normalisation with scale and shift, by running statistics outside training."""
        weights = self._parameters(x.channels, value=1.0)
        self._parameters(x.channels, value=0.0)
        self.statistics += 2 * x.channels
        y = into or self.signal(x.channels, x.length)
        return self._record(BATCH_NORM, x, y, weights=weights, statistics=self.statistics - 2 * x.channels)

    def average_pool(self, x: Signal, kernel: int = 3, stride: int = 1, into: Signal | None = None) -> Signal:
        """Mean of the neighbours that exist."""
        y = into or self.signal(x.channels, -(-x.length // stride))
        return self._record(AVERAGE_POOL, x, y, kernel=kernel, stride=stride)

    def max_pool(self, x: Signal, kernel: int = 3, stride: int = 1, into: Signal | None = None) -> Signal:
        """Greatest of the neighbours that exist."""
        y = into or self.signal(x.channels, -(-x.length // stride))
        return self._record(MAX_POOL, x, y, kernel=kernel, stride=stride)

    def add(self, a: Signal, b: Signal, into: Signal | None = None) -> Signal:
        """a + b."""
        return self._record(ADD, a, into or self.signal(a.channels, a.length), other=b.row)

    def table(self) -> Ints:
        """Return the instructions, (I, 13)."""
        return np.array(self.instructions, np.int64).reshape(-1, 13)

    def initial_weights(self, rng: np.random.Generator) -> Floats:
        """Draw weights uniformly within the reciprocal root of the fan-in; scales are 1 and shifts 0."""
        parts = [rng.uniform(-bound, bound, count) + value for count, bound, value in self.initial]
        return np.concatenate(parts).astype(np.float32)

    def initial_statistics(self) -> Floats:
        """Return running means of 0 and variances of 1, each norm's means before its variances."""
        norms = [instruction for instruction in self.instructions if instruction[0] == BATCH_NORM]
        return np.concatenate([np.repeat([0.0, 1.0], norm[3]) for norm in norms]).astype(np.float32)

    def _parameters(self, count: int, bound: float = 0.0, value: float = 0.0) -> int:
        self.initial.append((count, bound, value))
        self.weights += count
        return self.weights - count

    def _record(
        self,
        op: int,
        x: Signal,
        y: Signal,
        *,
        kernel: int = 1,
        stride: int = 1,
        dilation: int = 1,
        weights: int = 0,
        statistics: int = 0,
        other: int = 0,
    ) -> Signal:
        # a pool of two covers (2 l, 2 l + 1): an even kernel has no padding
        padding = dilation * (kernel - 1) // 2 if kernel % 2 else 0
        sizes = (x.channels, y.channels, x.length, y.length, kernel, stride, dilation, padding)
        self.instructions.append((op, x.row, y.row, *sizes, weights if op != ADD else other, statistics))
        return y
