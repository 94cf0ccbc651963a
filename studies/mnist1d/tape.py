"""Small one-dimensional networks as tapes of instructions, trained by compiled loops on one core.

A tape is a list of instructions in the order of the forward pass; each writes one signal that no other writes, and
the backward pass reads the list in reverse. A signal holds `channels` x `length` rows of LANES numbers, one number a
sample of the batch, so that every innermost loop runs over whole vector registers. A general framework spends most of
its time on networks this small beside the arithmetic, and tens of thousands of them are trained.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numba import njit
from numpy.typing import NDArray

LANES = 32
"""Samples of a batch."""
BLOCK = 10
"""Positions that a convolution treats at a time, so that its inputs stay in the nearest cache."""
EPSILON = np.float32(1e-5)
"""Added to the variance in batch normalisation."""
STATISTICS_RATE = np.float32(0.1)
"""How fast running statistics follow those of the batches."""

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


@njit(cache=True, fastmath=True, error_model="numpy")
def forward(table, values, weights, statistics, training):  # type: ignore[no-untyped-def]
    """Run the tape on `values`, (rows x LANES,); in training, update the running statistics."""
    for op, x_row, y_row, c_in, c_out, l_in, l_out, kernel, stride, dilation, padding, w, s in table:
        x, y = values[x_row * LANES :], values[y_row * LANES :]
        if op == RELU:
            for j in range(c_in * l_in * LANES):
                y[j] = max(x[j], np.float32(0))
        elif op == ADD:
            other = values[w * LANES :]
            for j in range(c_in * l_in * LANES):
                y[j] = x[j] + other[j]
        elif op == CONVOLUTION:
            y[: c_out * l_out * LANES] = 0
            for begin in range(0, l_out, BLOCK):
                for o in range(c_out):
                    for k in range(kernel):
                        first, start, runs, count = _taps(k, begin, BLOCK, l_in, l_out, stride, dilation, padding)
                        for run in range(runs):
                            yo = y[(o * l_out + first + run) * LANES :][:count]
                            xo = x[(start + run * stride) * LANES :]
                            _combine(yo, xo, l_in * LANES, weights[w + o * c_in * kernel + k :], kernel, c_in, count)
        elif op == DEPTHWISE:
            y[: c_out * l_out * LANES] = 0
            for c in range(c_in):
                for k in range(kernel):
                    first, start, runs, count = _taps(k, 0, l_out, l_in, l_out, stride, dilation, padding)
                    for run in range(runs):
                        yo = y[(c * l_out + first + run) * LANES :][:count]
                        xo = x[(c * l_in + start + run * stride) * LANES :]
                        _combine(yo, xo, 0, weights[w + c * kernel + k :], 0, 1, count)
        elif op == BATCH_NORM:
            size = l_in * LANES
            for c in range(c_in):
                xo, yo = x[c * size :][:size], y[c * size :][:size]
                if training:
                    mean, variance = _moments(xo, size)
                    unbiased = variance * np.float32(size / (size - 1))
                    statistics[s + c] += STATISTICS_RATE * (mean - statistics[s + c])
                    statistics[s + c_in + c] += STATISTICS_RATE * (unbiased - statistics[s + c_in + c])
                else:
                    mean, variance = statistics[s + c], statistics[s + c_in + c]
                scale = weights[w + c] / np.sqrt(variance + EPSILON)
                shift = weights[w + c_in + c] - mean * scale
                for j in range(size):
                    yo[j] = xo[j] * scale + shift
        else:
            for c in range(c_in):
                for here in range(l_out):
                    low, high = _window(here, l_in, kernel, stride, padding)
                    yo = y[(c * l_out + here) * LANES :][:LANES]
                    xo = x[(c * l_in + low) * LANES :]
                    for j in range(LANES):
                        yo[j] = xo[j]
                    for p in range(1, high - low):
                        xp = xo[p * LANES :][:LANES]
                        if op == AVERAGE_POOL:
                            for j in range(LANES):
                                yo[j] += xp[j]
                        else:
                            for j in range(LANES):
                                yo[j] = max(yo[j], xp[j])
                    if op == AVERAGE_POOL:
                        share = np.float32(1) / np.float32(high - low)
                        for j in range(LANES):
                            yo[j] *= share


@njit(cache=True, fastmath=True, error_model="numpy")
def backward(table, values, gradients, weights, weight_gradients):  # type: ignore[no-untyped-def]
    """Add to the gradients of every signal and weight, given those of the last signal and zero elsewhere."""
    rest = np.empty(LANES, np.float32)
    for i in range(len(table) - 1, -1, -1):
        op, x_row, y_row, c_in, c_out, l_in, l_out, kernel, stride, dilation, padding, w, _ = table[i]
        x, y = values[x_row * LANES :], values[y_row * LANES :]
        gx, gy = gradients[x_row * LANES :], gradients[y_row * LANES :]
        if op == RELU:
            for j in range(c_in * l_in * LANES):
                gx[j] += gy[j] if x[j] > 0 else np.float32(0)
        elif op == ADD:
            other = gradients[w * LANES :]
            for j in range(c_in * l_in * LANES):
                gx[j] += gy[j]
            for j in range(c_in * l_in * LANES):
                other[j] += gy[j]
        elif op == CONVOLUTION:
            for begin in range(0, l_out, BLOCK):
                for k in range(kernel):
                    first, start, runs, count = _taps(k, begin, BLOCK, l_in, l_out, stride, dilation, padding)
                    for run in range(runs):
                        yo, xo = gy[(first + run) * LANES :], x[(start + run * stride) * LANES :]
                        for c in range(c_in):
                            xg = gx[(c * l_in + start + run * stride) * LANES :][:count]
                            _combine(xg, yo, l_out * LANES, weights[w + c * kernel + k :], c_in * kernel, c_out, count)
                        for o in range(c_out):
                            sums = weight_gradients[w + o * c_in * kernel + k :]
                            _dots(sums, kernel, yo[o * l_out * LANES :][:count], xo, l_in * LANES, c_in, count)
        elif op == DEPTHWISE:
            for c in range(c_in):
                for k in range(kernel):
                    first, start, runs, count = _taps(k, 0, l_out, l_in, l_out, stride, dilation, padding)
                    own = w + c * kernel + k
                    for run in range(runs):
                        at = (c * l_in + start + run * stride) * LANES
                        yo = gy[(c * l_out + first + run) * LANES :][:count]
                        _combine(gx[at:][:count], yo, 0, weights[own:], 0, 1, count)
                        _dots(weight_gradients[own:], 0, yo, x[at:], 0, 1, count)
        elif op == BATCH_NORM:
            size = l_in * LANES
            for c in range(c_in):
                xo, yo, xg = x[c * size :][:size], gy[c * size :][:size], gx[c * size :][:size]
                mean, variance = _moments(xo, size)
                inverse = np.float32(1) / np.sqrt(variance + EPSILON)
                total, product = np.float32(0), np.float32(0)
                for j in range(size):
                    total += yo[j]
                    product += yo[j] * (xo[j] - mean)
                product *= inverse
                weight_gradients[w + c] += product
                weight_gradients[w + c_in + c] += total
                scale = weights[w + c] * inverse
                share, slope = total / size, product * inverse / size
                for j in range(size):
                    xg[j] += scale * (yo[j] - share - (xo[j] - mean) * slope)
        else:
            for c in range(c_in):
                for here in range(l_out):
                    low, high = _window(here, l_in, kernel, stride, padding)
                    yo, yg = y[(c * l_out + here) * LANES :][:LANES], gy[(c * l_out + here) * LANES :][:LANES]
                    share = np.float32(1) / np.float32(high - low)
                    for j in range(LANES):
                        rest[j] = yg[j]
                    for p in range(low, high):
                        xo, xg = x[(c * l_in + p) * LANES :][:LANES], gx[(c * l_in + p) * LANES :][:LANES]
                        if op == AVERAGE_POOL:
                            for j in range(LANES):
                                xg[j] += share * yg[j]
                        else:
                            # the first of equal ones takes it all
                            for j in range(LANES):
                                taken = rest[j] if xo[j] == yo[j] else np.float32(0)
                                xg[j] += taken
                                rest[j] -= taken


@njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def _taps(k, begin, size, l_in, l_out, stride, dilation, padding):  # type: ignore[no-untyped-def]
    """Return where tap k of a kernel meets the signal: the first of `size` outputs from `begin` on, and its input.

    At stride 1 they form one run of neighbouring numbers, else one run an output; count is a run's numbers.
    """
    shift = k * dilation - padding
    first = max(begin, -(shift // stride))
    last = max(first, min(begin + size, l_out, (l_in - 1 - shift) // stride + 1))
    runs, count = (1, (last - first) * LANES) if stride == 1 else (last - first, LANES)
    return first, first * stride + shift, runs, count


@njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def _window(here, l_in, kernel, stride, padding):  # type: ignore[no-untyped-def]
    """Return the first input that output `here` of a pool covers, and the one behind the last."""
    start = here * stride - padding
    return max(0, start), min(l_in, start + kernel)


@njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def _combine(y, x, apart, weights, step, terms, count):  # type: ignore[no-untyped-def]
    """y += sum of weights[i * step] times the numbers from x[i * apart] on; four terms at once spare stores."""
    whole = terms - terms % 4
    for i in range(0, whole, 4):
        w0, w1 = weights[i * step], weights[(i + 1) * step]
        w2, w3 = weights[(i + 2) * step], weights[(i + 3) * step]
        x0, x1 = x[i * apart :][:count], x[(i + 1) * apart :][:count]
        x2, x3 = x[(i + 2) * apart :][:count], x[(i + 3) * apart :][:count]
        for j in range(count):
            y[j] += w0 * x0[j] + w1 * x1[j] + w2 * x2[j] + w3 * x3[j]
    for i in range(whole, terms):
        w0, x0 = weights[i * step], x[i * apart :][:count]
        for j in range(count):
            y[j] += w0 * x0[j]


@njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def _dots(sums, step, y, x, apart, terms, count):  # type: ignore[no-untyped-def]
    """sums[i * step] += y times the numbers from x[i * apart] on; four sums at once spare loads."""
    whole = terms - terms % 4
    for i in range(0, whole, 4):
        x0, x1 = x[i * apart :][:count], x[(i + 1) * apart :][:count]
        x2, x3 = x[(i + 2) * apart :][:count], x[(i + 3) * apart :][:count]
        s0, s1, s2, s3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for j in range(count):
            s0 += y[j] * x0[j]
            s1 += y[j] * x1[j]
            s2 += y[j] * x2[j]
            s3 += y[j] * x3[j]
        sums[i * step] += s0
        sums[(i + 1) * step] += s1
        sums[(i + 2) * step] += s2
        sums[(i + 3) * step] += s3
    for i in range(whole, terms):
        x0 = x[i * apart :][:count]
        s0 = np.float32(0)
        for j in range(count):
            s0 += y[j] * x0[j]
        sums[i * step] += s0


@njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def _moments(x, size):  # type: ignore[no-untyped-def]
    mean = np.float32(0)
    for j in range(size):
        mean += x[j]
    mean /= size
    variance = np.float32(0)
    for j in range(size):
        variance += (x[j] - mean) * (x[j] - mean)
    return mean, variance / size
