"""The records of a tuning study, summarised by configuration."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import optuna
from optuna.distributions import json_to_distribution

from nadlab.analysis.statistics.comparisons import Comparison, compare
from nadlab.analysis.statistics.importance import Importance, importance
from nadlab.analysis.statistics.intervals import Interval, mean_interval, paired_difference
from nadlab.analysis.summary import finished
from nadlab.errors import UserError
from nadlab.study.records import Record, StudyRecord


@dataclass(frozen=True, slots=True)
class ConfigurationSummary:
    """One configuration; accuracies in the metric's unit, each mean over the seeds that it was chosen by."""

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
    complete = _complete(study, records)
    # of equal ones, first the one that ran on fresh seeds: the search chose it
    ranked = sorted(complete, key=lambda level: (-_point(study, complete[level])[0], -len(complete[level])))
    others = sorted({study.level(record.trial) for record in records} - set(ranked))
    return replace(study, names={level: str(rank) for rank, level in enumerate([*ranked, *others], 1)})


def configurations(
    study: StudyRecord, records: Sequence[Record], rng: np.random.Generator
) -> list[ConfigurationSummary]:
    """Return a summary of every configuration that ran at every seed, best first; `rng` draws the bootstrap samples."""
    complete, seeds, default = _complete(study, records), search_seeds(study), study.default_level
    reference = {each.trial.seed: each.accuracy for each in finished(records) if study.level(each.trial) == default}
    points = [_point(study, group) for group in complete.values()]
    rows = []
    for (level, group), (_, queries), best in zip(complete.items(), points, on_front(points), strict=True):
        chosen = {seed: group[seed].accuracy for seed in seeds}
        fresh = {seed: record.accuracy for seed, record in group.items() if seed not in seeds}
        is_default = level == default
        rows.append(
            ConfigurationSummary(
                level,
                {factor: group[seeds[0]].trial.value(factor) for factor in study.default},
                mean_interval(np.array(list(chosen.values())), rng),
                queries,
                None if is_default else paired_difference(chosen, reference, rng),
                None
                if is_default or not fresh
                else compare({level: fresh}, reference, rng, study.measured.maximise).get(level),
                is_default,
                best,
            )
        )
    return sorted(rows, key=lambda row: (-study.measured.score(row.accuracy.mean), -len(complete[row.name])))


def importances(study: StudyRecord, rows: Sequence[ConfigurationSummary]) -> Importance | str:
    """Return the importance of each setting for the accuracy, or a sentence that says why there is none."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    search = optuna.create_study(
        study_name=study.study, direction="maximize" if study.measured.maximise else "minimize"
    )
    space = {factor: json_to_distribution(study.settings[f"space/{factor}"]) for factor in study.default}
    for row in rows:
        search.add_trial(optuna.trial.create_trial(params=row.settings, distributions=space, value=row.accuracy.mean))
    try:
        return importance(search)
    except UserError as error:
        return f"Importance of settings: {error}."


def on_front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Return whether no other (score, queries) has as high a score with as few queries."""
    return [
        not any(s >= score and q <= queries and (s, q) != (score, queries) for s, q in points)
        for score, queries in points
    ]


def _complete(study: StudyRecord, records: Sequence[Record]) -> dict[str, dict[int, Record]]:
    """Return level -> seed -> finished record, of the levels that ran at every seed of the search."""
    found: dict[str, dict[int, Record]] = {}
    for record in finished(records):
        found.setdefault(study.level(record.trial), {})[record.trial.seed] = record
    return {level: group for level, group in found.items() if set(search_seeds(study)) <= group.keys()}


def _point(study: StudyRecord, group: dict[int, Record]) -> tuple[float, float]:
    """Return the mean score (`Metric.score`) over the search's seeds and the mean number of queries of a configuration."""
    accuracy = np.mean([group[seed].accuracy for seed in search_seeds(study)])
    return study.measured.score(float(accuracy)), float(np.mean([len(record.ledger) for record in group.values()]))
