"""Networks around a cell of NAS-Bench-201, NAS-Bench-101 or DARTS: the published macro-skeletons, their sizes as arguments.

This package needs PyTorch alone and imports its own files relatively: `nadlab export` copies it beside the weights. A cell is its
adjacency matrix and the labels of its V vertices. Images are (B, C, H, W). Weights are drawn as PyTorch draws them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .darts import DARTSNetwork
from .layers import Matrix, Skeleton, head
from .nasbench101 import nasbench101
from .nasbench201 import nasbench201

PUBLISHED = {"nasbench201": Skeleton(16, 5), "nasbench101": Skeleton(128, 3), "darts": Skeleton(36, 6)}
"""space -> the skeleton of its paper: Dong and Yang 2020, Figure 1; Ying et al. 2019, Figure 1; Liu et al. 2019, 20 cells"""


class Normalised(nn.Module):
    """A network that takes images as they are stored; each channel is shifted and scaled first."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, (B, classes), of images (B, C, H, W) of any type."""
        logits: Tensor = self.network((images.float() - self.mean) / self.deviation)
        return logits


def cell_network(
    space: str, matrix: Matrix, labels: Sequence[str], skeleton: Skeleton, channels_in: int, classes: int
) -> nn.Module:
    """Return the untrained network of one cell of a space of `PUBLISHED`, from images (B, channels_in, H, W) to logits."""
    if space == "darts":
        return DARTSNetwork(matrix, labels, skeleton, channels_in, classes)
    body, width = (nasbench201 if space == "nasbench201" else nasbench101)(matrix, labels, skeleton, channels_in)
    return nn.Sequential(*body, *head(width, classes))
