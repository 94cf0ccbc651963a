"""Which trials go into one process: one each, or several that can be trained at once (`--pack`)."""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from nadlab.errors import UserError
from nadlab.schedule.trial_schedule import TrialSchedule
from nadlab.study.records import Trial


@dataclass(frozen=True, slots=True)
class Packing:
    """How many trials go into one process at most, and what their settings must agree on."""

    size: int
    agreement: Callable[[dict[str, Any]], Hashable]

    @property
    def on(self) -> bool:
        """Whether processes take lists of trials."""
        return self.size > 1


UNPACKED = Packing(1, lambda _: None)


def packed(trainable: Any, size: int) -> tuple[type, Packing]:
    """Return the trainable that takes so many trials at once, and what they must agree on.

    A trainable that can be packed names that other one as `packed`. Raises UserError for one that can't.
    """
    if size == 1:
        return trainable, UNPACKED
    together = getattr(trainable, "packed", None)
    if together is None:
        raise UserError(f"trials of {trainable.__name__} can't be trained at once in one process: leave out --pack")
    return together, Packing(size, together.agreement)


class Queue:
    """The trials of a schedule as they are given out, a process's share at a time: at most `size` of them."""

    def __init__(self, schedule: TrialSchedule, packing: Packing, size: int | None = None) -> None:
        self.schedule, self.packing, self.size = schedule, packing, size or packing.size
        self._waiting: dict[Hashable, deque[tuple[int, Trial]]] = {}
        """what trials agree on -> their places in the schedule, and they"""
        self._taken = 0
        self._alone: list[Trial] = []
        self._under_way = 0

    def next(self) -> list[Trial]:
        """Return the next trials for one process; none while they depend on some that run, or when all are given out."""
        if not self.packing.on:
            trial = self.schedule.next()
            return [trial] if trial else []
        if self._alone:
            return [self._alone.pop(0)]
        while trial := self.schedule.next():
            self._waiting.setdefault(self.packing.agreement(trial.settings), deque()).append((self._taken, trial))
            self._taken += 1
        if not self._waiting:
            return []
        shape = min(self._waiting, key=lambda each: self._waiting[each][0][0])
        alike = self._waiting[shape]
        pack = [alike.popleft()[1] for _ in range(min(len(alike), self.size))]
        if not alike:
            del self._waiting[shape]
        self._under_way += len(pack) > 1
        return pack

    def ended(self) -> None:
        """Take note of a pack of several trials that is over."""
        self._under_way -= 1

    def failed(self, trials: Sequence[Trial]) -> None:
        """Take back the trials of a pack: each goes on in a process of its own, so that one at fault spares the others."""
        self._under_way -= 1
        self._alone += trials

    @property
    def over(self) -> bool:
        """Whether every trial has been given out for good."""
        return self.schedule.over and not (self._waiting or self._alone or self._under_way)
