"""Studies and tuning studies as the same thing: a record, a schedule and a size, for the runner and for dry runs."""

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from nadlab.benchmarks.oracle import Oracle, facts_of
from nadlab.errors import UserError
from nadlab.provenance.hardware import backend
from nadlab.schedule.optuna_schedule import OptunaSchedule
from nadlab.schedule.trial_schedule import FixedSchedule, TrialSchedule
from nadlab.study.cautions import cautions, check, check_tuning
from nadlab.study.folder import StudyFolder
from nadlab.study.levels import flat
from nadlab.study.records import Record, StudyRecord
from nadlab.study.study import Study, plan, study_record
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
    said: Callable[[Sequence[Record]], list[str]] = lambda _: []
    """the records of a folder -> what to say of the study's choices before it runs"""


def plan_study(study: Study, oracle: Oracle, bfloat16: bool | None = None, said: Sequence[str] = ()) -> StudyPlan:
    """Return the plan of a study.

    bfloat16: whether trials can compute in it; None where that is not known. said: sentences about the study so far.
    Raises UserError when a budget is larger than the benchmark, or a choice cannot run or changes nothing.
    """
    trials = plan(study, oracle)
    check(study, oracle, bfloat16)
    record = study_record(study, oracle, uuid.uuid4().hex)

    def schedule(folder: StudyFolder) -> TrialSchedule:
        records = [record for trial in trials if (record := folder.record(trial))]
        return FixedSchedule(trials, _ended(records))

    return StudyPlan(
        study,
        oracle,
        record,
        schedule,
        len(trials),
        f"{len(trials)} trials, {_count(len(study.combinations), 'level')} x {_count(len(study.seeds), 'seed')}",
        lambda records: len(_ended(records) & {trial.id for trial in trials}),
        plugins={name for trial in trials for name in trial.settings.values()},
        said=lambda records: [*said, *cautions(study, oracle, record, records), *_ceiling(record, records)],
    )


def plan_tuning(tuning: Tuning, oracle: Oracle, bfloat16: bool | None = None) -> StudyPlan:
    """Return the plan of a tuning study; see `plan_study`.

    A pruner needs answers that are free, for PP's tau: UserError on another benchmark.
    """
    check_tuning(tuning, oracle, bfloat16)
    record = tuning_record(tuning, oracle, uuid.uuid4().hex)
    prunes = tuning.pruner != "none"
    if prunes and not facts_of(oracle).free:
        raise UserError(
            f"--pruner {tuning.pruner} judges trials by accuracies that no search queried, and {oracle.name} trains a network "
            "for each: leave out --pruner"
        )
    return StudyPlan(
        tuning.study,
        oracle,
        record,
        lambda folder: OptunaSchedule(tuning, oracle, folder),
        tuning.trials,
        f"at most {tuning.trials} trials{', fewer as the pruner stops some' if prunes else ''}: {tuning.configurations} "
        f"configurations x {len(tuning.seeds)} seeds, and the best and the default at {tuning.fresh} fresh seeds",
        lambda records: min(tuning.trials, len(_ended(records))),
        prunes,
        plugins=set(flat(tuning.settings).values()),
        said=lambda records: _ceiling(record, records),
    )


def _ceiling(study: StudyRecord, records: Sequence[Record]) -> list[str]:
    from nadlab.analysis.cautions import ceiling  # late: scipy takes a second

    return ceiling(study, records) if records else []


def on_device(study: StudyRecord, gpus_per_trial: float | None) -> StudyRecord:
    """Return the study as its trials are computed: on a CPU where `gpus_per_trial` is 0, whatever the machine has."""
    return study if gpus_per_trial != 0 else replace(study, origin=study.origin | {"backend": backend(gpus=False)})


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def _ended(records: Sequence[Record]) -> set[str]:
    return {record.trial.id for record in records if record.is_final}
