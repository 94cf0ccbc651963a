"""bfloat16 where the hardware multiplies in it: emulated it is slower than float32, and on processors without AVX-512 it fails."""

import logging
from functools import cache

import torch

from nadlab.provenance.hardware import cpu_has_bfloat16

logger = logging.getLogger(__name__)


def precision(asked: str, device: torch.device) -> torch.dtype:
    """Return the type of the matrix products: as asked for (`Settings.precision`), float32 where bfloat16 can't be had."""
    if asked == "bfloat16" and not _has_bfloat16(device):
        return torch.float32
    dtype: torch.dtype = getattr(torch, asked)
    return dtype


@cache
def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        has = bool(torch.cuda.is_bf16_supported(including_emulation=False))
    else:
        # false too where ONEDNN_MAX_CPU_ISA rules the instructions out
        onednn = torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        has = onednn and cpu_has_bfloat16()
    if not has:
        logger.warning("no bfloat16 products on this machine (%s): float32 instead, which takes longer", device.type)
    return has
