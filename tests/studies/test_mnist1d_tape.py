"""The compiled networks do what PyTorch's layers do, in every space."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nadlab.benchmarks.training.networks.nasbench101 import vertex_channels
from nadlab.spaces import Cells, space
from studies.mnist1d.networks import NETWORKS
from studies.mnist1d.tape import LANES, Floats, Op, Signal, Tape
from studies.mnist1d.training import Model, accuracy, gradient, initial_model

CELLS = [(name, number) for name in NETWORKS for number in range(4)]


def model(name: str, cell: Cells, seed: int = 0) -> Model:
    return initial_model(*NETWORKS[name](cell, 8), np.random.default_rng(seed))


def run(built: Model, weights: Tensor, signals: Tensor, statistics: Tensor | None) -> Tensor:
    """Return the logits by PyTorch's own layers, in training when there are no statistics."""
    rows: dict[int, Tensor] = {}

    def read(signal: Signal) -> Tensor:
        silent = torch.zeros(len(signals), signal.length, dtype=weights.dtype)
        starts = range(signal.row, signal.row + signal.rows, signal.length)
        return torch.stack([rows.get(row, silent) for row in starts], dim=1)

    def write(row: int, y: Tensor) -> None:
        rows.update({row + c * y.shape[2]: y[:, c] for c in range(y.shape[1])})

    write(built.tape.input.row, signals[:, None])
    for op, x_row, y_row, c_in, c_out, l_in, l_out, kernel, stride, dilation, padding, w, s in built.tape.instructions:
        x = read(Signal(x_row, c_in, l_in))
        if op == Op.RELU:
            y = x.relu()
        elif op == Op.ADD:
            y = x + read(Signal(w, c_in, l_in))
        elif op == Op.CONVOLUTION:
            y = F.conv1d(x, weights[w : w + c_in * c_out * kernel].view(c_out, c_in, kernel), None, stride, padding)
        elif op == Op.DEPTHWISE:
            kernels = weights[w : w + c_in * kernel].view(c_in, 1, kernel)
            y = F.conv1d(x, kernels, None, stride, padding, dilation, groups=c_in)
        elif op == Op.BATCH_NORM:
            scale, shift = weights[w : w + c_in], weights[w + c_in : w + 2 * c_in]
            mean, variance = (None, None) if statistics is None else statistics[s : s + 2 * c_in].view(2, c_in)
            y = F.batch_norm(x, mean, variance, scale, shift, training=statistics is None)
        elif op == Op.AVERAGE_POOL:
            y = F.avg_pool1d(x, kernel, stride, padding, count_include_pad=False)
        else:
            y = F.max_pool1d(x, kernel, stride, padding)
        assert y.shape[1:] == (c_out, l_out)
        write(y_row, y)
    head = weights[built.tape.weights :].view(10, -1)
    return read(built.features).mean(dim=2) @ head[:, :-1].T + head[:, -1]


@pytest.mark.parametrize(("name", "number"), CELLS)
def test_loss_and_gradient_are_those_of_pytorch(name: str, number: int) -> None:
    rng = np.random.default_rng(number)
    built = model(name, space(name).sample(1, rng))
    signals, digits = rng.normal(size=(LANES, 40)).astype(np.float32), rng.integers(0, 10, LANES)
    weights = torch.tensor(built.weights, dtype=torch.float64, requires_grad=True)
    expected = F.cross_entropy(run(built, weights, torch.tensor(signals).double(), None), torch.tensor(digits))
    expected.backward()
    loss, slopes = gradient(built, signals, digits)
    assert weights.grad is not None
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    assert np.abs(slopes - weights.grad.numpy()).max() < 1e-5 * np.abs(slopes).max()


@pytest.mark.parametrize("name", NETWORKS)
def test_accuracy_counts_every_sample_once_by_running_statistics(name: str) -> None:
    from studies.mnist1d.data import Split

    rng = np.random.default_rng(0)
    built = model(name, space(name).sample(1, rng))
    signals, digits = rng.normal(size=(77, 40)).astype(np.float32), rng.integers(0, 10, 77)
    with torch.no_grad():
        logits = run(built, torch.tensor(built.weights), torch.tensor(signals), torch.tensor(built.statistics))
    right = (logits.argmax(dim=1).numpy() == digits).mean()
    assert accuracy(built, Split(signals, digits)) == pytest.approx(100 * right)


def test_convolutions_longer_than_a_block_strided_and_dilated_have_pytorch_s_gradients() -> None:
    tape = Tape(40)
    x = tape.convolution(tape.input, 5, 5, stride=2)
    x = tape.depthwise(x, 5, stride=1, dilation=2)
    x = tape.average_pool(x, stride=2)
    features = tape.batch_norm(tape.max_pool(tape.convolution(x, 7, 3), kernel=2, stride=2))
    rng = np.random.default_rng(1)
    built = initial_model(tape, features, rng)
    signals, digits = rng.normal(size=(LANES, 40)).astype(np.float32), rng.integers(0, 10, LANES)
    weights = torch.tensor(built.weights, dtype=torch.float64, requires_grad=True)
    F.cross_entropy(run(built, weights, torch.tensor(signals).double(), None), torch.tensor(digits)).backward()
    _, slopes = gradient(built, signals, digits)
    assert weights.grad is not None
    assert np.abs(slopes - weights.grad.numpy()).max() < 1e-5 * np.abs(slopes).max()


def test_a_cell_without_a_path_leaves_the_classifier_its_biases() -> None:
    cell = space("nasbench201").parse("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    signals: Floats = np.random.default_rng(0).normal(size=(LANES, 40)).astype(np.float32)
    _, slopes = gradient(model("nasbench201", cell), signals, np.zeros(LANES, np.int64))
    assert np.isfinite(slopes).all()


def test_vertices_share_the_output_s_channels_as_in_nas_bench_101() -> None:
    matrix = [[0, 1, 1, 1, 0], [0, 0, 1, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]
    assert vertex_channels(8, matrix) == [0, 3, 3, 2, 8]
