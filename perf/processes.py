"""Processes of their own that a benchmark starts and ends."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
PATIENCE = 30
"""seconds that processes get to end before they are killed too"""


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def started(arguments: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None) -> psutil.Popen:
    """Start a Python process in a session of its own; what it says is appended to `log.txt` in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | dict(variables or {})
    with (folder / "log.txt").open("a", encoding="utf-8") as log:
        return psutil.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def end(processes: Sequence[psutil.Process], patience: float) -> None:
    """Wait for processes, then SIGKILL those that are left."""
    _, left = psutil.wait_procs(processes, timeout=patience)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=PATIENCE)
