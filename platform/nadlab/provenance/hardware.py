"""The machine that made a result."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from nadlab.compiler import compiler_version

FIELDS = ("host", "cpu", "cpus", "cpp_compiler", "memory_gib", "gpus", "backend")


def hardware() -> dict[str, str]:
    """Return the values of `FIELDS`; `cpp_compiler` compiles the accelerator (`nets.accelerator`), GPUs are models or `none`."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    processor = _fact("model name") or platform.processor() or platform.machine()
    machine = (platform.node(), processor, str(os.cpu_count()))
    values = (*machine, compiler_version(), f"{memory:.0f}", _gpus(), backend())
    return dict(zip(FIELDS, values, strict=True))


def backend(gpus: bool = True) -> str:
    """Return what computes the networks on this machine: `cuda`, `accelerator` or `torch`; gpus: trials may use them."""
    import torch  # late: commands that compute nothing need none of it

    if gpus and torch.version.cuda and _gpus() != "none":  # torch itself sees no GPU in a task of Ray's without one
        return "cuda"
    return "torch" if compiler_version() == "none" else "accelerator"


def has_bfloat16(address: str | None, gpus_per_trial: float | None) -> bool | None:
    """Return whether trials have a GPU, whose products may be bfloat16; None where a cluster elsewhere decides.

    gpus_per_trial: None is an even share of what there is.
    """
    if gpus_per_trial == 0:
        return False
    return None if address else backend() == "cuda"


def _fact(name: str) -> str:
    """Return a fact of the first processor from Linux; empty on other systems."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _gpus() -> str:
    """Return the GPU models by the driver's own tool: CUDA would take memory on every device."""
    tool = shutil.which("nvidia-smi")
    if not tool:
        return "none"
    done = subprocess.run(
        [tool, "--query-gpu=name", "--format=csv,noheader"],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return ", ".join(done.stdout.strip().splitlines()) if done.returncode == 0 and done.stdout.strip() else "none"
