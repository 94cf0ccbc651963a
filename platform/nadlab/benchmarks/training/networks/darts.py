"""Networks of DARTS (Liu et al. 2019, Appendix A)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .layers import Matrix, Skeleton, average_pool, conv, head, relu_conv_norm, sources_of, total


class HalvingConv(nn.Module):
    """DARTS' factorised reduction: two 1x1 convolutions of stride 2, the second one pixel further, side by side."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.first = conv(channels_in, channels // 2, 1, stride=2)
        self.second = conv(channels_in, channels - channels // 2, 1, stride=2)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels, H / 2, W / 2) of (B, channels_in, H, W)."""
        x = torch.relu(x)
        halved: Tensor = self.norm(torch.cat([self.first(x), self.second(x[:, :, 1:, 1:])], 1))
        return halved


def _separable(channels: int, kernel: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    deep = conv(channels, channels, kernel, stride, dilation, groups=channels)
    return [nn.ReLU(), deep, conv(channels, channels, 1), nn.BatchNorm2d(channels)]


def _darts_operation(label: str, channels: int, stride: int) -> nn.Module:
    if label == "skip_connect":
        return nn.Identity() if stride == 1 else HalvingConv(channels, channels)
    if label == "max_pool_3x3":
        return nn.MaxPool2d(3, stride, padding=1)
    if label == "avg_pool_3x3":
        return average_pool(stride)
    kind, _, size = label.partition("_conv_")
    if kind == "dil":
        return nn.Sequential(*_separable(channels, int(size[0]), stride, dilation=2))
    return nn.Sequential(*_separable(channels, int(size[0]), stride), *_separable(channels, int(size[0]), 1))


class DARTSCell(nn.Module):
    """A cell in its form of 11 vertices; `halves` makes it the reduction cell, whose first operations have stride 2."""

    def __init__(
        self, matrix: Matrix, labels: Sequence[str], inputs: tuple[nn.Module, nn.Module], channels: int, halves: bool
    ) -> None:
        super().__init__()
        self.sources = sources_of(matrix)
        self.inputs = nn.ModuleList(inputs)
        strides = [2 if halves and min(self.sources[v]) < 2 else 1 for v in range(2, len(labels) - 1)]
        operations = zip(labels[2:-1], strides, strict=True)
        self.vertices = nn.ModuleList([_darts_operation(label, channels, stride) for label, stride in operations])

    def forward(self, earlier: Tensor, x: Tensor) -> Tensor:
        """Return the nodes' concatenation; a node is the sum of its two operations."""
        values = [each(value) for each, value in zip(self.inputs, (earlier, x), strict=True)]
        for v, vertex in enumerate(self.vertices, 2):
            values.append(vertex(total([values[u] for u in self.sources[v]])))
        return torch.cat([values[v] + values[v + 1] for v in range(2, len(values), 2)], 1)


class DARTSNetwork(nn.Module):
    """Liu et al. 2019 without auxiliary head and drop-path; the reduction cell is the normal one unless it is given."""

    def __init__(
        self,
        matrix: Matrix,
        labels: Sequence[str],
        skeleton: Skeleton,
        channels_in: int,
        classes: int,
        reduction: tuple[Matrix, Sequence[str]] | None = None,
    ) -> None:
        super().__init__()
        width, nodes = skeleton.channels, (len(labels) - 3) // 2
        self.stem = nn.Sequential(conv(channels_in, 3 * width, 3), nn.BatchNorm2d(3 * width))
        halving = [
            stage and not cell for stage in range(skeleton.stages) for cell in range(skeleton.cells + bool(stage))
        ]
        earlier, before, halved, cells = 3 * width, 3 * width, False, []
        for halves in map(bool, halving):
            width *= 1 + halves
            first = HalvingConv(earlier, width) if halved else relu_conv_norm(earlier, width, 1)
            inputs = first, relu_conv_norm(before, width, 1)
            graph = reduction if halves and reduction else (matrix, labels)
            cells.append(DARTSCell(*graph, inputs, width, halves))
            earlier, before, halved = before, nodes * width, halves
        self.cells = nn.ModuleList(cells)
        self.head = nn.Sequential(*head(before, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, (B, classes)."""
        earlier = x = self.stem(x)
        for cell in self.cells:
            earlier, x = x, cell(earlier, x)
        logits: Tensor = self.head(x)
        return logits
