"""What the networks of every space are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor, nn

Matrix = Sequence[Sequence[int]]
"""an adjacency matrix, V rows of V zeros and ones above the diagonal"""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """How often and how wide a cell is repeated: `stages` stages, each of half the height and width and twice the channels."""

    channels: int
    """of the first stage"""
    cells: int
    """in a stage; a DARTS network has a reduction cell more before every stage but the first"""
    stages: int = 3


def head(channels: int, classes: int) -> list[nn.Module]:
    """Return what turns features (B, channels, H, W) into logits, (B, classes)."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]


def conv(
    channels_in: int, channels: int, kernel: int, stride: int = 1, dilation: int = 1, groups: int = 1
) -> nn.Conv2d:
    """Return a convolution without bias that keeps height and width, or divides them by the stride."""
    padding = dilation * (kernel - 1) // 2
    return nn.Conv2d(channels_in, channels, kernel, stride, padding, dilation, groups, bias=False)


def relu_conv_norm(channels_in: int, channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Return the block of NAS-Bench-201 and DARTS."""
    return nn.Sequential(nn.ReLU(), conv(channels_in, channels, kernel, stride), nn.BatchNorm2d(channels))


def conv_norm_relu(channels_in: int, channels: int, kernel: int) -> nn.Sequential:
    """Return the block of NAS-Bench-101."""
    return nn.Sequential(conv(channels_in, channels, kernel), nn.BatchNorm2d(channels), nn.ReLU())


def average_pool(stride: int = 1) -> nn.AvgPool2d:
    """Return a 3x3 average that leaves the padding out."""
    return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)


def sources_of(matrix: Matrix) -> list[list[int]]:
    """Return the vertices that each vertex reads."""
    return [[u for u in range(v) if matrix[u][v]] for v in range(len(matrix))]


def total(values: Sequence[Tensor]) -> Tensor:
    """Return the sum of at least one value."""
    return reduce(torch.add, values)
