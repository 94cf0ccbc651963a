"""One-dimensional networks around a cell of each search space: stem, three stages with a cell each, mean, linear layer.

The channels double and the length halves from stage to stage, as in the benchmarks' own macro skeletons.
"""

from collections.abc import Callable
from functools import reduce

import numpy as np

from nadlab.benchmarks.training.networks.nasbench101 import vertex_channels
from nadlab.spaces import Cells
from nadlab.spaces.darts.cells import INNER_OPERATIONS as DARTS_OPERATIONS
from nadlab.spaces.darts.cells import operations_of, sources_of
from nadlab.spaces.nasbench101 import ABSENT, prune
from nadlab.spaces.nasbench201 import EDGES
from studies.mnist1d.data import LENGTH
from studies.mnist1d.tape import Signal, Tape

Network = Callable[[Cells, int], tuple[Tape, Signal]]
STAGES = 3


def nasbench201_network(cell: Cells, channels: int) -> tuple[Tape, Signal]:
    """Return a NAS-Bench-201 cell's tape and features (Dong and Yang 2020, Figure 1, with one cell a stage)."""
    tape = Tape(LENGTH)
    x = tape.batch_norm(tape.convolution(tape.input, channels, 3))
    operations = (cell.operations[0, 1:7].astype(int) - 1).tolist()
    for stage in range(STAGES):
        if stage:
            x = _relu_conv_norm(tape, x, 2 * x.channels, 3, stride=2)
        x = _nasbench201_cell(tape, x, operations)
    return tape, tape.relu(tape.batch_norm(x))


def _nasbench201_cell(tape: Tape, x: Signal, operations: list[int]) -> Signal:
    incoming: list[list[Signal]] = [[x], [], [], []]
    for (source, target), operation in zip(EDGES, operations, strict=True):
        if operation == 0 or not incoming[source]:
            continue
        # sources are complete before their edges come: edges are listed by target
        node = _sum(tape, incoming[source])
        incoming[source] = [node]
        if operation == 1:
            incoming[target].append(node)
        elif operation == 4:
            incoming[target].append(tape.average_pool(node))
        else:
            incoming[target].append(_relu_conv_norm(tape, node, node.channels, {2: 1, 3: 3}[operation]))
    return _sum(tape, incoming[3]) if incoming[3] else tape.signal(x.channels, x.length)


def nasbench101_network(cell: Cells, channels: int) -> tuple[Tape, Signal]:
    """Return a NAS-Bench-101 cell's tape and features (Ying et al. 2019, Section 2, with one cell a stack)."""
    tape = Tape(LENGTH)
    x = _conv_norm_relu(tape, tape.input, channels, 3)
    pruned = prune(cell)
    present = np.flatnonzero(pruned.operations[0] != ABSENT)
    matrix = pruned.adjacency[0][np.ix_(present, present)].astype(int)
    labels = pruned.operations[0, present].tolist()
    for stage in range(STAGES):
        if stage:
            x = tape.max_pool(x, kernel=2, stride=2)
        x = _nasbench101_cell(tape, x, matrix.tolist(), labels, channels << stage)
    return tape, x


def _nasbench101_cell(tape: Tape, x: Signal, matrix: list[list[int]], labels: list[int], channels: int) -> Signal:
    last = len(labels) - 1
    widths = vertex_channels(channels, matrix)
    outlets = [v for v in range(1, last) if matrix[v][last]]
    if not outlets:
        return _conv_norm_relu(tape, x, channels, 1)
    output = tape.signal(channels, x.length)
    starts = dict(zip(outlets, np.cumsum([0, *(widths[v] for v in outlets)]).tolist(), strict=False))
    nodes: dict[int, Signal] = {}
    for v in range(1, last):
        incoming = [nodes[u].first(widths[v]) for u in range(1, v) if matrix[u][v]]
        if matrix[0][v]:
            incoming.append(_conv_norm_relu(tape, x, widths[v], 1))
        into = output.part(starts[v], widths[v]) if v in starts else None
        value = _sum(tape, incoming)
        if labels[v] == 3:
            nodes[v] = tape.max_pool(value, into=into)
        else:
            nodes[v] = _conv_norm_relu(tape, value, widths[v], {1: 3, 2: 1}[labels[v]], into)
    return tape.add(output, _conv_norm_relu(tape, x, channels, 1)) if matrix[0][last] else output


def darts_network(cell: Cells, channels: int) -> tuple[Tape, Signal]:
    """Return a DARTS cell's tape and features: one normal and two reduction cells (Liu et al. 2019, Appendix A)."""
    tape = Tape(LENGTH)
    earlier = x = tape.batch_norm(tape.convolution(tape.input, channels, 3))
    sources, operations = sources_of(cell)[0].tolist(), operations_of(cell)[0].tolist()
    for stage in range(STAGES):
        width = channels << stage
        inputs = [_relu_conv_norm(tape, s, width, 1, stride=s.length // x.length) for s in (earlier, x)]
        earlier, x = x, _darts_cell(tape, inputs, sources, operations, stride=2 if stage else 1)
    return tape, x


def _darts_cell(
    tape: Tape, inputs: list[Signal], sources: list[list[int]], operations: list[list[int]], stride: int
) -> Signal:
    width, length = inputs[0].channels, inputs[0].length // stride
    output = tape.signal(len(sources) * width, length)
    nodes = list(inputs)
    for i in range(len(sources)):
        a, b = (
            _darts_operation(tape, nodes[source], DARTS_OPERATIONS[operation], stride if source < 2 else 1)
            for source, operation in zip(sources[i], operations[i], strict=True)
        )
        nodes.append(tape.add(a, b, output.part(i * width, width)))
    return output


def _darts_operation(tape: Tape, x: Signal, operation: str, stride: int) -> Signal:
    if operation == "skip_connect":
        return x if stride == 1 else _relu_conv_norm(tape, x, x.channels, 1, stride)
    if operation == "max_pool_3x3":
        return tape.max_pool(x, stride=stride)
    if operation == "avg_pool_3x3":
        return tape.average_pool(x, stride=stride)
    kind, _, size = operation.partition("_conv_")
    kernel = int(size[0])
    if kind == "dil":
        return _separable(tape, x, kernel, stride, dilation=2)
    return _separable(tape, _separable(tape, x, kernel, stride), kernel)


def _separable(tape: Tape, x: Signal, kernel: int, stride: int = 1, dilation: int = 1) -> Signal:
    deep = tape.depthwise(tape.relu(x), kernel, stride, dilation)
    return tape.batch_norm(tape.convolution(deep, x.channels, 1))


def _relu_conv_norm(tape: Tape, x: Signal, channels: int, kernel: int, stride: int = 1) -> Signal:
    return tape.batch_norm(tape.convolution(tape.relu(x), channels, kernel, stride))


def _conv_norm_relu(tape: Tape, x: Signal, channels: int, kernel: int, into: Signal | None = None) -> Signal:
    return tape.relu(tape.batch_norm(tape.convolution(x, channels, kernel)), into)


def _sum(tape: Tape, signals: list[Signal]) -> Signal:
    return reduce(tape.add, signals)


NETWORKS: dict[str, Network] = {
    "nasbench101": nasbench101_network,
    "nasbench201": nasbench201_network,
    "darts": darts_network,
}
"""Name of the search space -> network around a cell of so many channels."""
