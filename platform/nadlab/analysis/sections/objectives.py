"""Several objectives: the Pareto front of each search, and hypervolume against queries."""

from dataclasses import dataclass

import numpy as np

from nadlab.analysis.evidence import Evidence, stack
from nadlab.analysis.figures.objectives import fronts, hypervolume_curves
from nadlab.analysis.sections.content import Picture, Section
from nadlab.analysis.sections.tables import level_table, marks_of
from nadlab.analysis.statistics.hypervolume import Points, ends, points
from nadlab.analysis.statistics.intervals import Values, mean_interval, paired_difference
from nadlab.analysis.text import hypervolume_text
from nadlab.benchmarks.oracle import Metric
from nadlab.study.incumbents import feasible
from nadlab.study.records import Record


@dataclass(frozen=True)
class Volumes:
    """The searches of a study as points, and their hypervolumes."""

    metrics: list[Metric]
    found: dict[str, list[Points]]
    """level -> for each seed"""
    best: Values
    worst: Values
    curves: dict[str, Values]
    """level -> (seeds, queries)"""


def volumes(evidence: Evidence) -> Volumes | None:
    """Return the hypervolumes of a study that has several objectives; None of another."""
    metrics = [Metric(**each) for each in evidence.study.objectives]
    if not metrics or not evidence.groups:
        return None
    found = {level: [_points(evidence, each, metrics) for each in group] for level, group in evidence.groups.items()}
    best, worst = ends([each for group in found.values() for each in group], metrics)
    curves = {level: stack([each.curve(best, worst).tolist() for each in group]) for level, group in found.items()}
    return Volumes(metrics, found, best, worst, curves)


def in_words(evidence: Evidence, rng: np.random.Generator) -> str | None:
    """Return the sentence that names every level's hypervolume at the end; None with a single objective."""
    if (given := volumes(evidence)) is None:
        return None
    final = [f"{level} {hypervolume_text(mean_interval(curve[:, -1], rng))}" for level, curve in given.curves.items()]
    names = ", ".join(metric.name for metric in given.metrics)
    return f"Hypervolume of {names} at the end, with 95 % intervals over seeds: {'; '.join(final)}."


def objectives(evidence: Evidence, rng: np.random.Generator) -> Section | None:
    """Return fronts and hypervolumes of a study that has several objectives."""
    if (given := volumes(evidence)) is None:
        return None
    study, metrics, found, curves = evidence.study, given.metrics, given.found, given.curves
    marks = marks_of(max(each.shape[1] for each in curves.values()))
    shown = {level: [_front(each, metrics) for each in found[level]] for level in evidence.drawn or list(found)}
    final = {
        level: {record.trial.seed: float(curve[-1]) for record, curve in zip(group, curves[level], strict=True)}
        for level, group in evidence.groups.items()
    }
    reference = final.get(study.default_level, {})
    names = ", ".join(metric.name for metric in metrics)
    table = level_table(
        evidence,
        "hypervolume",
        (*(f"after {mark}" for mark in marks), f"difference to {study.reference}", "cells of the front"),
        {
            level: (
                *(
                    hypervolume_text(mean_interval(curve[:, mark - 1], rng)) if mark <= curve.shape[1] else ""
                    for mark in marks
                ),
                ""
                if level == study.default_level
                else hypervolume_text(paired_difference(final[level], reference, rng)),
                f"{np.mean([len(each.front()) for each in found[level]]):.1f}",
            )
            for level, curve in curves.items()
        },
        f"Mean hypervolume of {names} by queries, with 95 % bootstrap intervals over seeds; the final difference is paired by "
        "seed.",
        [study.default_level],
    )
    return Section(
        "Several objectives",
        (_scale(metrics, given.best, given.worst, study.searched_by, study.reported_by),),
        (
            Picture("fronts", fronts(shown, metrics), "The Pareto front of each search, one line per seed."),
            Picture(
                "hypervolume",
                hypervolume_curves({level: curves[level] for level in shown}, rng),
                "One minus the mean hypervolume of the front so far, with 95 % bands over seeds.",
            ),
        ),
        (table,),
    )


def _points(evidence: Evidence, record: Record, metrics: list[Metric]) -> Points:
    kept = {query.key for query in feasible(record)}
    keeps = np.array([query.key in kept for query in record.queries], bool)
    return points(record.queries, keeps, metrics, evidence.study.search_split, evidence.study.report_split)


def _front(found: Points, metrics: list[Metric]) -> Values:
    return np.array([each for _, each in found.measured(metrics)]).reshape(-1, len(metrics))


def _scale(metrics: list[Metric], best: Values, worst: Values, searched: str, reported: str) -> str:
    ranges = ", ".join(
        f"{metric.name} from {-metric.score(low):.4g} to {-metric.score(high):.4g} {metric.unit}".rstrip()
        + (" (the whole benchmark)" if metric.low is not None else " (all queries of this study)")
        for metric, low, high in zip(metrics, best, worst, strict=True)
    )
    return (
        f"Hypervolume: each objective is scaled from its best value, 0, to its worst, 1: {ranges}; the reference point is 1 "
        f"in each, so 1 is the maximum. A front holds the cells that no other query of its search dominates by "
        f"{searched} {metrics[0].name}, and is measured by {reported} {metrics[0].name}."
    )
