"""The further outcomes that a study was asked for, each over all levels."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nadlab.analysis.cautions import ceiling
from nadlab.analysis.evidence import Evidence
from nadlab.analysis.sections.content import Section, Table
from nadlab.analysis.statistics.comparisons import holm
from nadlab.analysis.summary import LevelSummary, by_level, summarize
from nadlab.analysis.text import estimate, number, outcome_label, p_text
from nadlab.study.outcomes import measured, primary, queries_to_best
from nadlab.study.records import Record, StudyRecord


def further_outcomes(evidence: Evidence, rng: np.random.Generator) -> Section | None:
    """Return a table for each outcome after the first."""
    tables = outcome_tables(evidence.study, evidence.records, rng)
    said = (
        f"The conclusions rest on the first outcome, {evidence.metric.name}. p: exact signed-rank test, Holm-corrected over all "
        "levels and further outcomes together.",
    )
    return Section("Further outcomes", said, (), tuple(tables)) if tables else None


def outcome_tables(study: StudyRecord, records: Sequence[Record], rng: np.random.Generator) -> list[Table]:
    """Return a table for each outcome after the first that some trial has."""
    asked = [replace(study, outcomes=[name], smallest_effect=None) for name in study.outcomes[1:]]
    found = [(each, rows) for each in asked if (rows := summarize(each, records, rng))]
    compared = [row for _, rows in found for row in rows if row.comparison]
    corrected = dict(zip(map(id, compared), holm([row.comparison.p_alone for row in compared]), strict=True))  # type: ignore[union-attr]
    return [_table(each, rows, {row.level: corrected.get(id(row)) for row in rows}, records) for each, rows in found]


def _table(
    study: StudyRecord, rows: Sequence[LevelSummary], corrected: dict[str, float | None], records: Sequence[Record]
) -> Table:
    metric, name = measured(study), study.outcomes[0]
    counts = name == "queries-to-best"
    groups = by_level(study, records)
    body = []
    for row in rows:
        p_value, found = corrected[row.level], row.comparison
        difference = ("", "") if found is None else estimate(found.difference, "+", metric.places)
        reached = sum(queries_to_best(each, study) is not None for each in groups[row.level])
        body.append((
            row.level, str(row.accuracy.n), *estimate(row.accuracy, places=metric.places), number(row.median, metric.places),
            number(row.worst, metric.places), *((f"{reached} of {row.accuracy.n}",) if counts else ()),
            *difference, "" if p_value is None else p_text(p_value),
        ))  # fmt: skip
    heading = (
        study.factor, "n", outcome_label(study), "95 % interval", "median", "worst seed", *(("reached",) if counts else ()),
        f"difference to {study.reference}", "95 % interval ", "p (Holm)",
    )  # fmt: skip
    return Table(
        name.replace("-", "_"),
        heading,
        tuple(body),
        f"{metric.name[:1].upper()}{metric.name[1:]}: {'more' if metric.maximise else 'less'} is better.{primary(study).note} {' '.join(ceiling(study, records))}".rstrip(),
        (),
        frozenset(place for place, row in enumerate(rows) if row.is_default),
    )
