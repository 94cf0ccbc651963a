"""Computations of their own side by side on the connected cluster: as tasks that hold no CPU, in order and with a progress bar."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import ray
from ray.exceptions import RayTaskError
from tqdm import tqdm

from nadlab.errors import UserError

Request = TypeVar("Request")
Result = TypeVar("Result")

LOSSES = 20
"""process or node losses that a trial or search survives in one launch: spot instances are lost often"""
PATIENCE = 0.5
"""seconds between two looks at signals"""


def side_by_side_on_ray(
    compute: Callable[[Request], Result],
    requests: Sequence[Request],
    unit: str,
    concurrent: int,
    check: Callable[[], None],
    state: Callable[[], str],
) -> Iterator[Result]:
    """Compute every request on one thread, `concurrent` at a time, and give the results in order.

    One whose process or node is lost is computed again from its start. check: called several times a second, may raise.
    state: a few words beside the bar. Raises what `compute` raises.
    """

    def alone(request: Request) -> Result:
        import torch

        torch.set_num_threads(1)
        return compute(request)

    task = ray.remote(alone).options(num_cpus=0, max_retries=LOSSES, scheduling_strategy="SPREAD", name=unit)
    waiting, running, done, given = deque(enumerate(requests)), dict[Any, int](), dict[int, Result](), 0
    with tqdm(total=len(requests), unit=unit) as bar:
        while given < len(requests):
            while waiting and len(running) < concurrent:
                place, request = waiting.popleft()
                running[task.remote(request)] = place
            for each in ray.wait(list(running), timeout=PATIENCE)[0]:
                done[running.pop(each)] = _result(each)
                bar.update()
            bar.set_postfix_str(state(), refresh=False)
            bar.refresh()
            check()
            while given in done:
                yield done.pop(given)
                given += 1


def _result(task: Any) -> Any:
    try:
        return ray.get(task)
    except RayTaskError as error:
        if isinstance(error.cause, UserError):
            raise UserError(str(error.cause)) from error
        raise
