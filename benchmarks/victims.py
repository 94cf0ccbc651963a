"""The processes of a study that a fault campaign starts and kills: its driver, a Ray worker, the Ray node, the MLflow server."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from nadlab.errors import UserError

VICTIMS = ("driver", "worker", "node", "server")
ROOT = Path(__file__).parents[1]
PATIENCE = 30
"""seconds that processes get to end before they are killed too"""


@dataclass
class Server:
    """`nadlab mlflow` on a free port of loopback, killed and started again on the same folder and port."""

    folder: Path
    process: psutil.Popen | None = None

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server; it answers some seconds later."""
        command = ["-c", "from nadlab.cli import main; main()", "mlflow"]
        self.process = started([*command, "--folder", str(self.folder), "--port", str(self.port)], self.folder)

    @property
    def answers(self) -> bool:
        """Whether the server takes requests."""
        try:
            return requests.get(f"{self.address}/health", timeout=5).ok
        except requests.RequestException:
            return False

    def wait(self) -> None:
        """Return when the server takes requests; raise UserError when it ends instead."""
        while not self.answers:
            if self.process is None or self.process.poll() is not None:
                raise UserError(f"the server did not start: see {self.folder / 'log.txt'}")
            time.sleep(0.2)

    def kill(self) -> None:
        """SIGKILL the server with the processes that answer for it."""
        if self.process:
            _end([self.process, *self.process.children(recursive=True)], patience=0)
        self.process = None


def started(arguments: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None) -> psutil.Popen:
    """Start a Python process in a session of its own; what it says is appended to `log.txt` in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | dict(variables or {})
    with (folder / "log.txt").open("a") as log:
        return psutil.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def kill_driver(driver: psutil.Popen) -> None:
    """SIGKILL a study's driver, if it lives, and wait for the Ray processes that end with it."""
    family = _family(driver)
    with suppress(psutil.NoSuchProcess):
        driver.kill()
    driver.wait()
    _end(family, PATIENCE)


def workers(driver: psutil.Popen) -> list[psutil.Process]:
    """Return the Ray workers of a driver that run a trial."""
    return [each for each in _family(driver) if (title := _title(each)).startswith("ray::") and "Trainable" in title]


def nodes(driver: psutil.Popen) -> list[psutil.Process]:
    """Return the Ray node that a driver started, if it lives."""
    return [each for each in _family(driver) if Path(_title(each).partition(" ")[0]).name == "raylet"]


def kill_one(processes: Sequence[psutil.Process], choice: float) -> None:
    """SIGKILL one of several processes; choice, in [0, 1), says which."""
    with suppress(psutil.NoSuchProcess):
        processes[int(choice * len(processes))].kill()


def _family(driver: psutil.Popen) -> list[psutil.Process]:
    try:
        return sorted(driver.children(recursive=True), key=lambda process: int(process.pid))
    except psutil.NoSuchProcess:
        return []


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def _end(processes: Sequence[psutil.Process], patience: float) -> None:
    """Wait for processes, then SIGKILL those that are left."""
    _, left = psutil.wait_procs(processes, timeout=patience)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=PATIENCE)
