"""Which trials a study runs, one after the other: a fixed list, or what earlier results suggest (`nadlab.study.tuning`)."""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from nadlab.study.records import Record, Trial

STEPS_A_TRIAL = 10
"""a kill costs at most a tenth of a trial"""

History = Sequence[Mapping[str, float]]


class TrialSchedule(Protocol):
    """The order of a study's trials; `nadlab.engine.tune` asks it whenever a worker is free."""

    @property
    def total(self) -> int:
        """Trials of the whole study, at most."""
        ...

    @property
    def trials(self) -> int:
        """Trials still to come when it was made, at most."""
        ...

    @property
    def epochs(self) -> int:
        """Epochs of all these trials."""
        ...

    @property
    def asked(self) -> Collection[str]:
        """Ids of the study's trials, as far as they are known."""
        ...

    @property
    def watches(self) -> bool:
        """Whether trials must report their history at every step, for `stops` to judge."""
        ...

    @property
    def over(self) -> bool:
        """Whether every trial has been given out."""
        ...

    def next(self) -> Trial | None:
        """Return the next trial, or None while it depends on one that runs."""
        ...

    def stops(self, trial: Trial, history: History) -> int | None:
        """Return the epoch at which a running trial is to be stopped, judged by its history so far; None: it goes on."""
        ...

    def ended(self, record: Record) -> None:
        """Take note of a trial that ended."""
        ...


class FixedSchedule:
    """A fixed list, in its order, without those that have ended; no trial is stopped early."""

    watches = False

    def __init__(self, trials: Sequence[Trial], ended: Collection[str] = ()) -> None:
        self.asked = {trial.id for trial in trials}
        self.total = len(trials)
        self._left = deque(trial for trial in trials if trial.id not in ended)
        self.trials = len(self._left)
        self.epochs = sum(trial.epochs for trial in self._left)

    @property
    def over(self) -> bool:
        return not self._left

    def next(self) -> Trial | None:
        return self._left.popleft() if self._left else None

    def stops(self, trial: Trial, history: History) -> int | None:  # noqa: ARG002 - it needs neither
        return None

    def ended(self, record: Record) -> None:
        """Nothing depends on it."""
