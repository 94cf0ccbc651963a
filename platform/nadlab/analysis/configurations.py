"""The records of a tuning study, summarised by configuration."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import optuna
from optuna.distributions import json_to_distribution

from nadlab.analysis.statistics.comparisons import Comparison, compare
from nadlab.analysis.statistics.importance import Importance, importance
from nadlab.analysis.statistics.intervals import Interval, mean_interval, paired_difference
from nadlab.errors import UserError
from nadlab.study.records import Record, StudyRecord


@dataclass(frozen=True, slots=True)
class ConfigurationSummary:
    """One configuration; accuracies in percent, each mean over the seeds that it was chosen by."""

    name: str
    """its rank by accuracy"""
    settings: dict[str, object]
    accuracy: Interval
    queries: float
    difference: Interval | None
    """accuracy less the default's, on the seeds of the search"""
    fresh: Comparison | None
    """the same on seeds that no configuration was chosen by; None where they were not run"""
    is_default: bool
    on_front: bool
    """of accuracy against queries (`on_front`)"""


def search_seeds(study: StudyRecord) -> tuple[int, ...]:
    """Return the seeds that configurations were chosen by."""
    return tuple(map(int, str(study.settings["seeds"]).split(",")))


def search_records(study: StudyRecord, records: Sequence[Record]) -> list[Record]:
    """Return the records of the seeds that configurations were chosen by."""
    seeds = search_seeds(study)
    return [record for record in records if record.trial.seed in seeds]


def named(study: StudyRecord, records: Sequence[Record]) -> StudyRecord:
    """Return the study with every configuration named by its rank: those that did not run at every seed come last."""
    found = _finished(study, records)
    seeds = search_seeds(study)
    whole = sorted(_whole(found, seeds), key=lambda level: -_mean(found[level], seeds))
    others = sorted({study.level(record.trial) for record in records} - set(whole))
    return replace(study, names={level: str(rank) for rank, level in enumerate([*whole, *others], 1)})


def configurations(
    study: StudyRecord, records: Sequence[Record], rng: np.random.Generator
) -> list[ConfigurationSummary]:
    """Return a summary of every configuration that ran at every seed, best first; `rng` draws the bootstrap samples."""
    found, seeds = _finished(study, records), search_seeds(study)
    reference = _accuracies(found.get(study.default_level, {}))
    whole = {level: found[level] for level in _whole(found, seeds)}
    points = {level: (_mean(group, seeds), _queries(group)) for level, group in whole.items()}
    best = dict(zip(points, on_front(list(points.values())), strict=True))
    rows = []
    for level, group in whole.items():
        values = _accuracies(group)
        chosen = {seed: values[seed] for seed in seeds}
        fresh = {seed: value for seed, value in values.items() if seed not in seeds}
        is_default = level == study.default_level
        rows.append(
            ConfigurationSummary(
                level,
                {factor: group[seeds[0]].trial.settings[factor] for factor in study.default},
                mean_interval(np.array(list(chosen.values())), rng),
                points[level][1],
                None if is_default else paired_difference(chosen, reference, rng),
                None if is_default or not fresh else compare({level: fresh}, reference, rng).get(level),
                is_default,
                best[level],
            )
        )
    return sorted(rows, key=lambda row: -row.accuracy.mean)


def importances(study: StudyRecord, rows: Sequence[ConfigurationSummary]) -> Importance | str:
    """Return the importance of each setting for the accuracy, or a sentence that says why there is none."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    search = optuna.create_study(study_name=study.study, direction="maximize")
    space = {factor: json_to_distribution(study.settings[f"space/{factor}"]) for factor in study.default}
    for row in rows:
        search.add_trial(optuna.trial.create_trial(params=row.settings, distributions=space, value=row.accuracy.mean))
    try:
        return importance(search)
    except UserError as error:
        return f"Importance of settings: {error}."


def _finished(study: StudyRecord, records: Sequence[Record]) -> dict[str, dict[int, Record]]:
    """Return level -> seed -> record."""
    found: dict[str, dict[int, Record]] = {}
    for record in records:
        if record.status == "FINISHED":
            found.setdefault(study.level(record.trial), {})[record.trial.seed] = record
    return found


def _whole(found: dict[str, dict[int, Record]], seeds: Sequence[int]) -> list[str]:
    return [level for level, group in found.items() if set(seeds) <= group.keys()]


def on_front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Return whether no other (accuracy, queries) has as high an accuracy with as few queries."""
    return [
        not any(a >= accuracy and q <= queries and (a, q) != (accuracy, queries) for a, q in points)
        for accuracy, queries in points
    ]


def _accuracies(group: dict[int, Record]) -> dict[int, float]:
    return {seed: record.accuracy for seed, record in group.items()}


def _mean(group: dict[int, Record], seeds: Sequence[int]) -> float:
    return float(np.mean([group[seed].accuracy for seed in seeds]))


def _queries(group: dict[int, Record]) -> float:
    return float(np.mean([len(record.ledger) for record in group.values()]))
