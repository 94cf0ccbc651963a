"""Independent computations side by side, one a process and core, in order and with a progress bar."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process, resource_tracker
from threading import Thread
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
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin) as processes:
        with _shielded():
            results = processes.map(compute, requests)
        yield from tqdm(results, total=len(requests), unit=unit)


def finished(
    compute: Callable[[Request], Result], requests: Sequence[Request], unit: str, concurrent: int | None = None
) -> list[Result]:
    """Compute every request as `side_by_side` and return the results in order; one at a time has a progress bar too."""
    if not requests:
        return []
    results = side_by_side(compute, requests, unit, concurrent)
    has_bar = min(concurrent or os.cpu_count() or 1, len(requests)) > 1
    return list(results if has_bar else tqdm(results, total=len(requests), unit=unit))


@contextmanager
def _shielded() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach: not even while they import, when each would print a traceback."""
    resource_tracker.ensure_running()  # it would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    # the command ends them: were they to die first, the pool would print a traceback for what was cancelled
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    _one_thread()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent
    parent.join()
    os._exit(1)  # killed, it could end nobody


def _one_thread() -> None:
    # as the trials do: a seed gives the same result in both, and neighbours don't fight for cores
    torch.set_num_threads(1)
