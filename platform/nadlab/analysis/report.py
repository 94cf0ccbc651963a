"""The report of a study, made from its records alone: every level against the default."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich.table import Table

from nadlab.analysis.conclusions import ACCURACY, accuracy_cells, conclusions, ends, p_text
from nadlab.analysis.evidence import Evidence
from nadlab.analysis.page import PAGE
from nadlab.analysis.sections import sections
from nadlab.analysis.sections.content import Section
from nadlab.analysis.summary import LevelSummary, level_table, summarize
from nadlab.study.records import Record, StudyRecord
from nadlab.tracking.runs import Runs

HEADINGS = (
    *ACCURACY,
    "IQM %",
    "regret",
    "difference to default",
    "95 % interval ",
    "p",
    "A",
    "95 % interval  ",
)
WIDE = ("SD", "best %", "IQM %", "regret", "A", "95 % interval  ")
"""columns that a terminal has no room for"""


@dataclass(frozen=True)
class Report:
    """A study's records and what they say."""

    evidence: Evidence

    def table(self) -> Table:
        """Return what the terminal shows."""
        study = self.evidence.study
        table = Table(title=f"{study.study} on {study.benchmark}: {study.reported_by} accuracy of the best cell")
        heading = self._heading()
        shown = [number for number, name in enumerate(heading) if name not in WIDE]
        for number in shown:
            table.add_column(heading[number], justify="right" if number else "left", overflow="fold")
        for row in self.evidence.rows:
            cells = self._cells(row)
            table.add_row(*(cells[number] for number in shown))
        return table

    def markdown(self) -> str:
        """Return the report as Markdown; the plots are named as files beside it."""
        study, heading = self.evidence.study, self._heading()
        lines = [
            f"# {study.study} on {study.benchmark}",
            "",
            study.question,
            "",
            f"Expected: {study.expectation}",
            "",
            # first, as MLflow folds a long description
            *(f"- {sentence}" for sentence in self.evidence.conclusions),
            "",
            f"| {' | '.join(heading)} |",
            f"|{'---|' * len(heading)}",
            *(f"| {' | '.join(self._cells(row))} |" for row in self.evidence.rows),
            "",
            f"Accuracy is the {study.reported_by} accuracy of the cell with the best {study.searched_by} "
            f"accuracy among those queried; regret is counted to the table's best, {study.optimum:.2f} %. "
            "Intervals are percentile bootstraps over seeds; differences are paired by seed. SD is the standard deviation over seeds, IQM the interquartile mean; "
            "p is Wilcoxon's, corrected by Holm; A is the chance that a run beats one of the default."
            + (" The last column is what the paper reports, its best result." if study.published else ""),
            "",
            f"Plots, tests and every trial: {PAGE}.",
            "",
            *self._provenance(),
        ]
        return "\n".join(lines) + "\n"

    def metrics(self) -> dict[str, float]:
        """Return what the parent run shows as numbers."""
        finished = [record for record in self.evidence.records if record.status == "FINISHED"]
        return {"trials_finished": len(finished), "trials_failed": len(self.evidence.records) - len(finished)}

    def data(self) -> tuple[str, pd.DataFrame]:
        """Return a row a level, and the name of their file."""
        return "levels.csv", level_table(self.evidence.rows)

    def sections(self, rng: np.random.Generator) -> list[Section]:
        """Return the page's sections; `rng` draws the bootstrap samples."""
        return sections(self.evidence, rng)

    def _heading(self) -> tuple[str, ...]:
        return (self.evidence.study.factor, *HEADINGS, *(("paper %",) if self.evidence.study.published else ()))

    def _cells(self, row: LevelSummary) -> list[str]:
        if not self.evidence.study.published:
            return _cells(row)
        paper = self.evidence.study.published.get(row.level)
        return [*_cells(row), "" if paper is None else f"{paper:.2f}"]

    def _provenance(self) -> list[str]:
        revisions = sorted({record.provenance["git_revision"] for record in self.evidence.records})
        said = [f"Benchmark digest {self.evidence.study.digest[:16]}; code {', '.join(revisions)}."]
        return [*said, "Trials come from several revisions of the code."] if len(revisions) > 1 else said


def report_on(
    study: StudyRecord,
    records: Sequence[Record],
    rng: np.random.Generator,
    runs: Runs | None = None,
) -> Report:
    """Sum up the records of a study; `rng` draws the bootstrap samples."""
    rows = summarize(study, records, rng)
    return Report(Evidence(study, tuple(records), tuple(rows), tuple(conclusions(study, rows)), runs))


def _cells(row: LevelSummary) -> list[str]:
    name = f"{row.level} (default)" if row.is_default else row.level
    numbers = [*accuracy_cells(row), f"{row.iqm.mean:.2f}", f"{row.regret:.2f}"]
    found = row.comparison
    compared = (
        [
            f"{found.difference.mean:+.2f}",
            ends(found.difference),
            p_text(found.p_value),
            f"{found.superiority.mean:.2f}",
            ends(found.superiority, ""),
        ]
        if found
        else [""] * 5
    )
    return [name, *numbers, *compared]
