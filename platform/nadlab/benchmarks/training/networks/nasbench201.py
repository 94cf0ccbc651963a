"""Networks of NAS-Bench-201 (Dong and Yang 2020, Figure 1)."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .layers import Matrix, Skeleton, average_pool, conv, relu_conv_norm, sources_of, total


class Zero(nn.Module):
    """NAS-Bench-201's `none`: zeros."""

    def forward(self, x: Tensor) -> Tensor:
        """Return zeros of the shape of x."""
        return torch.zeros_like(x)


class Residual(nn.Module):
    """NAS-Bench-201's block between stages: two 3x3 convolutions beside an average pool with a 1x1 convolution."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.long = nn.Sequential(
            relu_conv_norm(channels_in, channels, 3, stride=2), relu_conv_norm(channels, channels, 3)
        )
        self.short = nn.Sequential(nn.AvgPool2d(2, 2), conv(channels_in, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels, H / 2, W / 2) of (B, channels_in, H, W)."""
        total: Tensor = self.short(x) + self.long(x)
        return total


class NASBench201Cell(nn.Module):
    """A cell in its form of 8 vertices: each vertex reads the sum of those before it."""

    def __init__(self, matrix: Matrix, labels: Sequence[str], channels: int) -> None:
        super().__init__()
        self.sources = sources_of(matrix)
        made: dict[str, Callable[[], nn.Module]] = {
            "none": Zero,
            "nor_conv_1x1": lambda: relu_conv_norm(channels, channels, 1),
            "nor_conv_3x3": lambda: relu_conv_norm(channels, channels, 3),
            "avg_pool_3x3": average_pool,
        }
        self.vertices = nn.ModuleList([made.get(label, nn.Identity)() for label in labels])

    def forward(self, x: Tensor) -> Tensor:
        """Return the output vertex, of the shape of x."""
        values = [x]
        for sources, vertex in zip(self.sources[1:], list(self.vertices)[1:], strict=True):
            values.append(vertex(total([values[source] for source in sources])))
        return values[-1]


def nasbench201(
    matrix: Matrix, labels: Sequence[str], skeleton: Skeleton, channels_in: int
) -> tuple[list[nn.Module], int]:
    """Return the layers before the head, and the channels of the last: a residual block between stages."""
    width = skeleton.channels
    body: list[nn.Module] = [conv(channels_in, width, 3), nn.BatchNorm2d(width)]
    for stage in range(skeleton.stages):
        if stage:
            body.append(Residual(width, 2 * width))
            width *= 2
        body += [NASBench201Cell(matrix, labels, width) for _ in range(skeleton.cells)]
    return [*body, nn.BatchNorm2d(width), nn.ReLU()], width
