"""Who holds a claim: a process, by a name from which other processes of its machine see that it is dead."""

import os
import uuid
from pathlib import Path


def new_owner() -> str:
    """Return a name that no other claim has: boot of the machine, process namespace, process, its start, a random number."""
    process = os.getpid()
    return "/".join((*_machine(), str(process), _start(process) or "", uuid.uuid4().hex))


def is_dead(owner: str) -> bool:
    """Return whether the process of an owner has ended; False where that is not known, as on another machine."""
    boot, namespace, process, start, _ = owner.split("/")
    return (boot, namespace) == _machine() and bool(start) and _start(int(process)) != start


def _machine() -> tuple[str, str]:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return boot, os.readlink("/proc/self/ns/pid")
    except OSError:  # no Linux: the lease alone tells
        return "", ""


def _start(process: int) -> str | None:
    """Return the clock tick at which a process started; None where there is none, or it waits for its parent as a zombie."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
