"""Studies and tuning studies as the same thing: a record, a schedule and a size, for the runner and for dry runs."""

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from nadlab.benchmarks.oracle import Oracle
from nadlab.schedule.optuna_schedule import OptunaSchedule
from nadlab.schedule.trial_schedule import FixedSchedule, TrialSchedule
from nadlab.study.folder import StudyFolder
from nadlab.study.records import Record, StudyRecord
from nadlab.study.study import Study, flat, plan, study_record
from nadlab.study.tuning import Tuning, tuning_record


@dataclass(frozen=True)
class StudyPlan:
    """A study of either kind on an open benchmark."""

    study: Study
    """its default level is what a dry run times"""
    oracle: Oracle
    record: StudyRecord
    """with a study_id that a new folder gets"""
    schedule: Callable[[StudyFolder], TrialSchedule]
    total: int
    """trials, at most"""
    size: str
    """the same in words"""
    done: Callable[[Sequence[Record]], int]
    """trials that need not be run, by the records of a folder"""
    prunes: bool = False
    """trials may be stopped early"""
    plugins: Collection[object] = ()
    """values of settings, some of which may name objects as `module:object`"""


def plan_study(study: Study, oracle: Oracle) -> StudyPlan:
    """Return the plan of a study; raise UserError when a budget is larger than the benchmark."""
    trials = plan(study, oracle)

    def schedule(folder: StudyFolder) -> TrialSchedule:
        records = [record for trial in trials if (record := folder.record(trial))]
        return FixedSchedule(trials, _ended(records))

    return StudyPlan(
        study,
        oracle,
        study_record(study, oracle, uuid.uuid4().hex),
        schedule,
        len(trials),
        f"{len(trials)} trials, {len(study.combinations)} levels x {len(study.seeds)} seeds",
        lambda records: len(_ended(records) & {trial.id for trial in trials}),
        plugins={name for trial in trials for name in trial.settings.values()},
    )


def plan_tuning(tuning: Tuning, oracle: Oracle) -> StudyPlan:
    """Return the plan of a tuning study; raise UserError when the largest budget is larger than the benchmark."""
    prunes = tuning.pruner != "none"
    return StudyPlan(
        tuning.study,
        oracle,
        tuning_record(tuning, oracle, uuid.uuid4().hex),
        lambda folder: OptunaSchedule(tuning, oracle, folder),
        tuning.trials,
        f"at most {tuning.trials} trials{', fewer as the pruner stops some' if prunes else ''}: {tuning.configurations} "
        f"configurations x {len(tuning.seeds)} seeds, and the best and the default at {tuning.fresh} fresh seeds",
        lambda records: min(tuning.trials, len(_ended(records))),
        prunes,
        plugins=set(flat(tuning.settings).values()),
    )


def _ended(records: Sequence[Record]) -> set[str]:
    return {record.trial.id for record in records if record.status != "FAILED"}
