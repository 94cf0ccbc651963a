"""Which trials share a process: one each, or several that are trained at once (`--pack`)."""

from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nadlab.errors import UserError
from nadlab.schedule.trial_schedule import TrialSchedule
from nadlab.study.records import Trial


@dataclass(frozen=True, slots=True)
class Packing:
    """Trials in a process at most, and the part of their settings that must be equal; None: processes take one trial."""

    size: int
    agreement: Callable[[dict[str, Any]], Hashable] | None

    @property
    def on(self) -> bool:
        """Whether processes take lists of trials."""
        return self.agreement is not None


UNPACKED = Packing(1, None)


def packed(trainable: Any, size: int) -> tuple[type, Packing]:
    """Return the trainable for packs of a size, and their packing; a trainable names the one for packs as `packed`.

    Raises UserError for a trainable without one.
    """
    if size == 1:
        return trainable, UNPACKED
    together = getattr(trainable, "packed", None)
    if together is None:
        raise UserError(f"trials of {trainable.__name__} can't be trained at once in one process: leave out --pack")
    return together, Packing(size, together.agreement)


class TrialPacks:
    """The trials of a schedule, grouped into processes.

    begun: trial -> the process that it began in; those of one process stay together, and apart from all others.
    """

    def __init__(self, schedule: TrialSchedule, packing: Packing, begun: Mapping[str, str] | None = None) -> None:
        self.schedule, self.packing, self._begun = schedule, packing, begun or {}
        self._waiting: dict[Hashable, deque[tuple[int, Trial]]] = {}
        """agreement and process -> places in the schedule and trials"""
        self._count = 0
        self._alone: list[Trial] = []
        self._running_packs = 0

    def next(self) -> list[Trial]:
        """Return the trials of the next process; none when all depend on running trials, or at the end."""
        if self._alone:
            return [self._alone.pop(0)]
        while trial := self.schedule.next():
            agreement = self.packing.agreement(trial.settings) if self.packing.agreement else None
            alike = agreement, self._begun.get(trial.id)
            self._waiting.setdefault(alike, deque()).append((self._count, trial))
            self._count += 1
        if not self._waiting:
            return []
        first = min(self._waiting, key=lambda each: self._waiting[each][0][0])
        waiting = self._waiting[first]
        pack = [waiting.popleft()[1] for _ in range(min(len(waiting), self.packing.size))]
        if not waiting:
            del self._waiting[first]
        self._running_packs += len(pack) > 1
        return pack

    def ended(self) -> None:
        """Note that a pack of several trials ended."""
        self._running_packs -= 1

    def failed(self, trials: Sequence[Trial]) -> None:
        """Take back the trials of a failed pack: each runs in its own process, so that one failure affects no other."""
        self._running_packs -= 1
        self._alone += trials

    @property
    def over(self) -> bool:
        """Whether no trial is left and none can come back."""
        return self.schedule.over and not (self._waiting or self._alone or self._running_packs)
