"""Memory that a training step frees and the next one asks for again.

glibc gives what is freed at the end of its heap back to the system, and every page faults in anew: a tenth of a training
step (`perf/training/training.py`).
"""

import ctypes
import sys
from functools import cache

# of glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT = 2**30
"""bytes that a process keeps at most"""
LARGEST = 2**25
"""bytes of a tensor from which on it is given back all the same: no larger number is allowed"""


@cache
def keep_freed_memory() -> bool:
    """Let this process keep freed memory; return whether it does: not where malloc isn't glibc's."""
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(M_MMAP_THRESHOLD, LARGEST)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))
