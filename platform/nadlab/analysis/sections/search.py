"""Accuracy against queries: anytime regret or accuracy, label efficiency, the Pareto front, all columns at once."""

import numpy as np
import pandas as pd

from nadlab.analysis.configurations import on_front
from nadlab.analysis.evidence import Evidence
from nadlab.analysis.figures.levels import accuracy_by_number, parallel_coordinates, pareto
from nadlab.analysis.figures.search import anytime_curves
from nadlab.analysis.figures.seconds import anytime_seconds
from nadlab.analysis.sections.content import Picture, Section
from nadlab.analysis.sections.tables import level_table, marks_of

SECONDS_CAPTION = (
    "The same by the summed seconds of the queries' trainings, even if some ran in parallel: a stored evaluation counts as if "
    "it had run. A line begins where all seeds have a cell, and ends where the first seed has spent its budget."
)
COUNTED = ("labels", "queries")
"""factors that count queries"""
OUTCOMES = ("predictor_tau", "share_valid", "share_unique", "share_novel")


def anytime(evidence: Evidence, rng: np.random.Generator) -> Section | None:
    """Return regret by query, or accuracy where the benchmark does not know its optimum."""
    if not evidence.drawn:
        return None
    metric, known = evidence.study.measured, evidence.study.optimum is not None
    word, unit = ("regret", metric.difference_unit) if known else (metric.name, metric.unit)
    longest = max(evidence.curves[level].shape[1] for level in evidence.drawn)
    marks = marks_of(longest)
    table = level_table(
        evidence,
        "anytime",
        [f"after {mark}" for mark in marks],
        {level: [_after(evidence, level, mark) for mark in marks] for level in evidence.drawn},
        f"Mean {word} after so many queries{f', in {unit}' * bool(unit)}.",
        [evidence.study.default_level],
    )
    left_out = len(evidence.groups) - len(evidence.drawn)
    picture = Picture(
        f"anytime_{'regret' if known else 'accuracy'}",
        anytime_curves(evidence, rng),
        f"The incumbent, means with 95 % bands over seeds, from where the levels begin to differ.{_of_curves(evidence)}"
        + (f" {left_out} levels are left out: shorter budgets, or beyond the ten best." if left_out else ""),
    )
    by_seconds = anytime_seconds(evidence, f"{word}{f', {unit}' * bool(unit)}", rng)
    more = (Picture("anytime_seconds", by_seconds, SECONDS_CAPTION),) if by_seconds else ()
    return Section(f"Anytime {word}", (), (picture, *more), (table,))


def _of_curves(evidence: Evidence) -> str:
    """Say why a reported curve may fall, and what random search is here."""
    study = evidence.study
    said = " Vertical lines: where the labels, the initial queries, end." if evidence.initial_queries else ""
    if study.searched_by != study.reported_by:
        said += (
            f" Left: what is reported; right: what the search saw. A cell with a better {study.searched_by} {study.measured.name} may "
            f"have a worse {study.reported_by} one, so only the right side never gets worse."
        )
    if evidence.random_search is None:
        return said
    seeds, queries = evidence.random_search[0].shape
    return f"{said} Random search is computed for this report from the benchmark's table: {seeds} seeds, {queries} queries."


def by_number(evidence: Evidence, rng: np.random.Generator) -> Section | None:
    """Return accuracy over the number of labels or queries, where that is a factor."""
    counted = [factor for factor in evidence.varied if factor in COUNTED]
    if not counted or evidence.study.one_at_a_time:
        return None
    pictures = tuple(
        Picture(
            "label_efficiency" if factor == counted[0] else f"accuracy_by_{factor}",
            accuracy_by_number(evidence, factor, rng),
            f"Mean {evidence.metric.name} over {factor}, with 95 % bands over seeds. Each point is a run with its own budget.",
        )
        for factor in counted
    )
    return Section("Label efficiency", (), pictures)


def front(evidence: Evidence, _rng: np.random.Generator) -> Section | None:
    """Return the Pareto front of accuracy and queries, where levels differ in queries."""
    points = pd.DataFrame(
        [
            {"level": row.level, "queries": len(evidence.groups[row.level][0].ledger), "accuracy": row.accuracy.mean}
            for row in evidence.rows
        ]
    )
    if points.empty or points["queries"].nunique() < 2:
        return None
    metric = evidence.metric
    points["is_best"] = on_front(list(zip(map(metric.score, points["accuracy"]), points["queries"], strict=True)))
    best = points[points["is_best"]].sort_values("queries")
    table = level_table(
        evidence,
        "pareto_front",
        ("queries", metric.heading),
        {str(each.level): (str(each.queries), f"{each.accuracy:.{metric.places}f}") for each in best.itertuples()},
        f"Levels for which no other level has as good a mean {metric.name} with fewer queries, or a better one with as many.",
    )
    picture = Picture(
        "pareto_front", pareto(points, evidence), f"Mean {metric.name} against queries; the front is joined."
    )
    return Section(f"Pareto front of {metric.name} against queries", (), (picture,), (table,))


def coordinates(evidence: Evidence, _rng: np.random.Generator) -> Section | None:
    """Return all trials as lines over their factors and outcomes."""
    finished = [record for group in evidence.groups.values() for record in group]
    columns: dict[str, list[object]] = {
        factor: [record.trial.value(factor) for record in finished] for factor in evidence.varied
    }
    for name in OUTCOMES:
        values = [record.metrics.get(name) for record in finished]
        if all(value is not None for value in values) and len(set(values)) > 1:
            columns[name] = list(values)
    target = evidence.study.measured.name
    columns[target] = [record.accuracy for record in finished]
    if len(columns) < 3:
        return None
    table = pd.DataFrame({name: _plain(values) for name, values in columns.items()})
    picture = Picture(
        "parallel_coordinates",
        parallel_coordinates(table, target),
        f"Each line is a trial, darker with a higher {target}; each axis runs from its smallest to its largest value.",
    )
    return Section("Parallel coordinates", (), (picture,), folded=True)


def _plain(values: list[object]) -> list[object]:
    """Return numbers as they are, anything else as text: None and False are levels too."""
    numeric = all(type(value) in (int, float) for value in values)
    return values if numeric else [str(value) for value in values]


def _after(evidence: Evidence, level: str, mark: int) -> str:
    curves = evidence.anytime(level)
    return f"{curves[:, mark - 1].mean():.{evidence.study.measured.places}f}" if mark <= curves.shape[1] else ""
