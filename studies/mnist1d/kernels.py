"""The forward and the backward pass of a tape, compiled, on one core.

A general framework spends most of its time on networks this small beside the arithmetic, and tens of thousands of them
are trained.
"""

import numpy as np
from numba import njit

from studies.mnist1d.tape import ADD, AVERAGE_POOL, BATCH_NORM, CONVOLUTION, DEPTHWISE, LANES, RELU

BLOCK = 10
"""Positions that a convolution treats at a time, so that its inputs stay in the nearest cache."""
EPSILON = np.float32(1e-5)
"""Added to the variance in batch normalisation."""
STATISTICS_RATE = np.float32(0.1)
"""How fast running statistics follow those of the batches."""


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
