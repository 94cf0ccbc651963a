"""The order in which a study runs its trials: a fixed list here, Optuna's proposals in `optuna_schedule`."""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from nadlab.study.records import Record, Trial

STEPS_A_TRIAL = 10
"""a kill costs at most a tenth of a trial"""

History = Sequence[Mapping[str, float | None]]


class TrialSchedule(Protocol):
    """The order of a study's trials; `nadlab.engine.tune` takes the next one whenever a worker is free."""

    @property
    def total(self) -> int:
        """Trials of the whole study, at most."""
        ...

    @property
    def remaining(self) -> int:
        """Trials without a record at the start, at most."""
        ...

    @property
    def trial_ids(self) -> Collection[str]:
        """Ids of the study's trials, as far as they are known."""
        ...

    @property
    def prunes(self) -> bool:
        """Whether trials must report their history at every step, for `pruned_at`."""
        ...

    @property
    def over(self) -> bool:
        """Whether `next` has returned every trial."""
        ...

    def next(self) -> Trial | None:
        """Return the next trial; None while it depends on a running one, or at the end."""
        ...

    def pruned_at(self, trial: Trial, history: History) -> int | None:
        """Return the epoch at which a running trial with this history is stopped; None: it continues."""
        ...

    def ended(self, record: Record) -> None:
        """Take the record of a trial that ended."""
        ...


class FixedSchedule:
    """A fixed list in its order, without the trials that have ended; nothing is pruned."""

    prunes = False

    def __init__(self, trials: Sequence[Trial], ended: Collection[str] = ()) -> None:
        self.trial_ids = {trial.id for trial in trials}
        self.total = len(trials)
        self._left = deque(trial for trial in trials if trial.id not in ended)
        self.remaining = len(self._left)

    @property
    def over(self) -> bool:
        return not self._left

    def next(self) -> Trial | None:
        return self._left.popleft() if self._left else None

    def pruned_at(self, trial: Trial, history: History) -> int | None:  # noqa: ARG002 - nothing is pruned
        return None

    def ended(self, record: Record) -> None:
        """Do nothing: no trial depends on another."""
