"""Measure what a study's driver and its workers hold while trials have all of NAS-Bench-101's unlabelled cells.

A trial holds the whole set, whatever share of it an epoch draws. Of each process the peak resident memory, and its share: pages that several processes map are divided among them.

python perf/training/memory.py --benchmark nasbench101
"""

import sys
import tempfile
import threading
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import click
import psutil

from nadlab.benchmarks.registry import benchmark
from nadlab.cli.command_line import run_command
from nadlab.cluster.execution import ExecutionConfig
from nadlab.engine.runner import run_study
from nadlab.semigan.settings import Settings
from perf.measuring import as_json, show
from studies.ablate_alpha import STUDY

MIB = 2**20


class Watch(threading.Thread):
    """Samples this process and Ray's workers below it until it is stopped; keeps the highest of each."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.resident: dict[str, float] = {}
        self.shares: dict[str, float] = {}

    def run(self) -> None:
        while not self.ended.wait(0.5):
            driver = psutil.Process()
            workers = [each for each in driver.children(recursive=True) if _title(each).startswith("ray::")]
            self._note("driver", [driver])
            self._note("worker", workers)

    def _note(self, role: str, processes: list[psutil.Process]) -> None:
        for process in processes:
            try:
                memory = process.memory_full_info()
            except psutil.NoSuchProcess:
                continue
            self.resident[role] = max(self.resident.get(role, 0.0), memory.rss / MIB)
            self.shares[role] = max(self.shares.get(role, 0.0), memory.pss / MIB)


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


@click.command(help=__doc__)
@click.option("--benchmark", "name", default="nasbench101", show_default=True, help="see `nadlab benchmarks`")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1))
@click.option("--epochs", default=2, show_default=True, type=click.IntRange(1))
@as_json
def command(name: str, workers: int, epochs: int, as_json: bool) -> None:
    settings = Settings(epochs=epochs)
    study = replace(STUDY, benchmark=name, settings=settings, vary={"alpha": (settings.alpha,)}, seeds=range(workers))
    watch = Watch()
    watch.start()
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
        status = run_study(study, benchmark(name), ExecutionConfig(Path(folder) / "out", concurrent=workers))
    watch.ended.set()
    watch.join()
    assert status == 0
    figures = {}
    for role, words in (("driver", "the driver"), ("worker", "a worker")):
        figures[f"MiB of {words}, resident"] = watch.resident[role]
        figures[f"MiB of {words}, its share"] = watch.shares[role]
    show(figures, as_json)


if __name__ == "__main__":
    sys.exit(run_command(command))
