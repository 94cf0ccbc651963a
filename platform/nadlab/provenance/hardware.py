"""What a machine is: the part of a result's origin that its own process can tell."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from nadlab.compiler import compiler_version

FIELDS = ("host", "cpu", "cpus", "cpu_bfloat16", "cpp_compiler", "memory_gib", "gpus", "backend")


def hardware() -> dict[str, str]:
    """Return this machine's name, processor model, cores, whether these multiply in bfloat16, the compiler of the kernel for CPUs, memory in GiB, and GPU models (`none` without)."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    processor = _fact("model name") or platform.processor() or platform.machine()
    rounding = "yes" if cpu_has_bfloat16() else "no"
    machine = (platform.node(), processor, str(os.cpu_count()), rounding)
    values = (*machine, compiler_version(), f"{memory:.0f}", _gpus(), backend())
    return dict(zip(FIELDS, values, strict=True))


def backend() -> str:
    """Return what computes the networks on this machine: `cuda`, the `compiled` kernel or `torch`."""
    import torch  # late: commands that compute nothing need none of it

    if torch.version.cuda and _gpus() != "none":  # torch itself sees no GPU in a task of Ray's without one
        return "cuda"
    return "torch" if compiler_version() == "none" else "compiled"


def cpu_has_bfloat16() -> bool:
    """Return whether the processor has instructions for products in bfloat16; false also where it can't be told."""
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(_fact("flags").split())


def _fact(name: str) -> str:
    """Return what Linux says of the first processor; empty on other systems."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _gpus() -> str:
    """Ask the driver's own tool: CUDA would take memory on every device that it names."""
    tool = shutil.which("nvidia-smi")
    if not tool:
        return "none"
    asked = subprocess.run(
        [tool, "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, check=False
    )
    return ", ".join(asked.stdout.strip().splitlines()) if asked.returncode == 0 and asked.stdout.strip() else "none"
