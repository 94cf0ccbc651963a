"""Pruning: configurations race on their first seed, and those whose PP ranks worse by Kendall's tau are stopped.

A runner is compared with the runners before it whose results its proposal was made from, and with no others, so that
the outcome is the same in whatever order trials end.
"""

from collections.abc import Sequence

import optuna
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState

from nadlab.schedule.trial_schedule import History


def taus(history: History) -> dict[int, float]:
    """Return epoch -> PP's tau, where it was measured."""
    return {epoch: row["predictor_tau"] for epoch, row in enumerate(history, 1) if "predictor_tau" in row}


class PruningRun:
    """One runner among earlier ones."""

    def __init__(self, pruner: BasePruner, earlier: Sequence[FrozenTrial]) -> None:
        self._study = optuna.create_study(direction="maximize", pruner=pruner)
        self._study.add_trials(earlier)
        self._runner = self._study.ask()
        self._reported: dict[int, float] = {}

    def stops(self, history: History) -> int | None:
        """Return the epoch at which the runner is to be stopped, None while it goes on."""
        for epoch, tau in self._new(history):
            self._runner.report(tau, epoch)
            if self._runner.should_prune():
                return epoch
        return None

    def finish(self, history: History, stopped: bool) -> FrozenTrial:
        """End the race for this runner; return it as later ones see it."""
        for epoch, tau in self._new(history):
            self._runner.report(tau, epoch)
        if stopped or not self._reported:
            return self._study.tell(self._runner, state=TrialState.PRUNED if stopped else TrialState.FAIL)
        return self._study.tell(self._runner, self._reported[max(self._reported)])

    def _new(self, history: History) -> list[tuple[int, float]]:
        new = [(epoch, tau) for epoch, tau in taus(history).items() if epoch not in self._reported]
        self._reported |= dict(new)
        return new
