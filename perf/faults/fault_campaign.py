"""A study under fire: its processes are killed at random moments and started again by the same command until it is done."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import psutil

from nadlab.errors import UserError
from perf.faults.victim_processes import VICTIMS, kill_driver, kill_one, nodes, workers
from perf.mlflow_server import Server
from perf.processes import started

POLL = 0.1
POSTPONED = 1 / 6
"""share of the pace, at most, by which a kill that is to meet a trial is put off while none runs"""
STUCK = 7200
"""seconds after which a study is given up: it hangs"""


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill of a study."""

    number: int
    """1 for the first"""
    seconds: float
    """since the study began"""
    victim: str
    done: int
    """trials that had ended"""


@dataclass(frozen=True, slots=True)
class Scenario:
    """The command of a study's first start, and of every later one, which may ask for more levels."""

    first: tuple[str, ...]
    later: tuple[str, ...]

    @property
    def grows(self) -> bool:
        """Whether the study is not over with its first command."""
        return self.first != self.later


class StudyUnderFire:
    """A study in a folder `out`, tracked by a server of its own in a folder `mlflow`.

    scenario: the commands of its first start and of every later one. pace: the seconds from one kill to the next are
    uniform between 0 and this, and a server is back within half of it; every other kill waits until a trial runs, for a
    study spends more time on its start than on trials as short as these. variables: of its environment.
    """

    def __init__(
        self,
        scenario: Scenario,
        work: Path,
        rng: np.random.Generator,
        pace: float,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.scenario = scenario
        self.work = work
        self.rng = rng
        self.pace = pace
        self.variables = variables
        self.out = work / "out"
        self.server = Server(work / "mlflow")
        self.starts = 0
        """of the driver"""

    def kills(self, at_most: int | None = None) -> Iterator[Kill]:
        """Run the study to its end and give every kill on the way.

        Raises UserError when the study hangs. Stops the driver, not the server.
        """
        # of its own, for Ray's sockets can't have long paths
        with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as ray_folder:
            yield from self._kills(ray_folder, at_most)

    def _kills(self, ray_folder: str, at_most: int | None) -> Iterator[Kill]:
        began = time.monotonic()
        self.server.start()
        driver = self._start(ray_folder)
        next_kill, server_back, number = began + self._pause(), began, 0
        try:
            while driver.poll() != 0 or (self.starts == 1 and self.scenario.grows):
                now = time.monotonic()
                if now > began + STUCK:
                    raise UserError(f"the study in {self.work} is not done after {STUCK} s: see its log.txt")
                if not self.server.process and now > server_back:
                    self.server.start()
                if driver.poll() is not None:
                    driver = self._start(ray_folder)
                if now > next_kill and number % 2 and not workers(driver):
                    next_kill = now + float(self.rng.uniform(0, POSTPONED * self.pace))
                elif now > next_kill and number != at_most:
                    next_kill, server_back = now + self._pause(), now + self._pause() / 2
                    number += 1
                    done = len(list(self.out.glob("trials/*/record.json")))
                    yield Kill(number, now - began, self._kill(driver), done)
                time.sleep(POLL)
        finally:
            kill_driver(driver)

    def _start(self, ray_folder: str) -> psutil.Popen:
        self.starts += 1
        place = ("--out", str(self.out), "--tracking-uri", self.server.address)
        study = self.scenario.first if self.starts == 1 else self.scenario.later
        return started((*study, *place), self.work, {"RAY_TMPDIR": ray_folder, **self.variables})

    def _kill(self, driver: psutil.Popen) -> str:
        """Kill one of the kinds that live, each as likely as the others; return which."""
        parts = {"worker": workers(driver), "node": nodes(driver)}
        alive = {"driver": driver.poll() is None, "server": self.server.process, **parts}
        victim = str(self.rng.choice([kind for kind in VICTIMS if alive[kind]]))
        if victim == "driver":
            kill_driver(driver)
        elif victim == "server":
            self.server.kill()
        else:
            kill_one(parts[victim], float(self.rng.random()))
        return victim

    def _pause(self) -> float:
        return float(self.rng.uniform(0, self.pace))
