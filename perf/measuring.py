"""What the measuring commands share: CPU clocks, spreads, the machine and its matrix peak, output as text or JSON."""

import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from nadlab.cli.command_line import echo_json, json_option
from nadlab.nets import accelerator

PEAK_SIZE = 2048
as_json = json_option("one JSON object instead of lines of text")


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
    """Return GFLOP/s of one large product of square matrices on one of the cores that torch uses: what it can do.

    Of oneDNN and the library of torch's own operator, MKL for float32, the faster one counts: on AMD processors MKL leaves
    AVX-512 alone, and oneDNN is slower with AVX2.
    """
    return max(
        (_speed(each, precision, repetitions) for each in (_onednn_product, torch.mm)), key=lambda each: each.median
    )


def _onednn_product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    if left.dtype != torch.float32:
        return left @ right
    multiplied: torch.Tensor = torch.ops.mkldnn._linear_pointwise(left, right.t(), None, "none", [], "")
    return multiplied


def _speed(
    multiply: Callable[[torch.Tensor, torch.Tensor], object], precision: torch.dtype, repetitions: int
) -> Spread:
    matrix = torch.randn(PEAK_SIZE, PEAK_SIZE).to(precision)
    multiply(matrix, matrix)
    seconds = [cpu_seconds(lambda: multiply(matrix, matrix)) for _ in range(repetitions)]
    return spread([2 * PEAK_SIZE**3 / each / 1e9 for each in seconds])


@contextmanager
def without_accelerator(off: bool = True) -> Iterator[None]:
    """Take torch's operators for the GINs, as on a GPU; with False, change nothing."""
    if not off:
        yield
        return
    with patch.object(accelerator, "fits", lambda *_: False):
        yield


def gigaflop(function: Callable[[], object]) -> tuple[float, float]:
    """Return what the matrix products of a call take, in GFLOP, and the part of them outside the accelerator.

    All are counted on torch's operators, in a second call.
    """
    counts = []
    for off in (True, False):
        with without_accelerator(off), FlopCounterMode(display=False) as counter:
            function()
        counts.append(counter.get_total_flops() / 1e9)
    return counts[0], counts[1]


def accelerator_seconds(function: Callable[[], object]) -> float:
    """Return the CPU seconds that a call spends in the accelerator's C++."""
    spent: list[float] = []
    found = accelerator._function

    def timed(name: str) -> Callable[..., None]:
        return lambda *arguments: spent.append(cpu_seconds(lambda: found(name)(*arguments)))

    with patch.object(accelerator, "_function", timed):
        function()
    return sum(spent)


class _Counting(TorchDispatchMode):
    """Counts what torch hands to the device, one operator at a time."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count: int = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def operators(function: Callable[[], object]) -> int:
    """Return how many operators of torch a call runs: what a GPU would launch, and a CPU dispatches."""
    counting = _Counting()
    with counting:
        function()
    return counting.count


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    cpu = next(
        line for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if line.startswith("model name")
    )
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
        echo_json(plain)
        return
    for name, value in figures.items():
        click.echo(f"{name}: {f'{value:.4g}' if isinstance(value, float) else value}")
