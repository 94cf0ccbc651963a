"""What the measuring commands share: CPU clocks, spreads, the machine and its matrix peak, output as text or JSON."""

import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

PEAK_SIZE = 2048
as_json = click.option("--json", "as_json", is_flag=True, help="one JSON object instead of lines of text")


@dataclass(frozen=True, slots=True)
class Spread:
    """Repetitions of one measurement: their median, lowest, highest and number."""

    median: float
    lowest: float
    highest: float
    repetitions: int

    def __str__(self) -> str:
        return f"{self.median:.4g} ({self.lowest:.4g} to {self.highest:.4g}, {self.repetitions} repetitions)"


def spread(values: Sequence[float]) -> Spread:
    """Summarise at least one repetition."""
    return Spread(float(np.median(values)), min(values), max(values), len(values))


def ratios(slow: Sequence[float], fast: Sequence[float]) -> Spread:
    """Summarise how many times longer the first took, pair by pair: pairs are measured one after the other."""
    return spread([a / b for a, b in zip(slow, fast, strict=True)])


def cpu_seconds(function: Callable[[], object]) -> float:
    """Return the CPU seconds that all threads of this process spend in a call.

    On a shared machine they count what a neighbour takes of caches and clock, but not the time it holds the core.
    """
    start = time.process_time()
    function()
    return time.process_time() - start


def wall_seconds(function: Callable[[], object]) -> float:
    """Return the seconds that pass during a call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def matrix_peak(precision: torch.dtype, repetitions: int = 5) -> Spread:
    """Return GFLOP/s of one large product of square matrices on the threads that torch has: what the machine can do."""
    matrix = torch.randn(PEAK_SIZE, PEAK_SIZE).to(precision)
    threads = torch.get_num_threads()
    torch.mm(matrix, matrix)
    seconds = [cpu_seconds(lambda: torch.mm(matrix, matrix)) / threads for _ in range(repetitions)]
    return spread([2 * PEAK_SIZE**3 / each / 1e9 for each in seconds])


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    cpu = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    return {
        "cpu": cpu.partition(":")[2].strip(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def show(figures: dict[str, Any], as_json: bool) -> None:
    """Print figures with the machine that they were measured on."""
    figures = {"machine": machine(), **figures}
    if as_json:
        plain = {key: asdict(value) if is_dataclass(value) else value for key, value in figures.items()}  # type: ignore[arg-type]
        click.echo(json.dumps(plain))
        return
    for name, value in figures.items():
        click.echo(f"{name}: {f'{value:.4g}' if isinstance(value, float) else value}")
