"""The processes that a fault campaign kills, but for the MLflow server: a study's driver, a Ray worker, the Ray node."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from perf.processes import PATIENCE, end

VICTIMS = ("driver", "worker", "node", "server")


def kill_driver(driver: psutil.Popen) -> None:
    """SIGKILL a study's driver, if it lives, and wait for the Ray processes that end with it."""
    family = _family(driver)
    with suppress(psutil.NoSuchProcess):
        driver.kill()
    driver.wait()
    end(family, PATIENCE)


def workers(driver: psutil.Popen) -> list[psutil.Process]:
    """Return the Ray workers of a driver that run a trial or a training."""
    titles = [(each, _title(each)) for each in _family(driver)]
    return [
        each
        for each, title in titles
        if title.startswith("ray::") and ("Trainable" in title or "evaluation of" in title)
    ]


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
