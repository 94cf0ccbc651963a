"""Trainings as Ray tasks on the whole cluster, one a cell, with retries and a timeout; needs an open connection to Ray."""

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError, RayTaskError, WorkerCrashedError

from nadlab.benchmarks.files import short_digest
from nadlab.benchmarks.oracle import Cost, Evaluation, Oracle
from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.evaluations.answers import EvaluationFailed, evaluated
from nadlab.evaluations.config import EvaluationConfig
from nadlab.evaluations.store import Ended, failure
from nadlab.spaces import Cells

POLL = 0.2
"""seconds between two looks at the timeouts"""
REASONS = {
    OutOfMemoryError: "its node ran out of memory, and Ray ended it",
    NodeDiedError: "its node was lost",
    WorkerCrashedError: "its process was killed or crashed",
}
"""Ray's error -> what it means"""


@dataclass
class Attempt:
    """A running attempt at a cell of the batch."""

    row: int
    number: int
    """1 for the first"""
    host: str = ""
    """empty until it runs"""
    since: float = 0.0
    overdue: bool = False
    answer: tuple[Evaluation, float] | str = ""
    """the evaluation and its seconds, or why there is none"""


def train(
    oracle: Oracle, cost: Cost, config: EvaluationConfig, cells: Cells, fidelity: int | None = None
) -> Iterator[tuple[int, Ended]]:
    """Evaluate every cell in a task of its own and yield its row and what came of it, in the order in which they end.

    Raises UserError when a node cannot open the benchmark or has another version of it.
    """
    task = ray.remote(_training).options(
        num_cpus=cost.cpus, num_gpus=cost.gpus, memory=cost.memory_bytes, num_returns="streaming", max_retries=0,
        scheduling_strategy="SPREAD",  # not inside the placement group of the trial, which has no room
        name=f"evaluation of {oracle.name}",
    )  # fmt: skip

    def start(row: int) -> Any:
        return task.remote(oracle.name, oracle.preset, oracle.digest, cells[row : row + 1], fidelity)

    running = {start(row): Attempt(row, 1) for row in range(len(cells))}
    try:
        while running:
            for each in ray.wait(list(running), timeout=POLL, fetch_local=False)[0]:
                attempt = running[each]
                over, reason = _next(each, attempt, config)
                if over:
                    del running[each]
                    if reason and attempt.number <= config.retries:
                        running[start(attempt.row)] = Attempt(attempt.row, attempt.number + 1)
                    else:
                        yield attempt.row, _ended(oracle, attempt, reason)
            for each, attempt in running.items():
                runs = attempt.host and not attempt.overdue
                if config.timeout and runs and time.monotonic() > attempt.since + config.timeout:
                    attempt.overdue = True
                    ray.cancel(each, force=True)
    finally:
        for each in running:
            ray.cancel(each, force=True)


def _training(name: str, preset: str, digest: str, cell: Cells, fidelity: int | None) -> Iterator[Any]:
    """Yield the host when the benchmark is open, then the evaluation and its seconds, or why there is none."""
    oracle = benchmark(name, preset)
    host = socket.gethostname()
    if oracle.digest != digest:
        raise UserError(
            f"the node {host} has another version of {name} (digest {short_digest(oracle.digest)}, not {short_digest(digest)}): copy it there"
        )
    yield host
    started = time.perf_counter()
    try:
        (answer,) = evaluated(oracle, cell, fidelity)
    except EvaluationFailed as error:
        yield f"{type(error.__cause__).__name__}: {error.__cause__}"
    except UserError as error:
        yield str(error)
    else:
        yield answer, time.perf_counter() - started


def _next(task: Any, attempt: Attempt, config: EvaluationConfig) -> tuple[bool, str]:
    """Take what a task yielded; return whether it is over, and why it failed where it did."""
    try:
        value = ray.get(next(task))
    except StopIteration:
        return True, _sentence(attempt.answer) if isinstance(attempt.answer, str) else ""
    except RayTaskError as error:
        if not attempt.host:  # the benchmark could not be opened: every other cell would fail too
            raise UserError(str(error.cause)) from error
        return True, _sentence(error.cause)
    except RayError as error:
        if isinstance(attempt.answer, tuple):  # lost after it had answered
            return True, ""
        if attempt.overdue:
            return True, f"it took longer than {config.timeout:g} s"
        return True, next((words for kind, words in REASONS.items() if isinstance(error, kind)), _sentence(error))
    if attempt.host:
        attempt.answer = value
    else:
        attempt.host, attempt.since = value, time.monotonic()
    return False, ""


def _ended(oracle: Oracle, attempt: Attempt, reason: str) -> Ended:
    if not isinstance(attempt.answer, str) and not reason:
        return Ended(*attempt.answer, attempt.number, attempt.host)
    seconds = time.monotonic() - attempt.since if attempt.host else 0.0
    return Ended(failure(oracle, reason), seconds, attempt.number, attempt.host)


def _sentence(error: object) -> str:
    return " ".join(str(error).split())[:1000] or "it ended without an answer"
