"""Pruning: configurations are compared on their first seed; those whose predictor ranks worse, by Kendall's tau, are stopped.

A configuration is compared only with the earlier ones whose results its proposal was made from. The outcome is
therefore the same in whatever order trials end.
"""

from collections.abc import Sequence

import optuna
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState

from nadlab.schedule.trial_schedule import History


def taus(history: History) -> dict[int, float]:
    """Return epoch -> PP's tau, at the epochs where it was measured and defined."""
    return {epoch: tau for epoch, row in enumerate(history, 1) if (tau := row.get("predictor_tau")) is not None}


class PruningRun:
    """One configuration compared with earlier ones."""

    def __init__(self, pruner: BasePruner, earlier: Sequence[FrozenTrial]) -> None:
        self._study = optuna.create_study(direction="maximize", pruner=pruner)
        self._study.add_trials(earlier)
        self._trial = self._study.ask()
        self._reported: dict[int, float] = {}

    def pruned_at(self, history: History) -> int | None:
        """Return the epoch at which the configuration is stopped; None while it continues."""
        for epoch, tau in self._new(history):
            self._trial.report(tau, epoch)
            if self._trial.should_prune():
                return epoch
        return None

    def finish(self, history: History, pruned: bool) -> FrozenTrial:
        """Return the ended configuration, for later ones to be compared with."""
        for epoch, tau in self._new(history):
            self._trial.report(tau, epoch)
        if pruned or not self._reported:
            return self._study.tell(self._trial, state=TrialState.PRUNED if pruned else TrialState.FAIL)
        return self._study.tell(self._trial, self._reported[max(self._reported)])

    def _new(self, history: History) -> list[tuple[int, float]]:
        new = [(epoch, tau) for epoch, tau in taus(history).items() if epoch not in self._reported]
        self._reported |= dict(new)
        return new
