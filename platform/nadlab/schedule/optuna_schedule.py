"""The schedule of a tuning study: Optuna proposes configurations and receives their results; a kill at any moment loses neither.

Optuna's study is `optuna.db` in the output folder: it holds proposals and results, the records hold the trials.
Configuration n is proposed when Optuna has the results of all up to n - ahead and of none after, by a sampler seeded by
n. The same command therefore proposes the same configurations, however often it was killed and whatever runs at once.
"""

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from nadlab.benchmarks.oracle import Oracle, metric_of
from nadlab.errors import UserError
from nadlab.schedule.optuna_storage import open_study, wait_for_lock
from nadlab.schedule.pruning import PruningRun, taus
from nadlab.schedule.trial_schedule import STEPS_A_TRIAL, History
from nadlab.study.folder import StudyFolder
from nadlab.study.levels import value_of
from nadlab.study.records import Record, Trial
from nadlab.study.tuning import Tuning, pruner, sampler

logger = logging.getLogger(__name__)
optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass
class Configuration:
    """Proposed settings and their results."""

    proposal: optuna.Trial | FrozenTrial
    """frozen once Optuna has its result"""
    trials: Sequence[Trial]
    """one a seed; none where its settings exclude one another"""
    pruning_run: PruningRun
    records: dict[int, Record] = field(default_factory=dict)
    """seed -> record"""
    first_seed: FrozenTrial | None = None
    """its first seed as later pruning runs compare with it, once it has ended"""

    @property
    def is_reported(self) -> bool:
        """Whether Optuna has its result."""
        return isinstance(self.proposal, FrozenTrial)

    @property
    def statuses(self) -> set[str]:
        """The different statuses of its records."""
        return {record.status for record in self.records.values()}

    @property
    def complete(self) -> bool:
        """Whether its result is final: every seed has a record, or one failed or was pruned."""
        return len(self.records) == len(self.trials) or not self.statuses <= {"FINISHED"}

    def values(self, objectives: Sequence[str]) -> list[float] | None:
        """Return the mean of each objective over the seeds, None when a trial failed, was pruned, is missing or has no best cell."""
        if not self.complete or not self.records or not all(record.is_judged for record in self.records.values()):
            return None
        # in the order of the seeds: a sum in the order of their ends would differ in its last digit
        records = [self.records[trial.seed] for trial in self.trials]
        means = {
            "accuracy": float(np.mean([record.accuracy for record in records])),
            "queries": float(np.mean([len(record.ledger) for record in records])),
        }
        return [means[name] for name in objectives]


class OptunaSchedule:
    """See the module, and `nadlab.schedule.trial_schedule.TrialSchedule`."""

    def __init__(self, tuning: Tuning, oracle: Oracle, folder: StudyFolder) -> None:
        self.tuning = tuning
        self.oracle = oracle
        self.folder = folder
        self.metric = metric_of(oracle)
        self.study = open_study(folder.path, tuning.name, tuning.objectives, self.metric.maximise)
        self.prunes = tuning.pruner != "none"
        self.trial_ids: set[str] = set()
        self.total = tuning.trials
        self._pruner = pruner(tuning.pruner, max(1, tuning.epochs // STEPS_A_TRIAL))
        self._queue: deque[Trial] = deque()
        self._pending: set[str] = set()
        """ids of trials that are queued or run"""
        self._configurations: list[Configuration] = []
        self._fresh = False
        for proposal in self._proposed():
            self._take(proposal)
        self._advance()
        # records of fresh seeds may belong to a former best configuration: they do not count
        done = sum(record.is_final and record.trial.id in self.trial_ids for record in folder.records())
        self.remaining = max(1, self.total - done)

    @property
    def over(self) -> bool:
        self._advance()
        return self._fresh and not self._queue

    def next(self) -> Trial | None:
        self._advance()
        return self._queue.popleft() if self._queue else None

    def pruned_at(self, trial: Trial, history: History) -> int | None:
        running = [each for each in self._configurations if trial in each.trials[:1] and not each.first_seed]
        return next((epoch for each in running if (epoch := each.pruning_run.pruned_at(history)) is not None), None)

    def ended(self, record: Record) -> None:
        self._pending.discard(record.trial.id)
        for each in self._configurations:
            if record.trial in each.trials:
                self._note(each, record)

    def _advance(self) -> None:
        """Report complete configurations and propose new ones, until there is a trial to run or one must end first."""
        while not self._queue and not self._fresh:
            count = len(self._configurations)
            if count < self.tuning.configurations:
                if count >= self.tuning.ahead and not self._tell(self._configurations[count - self.tuning.ahead]):
                    return
                self._take(self._propose())
            elif all(self._tell(each) for each in self._configurations):
                self._fresh = True
                self._run(self._fresh_trials())
            else:
                return

    def _propose(self) -> optuna.Trial:
        wait_for_lock(self.folder.path)
        number = len(self._configurations)
        if not number and not self.study.get_trials(states=(TrialState.WAITING,)):
            self.study.enqueue_trial({name: value_of(self.tuning.settings, name) for name in self.tuning.space})
        # the storage keeps all results, a kill would lose a sampler's own random state
        self.study.sampler = sampler(self.tuning.sampler, int(np.random.SeedSequence([number]).generate_state(1)[0]))
        return self.study.ask(dict(self.tuning.space))

    def _proposed(self) -> list[optuna.Trial | FrozenTrial]:
        """Return the proposals of earlier runs; one that a kill left incomplete is marked as failed."""
        found: list[optuna.Trial | FrozenTrial] = []
        for each in self.study.get_trials(
            states=(TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        ):
            whole = each.params.keys() == self.tuning.space.keys()
            running = each.state == TrialState.RUNNING
            if whole:
                found.append(optuna.Trial(self.study, each._trial_id) if running else each)
            elif running:
                self.study.tell(each.number, state=TrialState.FAIL)
        return found

    def _take(self, proposal: optuna.Trial | FrozenTrial) -> None:
        try:
            trials = [self.tuning.trial(proposal.params, seed, self.oracle) for seed in self.tuning.seeds]
        except UserError as error:  # values that are allowed one by one, but not together
            logger.warning("configuration %d is left out: %s", len(self._configurations) + 1, error)
            trials = []
        earlier = self._configurations[: max(0, len(self._configurations) - self.tuning.ahead + 1)]
        pruning_run = PruningRun(self._pruner, [each.first_seed for each in earlier if each.first_seed])
        configuration = Configuration(proposal, trials, pruning_run)
        self._configurations.append(configuration)
        self._run(trials[:1] if self.prunes else trials, again=not configuration.is_reported)

    def _run(self, trials: Sequence[Trial], again: bool = True) -> None:
        """Queue trials that have no record and, with `again`, those that failed; use the records of the others.

        A trial of two equal configurations runs once.
        """
        for trial in trials:
            record, met = self.folder.record(trial), trial.id in self.trial_ids
            if record and (record.is_final or not again or (met and trial.id not in self._pending)):
                self.ended(record)
            elif not met:
                self._queue.append(trial)
                self._pending.add(trial.id)
            self.trial_ids.add(trial.id)

    def _note(self, configuration: Configuration, record: Record) -> None:
        seed, first = record.trial.seed, self.tuning.seeds[0]
        if seed in configuration.records:
            return
        configuration.records[seed] = record
        if seed != first or not self.prunes:
            return
        killed = record.status == "KILLED"
        configuration.pruning_run.pruned_at(record.history if killed else record.history[:-1])
        configuration.first_seed = configuration.pruning_run.finish(record.history, killed)
        if record.status == "FINISHED":
            self._run(configuration.trials[1:])

    def _tell(self, configuration: Configuration) -> bool:
        """Report a configuration to Optuna; return False while it is not complete."""
        proposal, values = configuration.proposal, configuration.values(self.tuning.objectives)
        if isinstance(proposal, FrozenTrial) or not configuration.complete:
            return configuration.is_reported
        wait_for_lock(self.folder.path)
        first = configuration.records.get(self.tuning.seeds[0])  # another seed may have failed before it ends
        if first and len(self.tuning.objectives) == 1:  # Optuna takes intermediate values of one objective alone
            for epoch, tau in taus(first.history).items():
                proposal.report(tau, epoch)
        state = TrialState.PRUNED if "KILLED" in configuration.statuses else TrialState.FAIL
        configuration.proposal = self.study.tell(proposal, values, None if values else state)
        return True

    def _fresh_trials(self) -> list[Trial]:
        """Return the best and the default configuration at seeds that no configuration was chosen by."""
        finished = [(each, values) for each in self._configurations if (values := each.values(("accuracy",)))]
        if not finished:
            return []
        best = max(finished, key=lambda pair: self.metric.score(pair[1][0]))[0]
        chosen = {id(each): each for each in (best, self._configurations[0])}.values()
        seeds = self.tuning.fresh_seeds
        return [self.tuning.trial(each.proposal.params, seed, self.oracle) for seed in seeds for each in chosen]
