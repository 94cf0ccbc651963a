"""`nadlab mlflow` as a process of its own."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path

import psutil
import requests

from nadlab.errors import UserError
from perf.processes import PATIENCE, end, free_port, started

STARTS_WITHIN = 120
"""seconds"""


@dataclass
class Server:
    """`nadlab mlflow` on a free port of loopback, killed and started again on the same folder and port."""

    folder: Path
    options: tuple[str, ...] = ()
    """more of `nadlab mlflow`"""
    process: psutil.Popen | None = None

    def __post_init__(self) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server; it answers some seconds later."""
        command = ["-c", "from nadlab.cli.main import main; main()", "mlflow"]
        self.process = started(
            [*command, "--folder", str(self.folder), "--port", str(self.port), *self.options], self.folder
        )

    @property
    def pid(self) -> int | None:
        """Of its process, None while it doesn't run."""
        return int(self.process.pid) if self.process else None

    @property
    def answers(self) -> bool:
        """Whether the server takes requests."""
        try:
            return requests.get(f"{self.address}/health", timeout=5).ok
        except requests.RequestException:
            return False

    def wait(self, seconds: float = inf) -> None:
        """Return when the server takes requests; raise UserError when it ends instead or takes longer than some seconds."""
        deadline = time.monotonic() + seconds
        while not self.answers:
            if time.monotonic() > deadline:
                raise UserError(f"the server did not answer in {seconds:g} s: see {self.folder / 'log.txt'}")
            if self.process is None or self.process.poll() is not None:
                raise UserError(f"the server did not start: see {self.folder / 'log.txt'}")
            time.sleep(0.2)

    def kill(self) -> None:
        """SIGKILL the server with the processes that answer for it."""
        if self.process and self.process.poll() is None:
            end([self.process, *self.process.children(recursive=True)], patience=0)
        self.process = None

    def stop(self) -> None:
        """SIGTERM the server, and wait for it and the processes that answer for it."""
        if self.process and self.process.poll() is None:
            family = [self.process, *self.process.children(recursive=True)]
            self.process.terminate()
            end(family, PATIENCE)
        self.process = None


@contextmanager
def served(folder: Path, *options: str) -> Iterator[Server]:
    """Run a server until it is no longer needed; yield it when it takes requests."""
    server = Server(folder, options)
    server.start()
    try:
        server.wait(STARTS_WITHIN)
        yield server
    finally:
        server.stop()
