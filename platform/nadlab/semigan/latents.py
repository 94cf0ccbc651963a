"""AG's latents, and what its GIN reads of them: their own soft graph, and vertices with a latent, the rank's embedding and their position.

Shapes: B cells, V vertices, Z numbers of a latent, E of the rank's embedding.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nadlab.semigan import kernel
from nadlab.semigan.functions import apply, stacked, with_signature
from nadlab.semigan.gin import GINInput, gin_input

LATENT = 16
"""Z"""


class Latents(NamedTuple):
    """z_A and z_X, standard normal, (B, V, Z)."""

    z_A: Tensor
    z_X: Tensor


def gin_input_of(latents: Latents, rank_BE: Tensor, similarity_ZZ: Tensor, precision: torch.dtype) -> GINInput:
    """Return cells of vertices whose edges weigh sigmoid(z_A S^T z_A^T / sqrt(Z)) / V; gradients reach the rank and S, `similarity`."""
    z_A, z_X = (z.detach() for z in latents)
    if kernel.fits(z_A, z_A.shape[-1], precision) and z_A.dtype == torch.float32:
        neighbours, features, _ = apply(_Conditioned, z_A, z_X, rank_BE, similarity_ZZ, precision)
        return GINInput(neighbours, features)
    batch, vertices, size = z_A.shape
    graph = torch.sigmoid(F.linear(z_A, similarity_ZZ) @ z_A.transpose(1, 2) / size**0.5).triu(1) / vertices
    condition = rank_BE[:, None].expand(-1, vertices, -1)
    positions = torch.eye(vertices, dtype=z_X.dtype, device=z_X.device).expand(batch, -1, -1)
    return gin_input(torch.cat([z_X, condition, positions], dim=2), graph, precision)


class _Conditioned(torch.autograd.Function):
    """`gin_input_of` of the kernel, with the weights of the edges; for S trials with S in front of all shapes."""

    forward = staticmethod(with_signature(kernel.latents_forward))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
        z_A, _, rank, _, _ = inputs
        ctx.save_for_backward(z_A, rank, output[2])
        ctx.mark_non_differentiable(output[2])

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        return apply(_Conditioned, *stacked(info.batch_size, in_dims, arguments)), (0, 0, 0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        by_rank, by_similarity = kernel.latents_backward(*ctx.saved_tensors, *gradients[:2])
        return None, None, by_rank, by_similarity, None
