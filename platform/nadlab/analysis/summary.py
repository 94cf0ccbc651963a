"""The records of a study, summarised by level."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nadlab.analysis.statistics.comparisons import Comparison, compare
from nadlab.analysis.statistics.intervals import Interval, interval_columns, iqm_interval, mean_interval
from nadlab.study.outcomes import measured, smallest_effect, value
from nadlab.study.records import Record, StudyRecord


@dataclass(frozen=True, slots=True)
class LevelSummary:
    """One level of the factor over its seeds, by the study's first outcome; regret in the benchmark's unit."""

    level: str
    accuracy: Interval
    """the outcome: the reported accuracy of the best cell by search accuracy where the study asks for no other"""
    deviation: float | None
    """its standard deviation over seeds; None for a single one"""
    best: float
    """its best value"""
    median: float
    worst: float
    """its value at the worst seed"""
    iqm: Interval
    """its interquartile mean"""
    regret: float | None
    """None where the benchmark does not know its optimum"""
    comparison: Comparison | None
    """with the default level on the same seeds; None for the default and where it was not run"""
    is_default: bool


def finished(records: Sequence[Record]) -> list[Record]:
    """Return the records of finished trials that have a best cell."""
    return [record for record in records if record.is_judged]


def by_level(study: StudyRecord, records: Sequence[Record]) -> dict[str, list[Record]]:
    """Return the finished records of each level, levels in ascending order."""
    groups: dict[str, list[Record]] = {}
    for record in sorted(finished(records), key=lambda record: (_order(study, record), record.trial.seed)):
        groups.setdefault(study.level(record.trial), []).append(record)
    return groups


def summarize(study: StudyRecord, records: Sequence[Record], rng: np.random.Generator) -> list[LevelSummary]:
    """Return one summary a level."""
    groups = by_level(study, records)
    default = study.default_level
    accuracies = {level: found for level, group in groups.items() if (found := values_of(study, group))}
    others = {level: values for level, values in accuracies.items() if level != default}
    maximise = measured(study).maximise
    comparisons = compare(others, accuracies.get(default, {}), rng, maximise, smallest_effect(study))
    return [
        LevelSummary(
            level,
            mean_interval(values, rng),
            float(values.std(ddof=1)) if len(values) > 1 else None,
            float(values.max() if maximise else values.min()),
            float(np.median(values)),
            float(values.min() if maximise else values.max()),
            iqm_interval(values, rng),
            mean_regret(groups[level]),
            comparisons.get(level),
            level == default,
        )
        for level, values in ((level, np.array(list(found.values()))) for level, found in accuracies.items())
    ]


def values_of(study: StudyRecord, records: Sequence[Record]) -> dict[int, float]:
    """Return seed -> the study's first outcome, of the trials that have it."""
    return {record.trial.seed: found for record in records if (found := value(record, study)) is not None}


def mean_regret(records: Sequence[Record]) -> float | None:
    """Return the mean regret of trials, None where the benchmark does not know its optimum."""
    regrets = [value for record in records if (value := record.metrics.get("regret")) is not None]
    return float(np.mean(regrets)) if regrets else None


def trial_row(study: StudyRecord, record: Record) -> dict[str, object]:
    """Return what tables say of a trial, whatever became of it: its level of every factor, its status and metrics."""
    trial = record.trial
    factors = {factor: trial.value(factor) for factor in study.default}
    row = {"trial": trial.id, "level": study.level(trial), **factors, "seed": trial.seed}
    return {**row, "status": record.status, **record.metrics}


def level_table(rows: Sequence[LevelSummary]) -> pd.DataFrame:
    """Return a row a level: `levels.csv` and the public `levels`."""
    return pd.DataFrame([_level_row(row) for row in rows])


def _level_row(row: LevelSummary) -> dict[str, object]:
    found = row.comparison
    return {
        "level": row.level,
        "is_default": row.is_default,
        **interval_columns("", row.accuracy, "n", "mean", "low", "high"),
        "sd": row.deviation,
        "best": row.best,
        "median": row.median,
        "worst": row.worst,
        **({} if row.regret is None else {"regret": row.regret}),
        "iqm": row.iqm.mean,
        **interval_columns("iqm_", row.iqm, "low", "high"),
        **interval_columns("difference_", found.difference if found else None, "mean", "low", "high", "n"),
        "p_holm": found.p_value if found else None,
        "p_equivalent": found.p_equivalent if found else None,
        "pairs_that_differ": found.nonzero if found else None,
        **interval_columns("superiority_", found.superiority if found else None, "mean", "low", "high"),
    }


def _order(study: StudyRecord, record: Record) -> tuple[tuple[bool, float, str], ...]:
    values = [record.trial.value(factor) for factor in study.default]
    if study.names:
        return ((False, list(study.names.values()).index(study.level(record.trial)), ""),)
    if study.one_at_a_time:  # the default first, then a change of the first factor
        changed = [value != default for value, default in zip(values, study.default.values(), strict=True)]
        return tuple((there, 0.0, str(value) * there) for there, value in zip(changed[::-1], values[::-1], strict=True))
    return tuple((value is None, value if isinstance(value, int | float) else 0.0, str(value)) for value in values)
