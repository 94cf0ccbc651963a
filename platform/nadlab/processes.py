"""Independent computations side by side, one a process and core, in order and with a progress bar."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

import torch
from tqdm import tqdm

Request = TypeVar("Request")
Result = TypeVar("Result")


def side_by_side(
    compute: Callable[[Request], Result], requests: Sequence[Request], unit: str, concurrent: int | None = None
) -> Iterator[Result]:
    """Compute every request on one thread, `concurrent` at a time (None: all cores), and give the results in order.

    One at a time is computed in this process; else `compute`, requests and results must be picklable.
    """
    workers = min(concurrent or os.cpu_count() or 1, len(requests))
    if workers == 1:
        _one_thread()
        yield from map(compute, requests)
        return
    # a forked process would inherit torch's threads in an unknown state
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as processes:
        yield from tqdm(processes.map(compute, requests), total=len(requests), unit=unit)


def _one_thread() -> None:
    # as the trials do: a seed gives the same result in both, and neighbours don't fight for cores
    torch.set_num_threads(1)
