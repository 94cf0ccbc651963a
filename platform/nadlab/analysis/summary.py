"""What the records of a study say about each level, in numbers and in words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nadlab.analysis.intervals import FEWEST_SEEDS, Interval, mean_interval, paired_difference
from nadlab.records import Record, StudyRecord


@dataclass(frozen=True, slots=True)
class LevelSummary:
    """One level of the factor over its seeds; accuracies and regret in percent."""

    level: str
    accuracy: Interval
    """reported accuracy of the best cell by search accuracy"""
    regret: float
    difference: Interval | None
    """accuracy less the default level's on the same seeds; None for the default and where it was not run"""
    is_default: bool


def by_level(study: StudyRecord, records: Sequence[Record]) -> dict[str, list[Record]]:
    """Return the finished records of each level, levels in ascending order."""
    finished = [record for record in records if record.status == "FINISHED"]
    groups: dict[str, list[Record]] = {}
    for record in sorted(finished, key=lambda record: (_order(study, record), record.trial.seed)):
        groups.setdefault(study.level(record.trial), []).append(record)
    return groups


def summarize(study: StudyRecord, records: Sequence[Record], rng: np.random.Generator) -> list[LevelSummary]:
    """Return one summary a level."""
    groups = by_level(study, records)
    default = study.default_level
    reference = _accuracies(groups.get(default, []))
    rows = []
    for level, group in groups.items():
        values = _accuracies(group)
        difference = None if level == default else paired_difference(values, reference, rng)
        accuracy = mean_interval(np.array(list(values.values())), rng)
        regret = float(np.mean([record.metrics["regret"] for record in group]))
        rows.append(LevelSummary(level, accuracy, regret, difference, level == default))
    return rows


def conclusions(study: StudyRecord, rows: Sequence[LevelSummary]) -> list[str]:
    """Return what may and what may not be concluded, a sentence each."""
    default, factor = study.default_level, study.factor
    if not any(row.is_default for row in rows):
        return [f"The default level {factor} = {default} has no finished trial: nothing can be compared with it."]
    others = [row for row in rows if row.difference]
    said = []
    for row in others:
        if row.difference and row.difference.excludes_zero:
            word = "better" if row.difference.mean > 0 else "worse"
            said.append(
                f"{factor} = {row.level} is {word} than the default {default} by {abs(row.difference.mean):.2f} points "
                f"({words(row.difference)}, {row.difference.n} paired seeds)."
            )
    alike = [row for row in others if row.difference and not row.difference.excludes_zero]
    if alike:
        fewest = min(row.difference.n for row in alike if row.difference)
        said.append(
            f"{factor} = {_listed([row.level for row in alike])} can't be told apart from the default {default} "
            f"with {fewest} seed{'s' * (fewest != 1)}."
        )
    if any(row.difference.n < FEWEST_SEEDS for row in others if row.difference):
        said.append(
            f"Under {FEWEST_SEEDS} seeds no difference can be established at 95 %, and bootstrap intervals are too "
            "narrow: read them as a hint and run more with --seeds."
        )
    if len(others) > 1:
        said.append("The intervals are not corrected for the number of levels compared.")
    return said


def words(interval: Interval, sign: str = "+") -> str:
    """Return an interval as text."""
    return ends(interval, sign) if interval.low is None else f"95 % interval {ends(interval, sign)}"


def ends(interval: Interval, sign: str = "+") -> str:
    """Return an interval's ends as text."""
    if interval.low is None or interval.high is None:
        return "no interval"
    return f"{interval.low:{sign}.2f} to {interval.high:{sign}.2f}"


def _accuracies(records: Sequence[Record]) -> dict[int, float]:
    return {record.trial.seed: record.accuracy for record in records}


def _order(study: StudyRecord, record: Record) -> tuple[tuple[bool, float, str], ...]:
    values = [record.trial.settings[factor] for factor in study.default]
    if study.one_at_a_time:  # the default first, then a change of the first factor
        changed = [value != default for value, default in zip(values, study.default.values(), strict=True)]
        return tuple((there, 0.0, str(value) * there) for there, value in zip(changed[::-1], values[::-1], strict=True))
    return tuple((value is None, value if isinstance(value, int | float) else 0.0, str(value)) for value in values)


def _listed(levels: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(levels[:-1]), levels[-1]]))
