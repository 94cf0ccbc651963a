"""The report of a study, from its records alone: every level against the default."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from nadlab.analysis.conclusions import conclusions
from nadlab.analysis.evidence import Evidence
from nadlab.analysis.page import PAGE, Report
from nadlab.analysis.sections import sections
from nadlab.analysis.sections.content import Table
from nadlab.analysis.sections.outcomes import outcome_tables
from nadlab.analysis.summary import LevelSummary, level_table, summarize
from nadlab.analysis.text import (
    accuracy_cells,
    accuracy_headings,
    accuracy_note,
    comparison_cells,
    level_name,
    markdown_table,
    number,
    outcome_label,
    published_cells,
    published_heading,
    published_note,
    regret_cells,
    settings_text,
    with_unit,
)
from nadlab.benchmarks.files import short_digest
from nadlab.study.outcomes import measured
from nadlab.study.records import Record, StudyRecord
from nadlab.tracking.runs import Runs

WIDE = ("SD", "best", "median", "worst", "IQM", "regret", "95 % interval  ")
"""columns that a terminal has no room for, without their unit"""


def report_on(
    study: StudyRecord, records: Sequence[Record], rng: np.random.Generator, runs: Runs | None = None
) -> Report:
    """Summarise the records of a study; `rng` draws the bootstrap samples."""
    rows, metric = summarize(study, records, rng), measured(study)
    beats = f"chance to beat the {study.reference}"
    evidence = Evidence(study, tuple(records), tuple(rows), tuple(conclusions(study, rows, records)), runs)
    regret = () if study.optimum is None else ("regret",)
    heading = (
        study.factor,
        *accuracy_headings(metric),
        with_unit("IQM", metric),
        *regret,
        f"difference to {study.reference}",
        *("95 % interval ", "p", beats, "95 % interval  "),
        *published_heading(study),
    )
    further = [
        line
        for each in outcome_tables(study, records, rng)
        for line in (each.caption, "", *markdown_table(each.heading, each.rows), "")
    ]
    table = Table("levels", heading, tuple(_cells(study, row) for row in rows))
    wide = {*WIDE, beats, *(with_unit(name, metric) for name in WIDE)}
    shown = [column for column, name in enumerate(heading) if not column or name not in wide]
    brief, *rest = (tuple(row[column] for column in shown) for row in (heading, *table.rows))
    return Report(
        evidence,
        f"{study.study} on {study.benchmark_text}: {outcome_label(study)}",
        Table("levels", brief, tuple(rest)),
        table,
        (_note(study), "", *further, f"Plots, tests and every trial: {PAGE}.", "", _provenance(study, records)),
        ("levels.csv", level_table(rows)),
        partial(sections, evidence),
    )


def _cells(study: StudyRecord, row: LevelSummary) -> tuple[str, ...]:
    metric = measured(study)
    numbers = (
        *accuracy_cells(row, metric),
        number(row.iqm.mean, metric.places),
        *regret_cells(study, row.regret),
    )
    return (
        level_name(row.level, study.default_level, study.reference),
        *numbers,
        *comparison_cells(row.comparison, metric),
        *published_cells(study, row.level),
    )


def _note(study: StudyRecord) -> str:
    return (
        f"{accuracy_note(study)} Intervals are percentile bootstraps over seeds; differences are paired by seed. SD is the "
        "standard deviation over seeds, IQM the interquartile mean; p is from the exact signed-rank test, Holm-corrected; the "
        f"chance to beat the {study.reference} counts ties half. {settings_text(study)}" + published_note(study)
    )


def _provenance(study: StudyRecord, records: Sequence[Record]) -> str:
    revisions = sorted({record.provenance["git_revision"] for record in records})
    text = f"Benchmark digest {short_digest(study.digest)}; code {', '.join(revisions)}."
    return f"{text}\nTrials come from several revisions of the code." if len(revisions) > 1 else text
