"""Networks of NAS-Bench-101 (Ying et al. 2019, Figure 1)."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .layers import Matrix, Skeleton, conv_norm_relu, sources_of, total


def vertex_channels(channels: int, matrix: Matrix) -> list[int]:
    """Return how wide each vertex is: those that reach the output share its channels, others are as wide as they must.

    `compute_vertex_channels` of google-research/nasbench (model_builder.py).
    """
    last = len(matrix) - 1
    outlets = [v for v in range(1, last) if matrix[v][last]]
    widths = [0] * (last + 1)
    widths[last] = channels
    for place, v in enumerate(outlets):
        widths[v] = channels // len(outlets) + (place < channels % len(outlets))
    for v in range(last - 1, 0, -1):
        if not matrix[v][last]:
            widths[v] = max(widths[w] for w in range(v + 1, last) if matrix[v][w])
    return widths


class NASBench101Cell(nn.Module):
    """A pruned cell of 2 to 7 vertices (`build_module` of google-research/nasbench): what leads to the output is concatenated."""

    def __init__(self, matrix: Matrix, labels: Sequence[str], channels_in: int, channels: int) -> None:
        super().__init__()
        self.last = len(labels) - 1
        self.widths = vertex_channels(channels, matrix)
        self.sources = sources_of(matrix)
        self.projections = nn.ModuleDict(
            {str(v): conv_norm_relu(channels_in, self.widths[v], 1) for v in range(1, self.last + 1) if matrix[0][v]}
        )
        made: dict[str, Callable[[int], nn.Module]] = {
            "conv3x3-bn-relu": lambda width: conv_norm_relu(width, width, 3),
            "conv1x1-bn-relu": lambda width: conv_norm_relu(width, width, 1),
            "maxpool3x3": lambda _: nn.MaxPool2d(3, 1, padding=1),
        }
        self.vertices = nn.ModuleList([made[labels[v]](self.widths[v]) for v in range(1, self.last)])

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels, H, W) of (B, channels_in, H, W)."""
        values = [x]
        for v, vertex in enumerate(self.vertices, 1):
            read = [values[u][:, : self.widths[v]] for u in self.sources[v] if u]
            values.append(vertex(total([*read, *self._projected(v, x)])))
        outlets = [values[v] for v in self.sources[self.last] if v]
        return total([*([torch.cat(outlets, 1)] if outlets else []), *self._projected(self.last, x)])

    def _projected(self, v: int, x: Tensor) -> list[Tensor]:
        return [self.projections[str(v)](x)] if 0 in self.sources[v] else []


def nasbench101(
    matrix: Matrix, labels: Sequence[str], skeleton: Skeleton, channels_in: int
) -> tuple[list[nn.Module], int]:
    """Return the layers before the head, and the channels of the last: a 2x2 maximum pool between stages."""
    width = before = skeleton.channels
    body: list[nn.Module] = [conv_norm_relu(channels_in, width, 3)]
    for stage in range(skeleton.stages):
        if stage:
            body.append(nn.MaxPool2d(2, 2))
            width *= 2
        for _ in range(skeleton.cells):
            body.append(NASBench101Cell(matrix, labels, before, width))
            before = width
    return body, width
