"""What a study's driver, its MLflow server and Ray's own processes take while trials run, sampled every second."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import psutil
import ray

from nadlab.study.records import Record, read_record
from nadlab.tracking.tracker import Tracker

DELIVERY = "mlflow"
"""how the names of `nadlab.tracking.delivery`'s threads begin"""


@dataclass(frozen=True)
class Usage:
    """A study's trials and what they took; CPU seconds a trial are means over all of them."""

    trials: int
    trials_a_second: float
    """from the start of the first trial to the end of the last"""
    driver_cpu: float
    """s a trial, driver without delivery to MLflow"""
    driver_cpu_early: float
    """s a trial, over the second tenth of the trials"""
    driver_cpu_late: float
    """s a trial, over the last tenth"""
    delivery_cpu: float
    """s a trial, driver's delivery to MLflow"""
    delivery_wall: float
    """s a trial that the deliveries take, by the clock"""
    delivery_wall_late: float
    """s, over the last tenth"""
    server_cpu: float
    """s a trial, MLflow's server; 0 where the study has a store of its own"""
    ray_cpu: float
    """s a trial, Ray's GCS and raylet"""
    after_last_trial: float
    """s from the end of the last trial to the end of the study: what is still to deliver, and the report"""
    driver_mib: float
    """resident memory of the driver when the last trial ended"""
    driver_kib_a_trial: float
    """its growth"""
    disk_kib_a_trial: float
    """in the study's folder when all is done; it holds MLflow's files too where the study has a store of its own"""
    object_store_mib: float
    """most that lay in Ray's object store"""

    def figures(self) -> dict[str, Any]:
        """Return name in words -> value."""
        return {each.name.replace("_", " "): getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True)
class Sample:
    """One look: CPU seconds so far, bytes."""

    at: float
    driver: float
    delivery: float
    server: float
    ray: float
    resident: float
    object_store: float


class Sampler(threading.Thread):
    """Looks every second until stopped."""

    def __init__(self, server: int | None) -> None:
        super().__init__(name="sampler", daemon=True)
        self.server = psutil.Process(server) if server else None
        self.samples: list[Sample] = []
        self._stop_asked = threading.Event()

    def run(self) -> None:
        """Sample until `stop`."""
        while not self._stop_asked.wait(1.0):
            self.samples.append(self._look())

    def stop(self) -> None:
        """Take a last sample and end."""
        self._stop_asked.set()
        self.join()
        self.samples.append(self._look())

    def _look(self) -> Sample:
        driver = psutil.Process()
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        spent = {names.get(thread.id, ""): thread.user_time + thread.system_time for thread in driver.threads()}
        own = [child for child in driver.children() if child.name() in ("gcs_server", "raylet")]
        return Sample(
            at=time.time(),
            driver=_cpu([driver]) - spent.get(self.name, 0.0),
            delivery=sum(seconds for name, seconds in spent.items() if name.startswith(DELIVERY)),
            server=_cpu([self.server, *self.server.children(recursive=True)]) if self.server else 0.0,
            ray=_cpu(own),
            resident=driver.memory_info().rss,
            object_store=_in_object_store(),
        )


@contextmanager
def recorded(out: Path, server: int | None) -> Iterator[Callable[[], Usage]]:
    """Sample while a study runs in a folder; yield a function that sums up once it is done."""
    sampler = Sampler(server)
    deliveries: list[float] = []
    deliver = Tracker.deliver

    def timed(self: Tracker, records: Sequence[tuple[Record, Path]]) -> None:
        started = time.perf_counter()
        deliver(self, records)
        # several are on their way at once
        deliveries.extend([(time.perf_counter() - started) / len(records)] * len(records))

    def summed() -> Usage:
        records = [read_record(path) for path in (out / "trials").glob("*/record.json")]
        ended = np.sort([record.ended for record in records])
        started = min(record.started for record in records)
        return _summed(sampler.samples, started, ended, np.array(deliveries), _bytes(out))

    sampler.start()
    try:
        with patch.object(Tracker, "deliver", timed):
            yield summed
    finally:
        sampler.stop()


def _summed(samples: list[Sample], started: float, ended: Any, deliveries: Any, disk: int) -> Usage:
    trials = len(ended)
    times = [sample.at for sample in samples]

    def at(moment: float, name: str) -> float:
        return float(np.interp(moment, times, [getattr(sample, name) for sample in samples]))

    def spent(name: str, first: float = 0.0, last: float = 1.0) -> float:
        """CPU seconds a trial, between two shares of the trials."""
        ends = [started if share == 0 else ended[int(share * trials) - 1] for share in (first, last)]
        return (at(ends[1], name) - at(ends[0], name)) / ((last - first) * trials)

    def driver(first: float = 0.0, last: float = 1.0) -> float:
        return spent("driver", first, last) - spent("delivery", first, last)

    whole = max(sample.delivery for sample in samples) / trials  # it goes on after the last trial
    tenth = max(1, trials // 10)
    return Usage(
        trials=trials,
        trials_a_second=trials / (ended[-1] - started),
        driver_cpu=driver(),
        driver_cpu_early=driver(0.1, 0.2),
        driver_cpu_late=driver(0.9, 1.0),
        delivery_cpu=whole,
        delivery_wall=float(deliveries.mean()),
        delivery_wall_late=float(deliveries[-tenth:].mean()),
        server_cpu=(samples[-1].server - samples[0].server) / trials,
        ray_cpu=spent("ray"),
        after_last_trial=samples[-1].at - ended[-1],
        driver_mib=at(ended[-1], "resident") / 2**20,
        driver_kib_a_trial=(at(ended[-1], "resident") - at(started, "resident")) / trials / 2**10,
        disk_kib_a_trial=disk / trials / 2**10,
        object_store_mib=max(sample.object_store for sample in samples) / 2**20,
    )


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _cpu(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _in_object_store() -> float:
    name = "object_store_memory"
    return float(ray.cluster_resources().get(name, 0.0) - ray.available_resources().get(name, 0.0))
