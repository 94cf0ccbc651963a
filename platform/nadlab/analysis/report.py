"""The report of a study, made from its records alone: terminal table, Markdown, a page, CSV, LaTeX, plots."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.figures.style import save
from nadlab.analysis.page import Page, html, latex, page_of
from nadlab.analysis.sections import sections
from nadlab.analysis.sections.content import Section
from nadlab.analysis.summary import LevelSummary, summarize
from nadlab.analysis.words import conclusions, ends, p_text
from nadlab.records import Record, StudyRecord
from nadlab.runs import Runs

HEADINGS = (
    "n",
    "accuracy %",
    "95 % interval",
    "IQM %",
    "regret",
    "difference to default",
    "95 % interval ",
    "p",
    "A",
    "95 % interval  ",
)
WIDE = ("IQM %", "regret", "A", "95 % interval  ")
"""columns that a terminal has no room for"""
PAGE = "report.html"
FIGURES, TABLES = "figures", "tables"


@dataclass(frozen=True)
class Report:
    """A study's records and what they say."""

    evidence: Evidence

    @property
    def study(self) -> StudyRecord:
        """The study that is reported."""
        return self.evidence.study

    @property
    def conclusions(self) -> Sequence[str]:
        """What may and may not be concluded, a sentence each."""
        return self.evidence.conclusions

    def show(self, console: Console) -> None:
        """Print the table and the conclusions."""
        table = Table(
            title=f"{self.study.study} on {self.study.benchmark}: {self.study.reported_by} accuracy of the best cell"
        )
        heading = self._heading()
        shown = [number for number, name in enumerate(heading) if name not in WIDE]
        for number in shown:
            table.add_column(heading[number], justify="right" if number else "left")
        for row in self.evidence.rows:
            cells = self._cells(row)
            table.add_row(*(cells[number] for number in shown))
        console.print(table)
        for sentence in self.conclusions:
            console.print(sentence, highlight=False)

    def markdown(self) -> str:
        """Return the report as Markdown; the plots are named as files beside it."""
        heading = self._heading()
        lines = [
            f"# {self.study.study} on {self.study.benchmark}",
            "",
            self.study.question,
            "",
            f"Expected: {self.study.expectation}",
            "",
            f"| {' | '.join(heading)} |",
            f"|{'---|' * len(heading)}",
            *(f"| {' | '.join(self._cells(row))} |" for row in self.evidence.rows),
            "",
            *(f"- {sentence}" for sentence in self.conclusions),
            "",
            f"Accuracy is the {self.study.reported_by} accuracy of the cell with the best {self.study.searched_by} "
            f"accuracy among those queried; regret is counted to the table's best, {self.study.optimum:.2f} %. "
            "Intervals are percentile bootstraps over seeds; differences are paired by seed. IQM is the interquartile mean; "
            "p is Wilcoxon's, corrected by Holm; A is the chance that a run beats one of the default."
            + (" The last column is what the paper reports, its best result." if self.study.published else ""),
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

    def _heading(self) -> tuple[str, ...]:
        return (self.study.factor, *HEADINGS, *(("paper %",) if self.study.published else ()))

    def _cells(self, row: LevelSummary) -> list[str]:
        if not self.study.published:
            return _cells(row)
        paper = self.study.published.get(row.level)
        return [*_cells(row), "" if paper is None else f"{paper:.2f}"]

    def _provenance(self) -> list[str]:
        revisions = sorted({record.provenance["git_revision"] for record in self.evidence.records})
        said = [f"Benchmark digest {self.study.digest[:16]}; code {', '.join(revisions)}."]
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


def write(report: Report, folder: Path, rng: np.random.Generator) -> list[Path]:
    """Write the page, report.md, levels.csv, trials.csv, figures/ and tables/; return their paths.

    Plots and LaTeX tables of an earlier report are removed.
    """
    evidence = report.evidence
    paths = [folder / name for name in ("report.md", "levels.csv", "trials.csv")]
    paths[0].write_text(report.markdown())
    pd.DataFrame([_flat(row) for row in evidence.rows]).to_csv(paths[1], index=False)
    trial_rows(evidence).to_csv(paths[2], index=False)
    return [*write_page(folder, page_of(evidence), sections(evidence, rng)), *paths]


def write_page(folder: Path, page: Page, found: Sequence[Section]) -> list[Path]:
    """Write the page, its plots and its LaTeX tables; return their paths."""
    plots, tables = (_cleared(folder / name) for name in (FIGURES, TABLES))
    drawings, paths = {}, [folder / PAGE]
    for picture in (picture for section in found for picture in section.pictures):
        drawings[picture.name], files = save(picture.figure, plots, picture.name)
        paths += files
    for table in (table for section in found for table in section.tables):
        paths.append(tables / f"{table.name}.tex")
        paths[-1].write_text(latex(table))
    paths[0].write_text(html(page, found, drawings))
    return paths


def trial_rows(evidence: Evidence) -> pd.DataFrame:
    """Return a row a trial, whatever became of it: its run, its levels, its numbers."""
    return pd.DataFrame([_trial_row(evidence, record) for record in evidence.records])


def _cleared(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for path in [path for kind in ("png", "svg", "tex") for path in folder.glob(f"*.{kind}")]:
        path.unlink()
    return folder


def _cells(row: LevelSummary) -> list[str]:
    name = f"{row.level} (default)" if row.is_default else row.level
    numbers = [f"{row.accuracy.mean:.2f}", ends(row.accuracy, ""), f"{row.iqm.mean:.2f}", f"{row.regret:.2f}"]
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
    return [name, str(row.accuracy.n), *numbers, *compared]


def _flat(row: LevelSummary) -> dict[str, object]:
    found = row.comparison
    difference = asdict(found.difference) if found else {}
    return {
        "level": row.level,
        "is_default": row.is_default,
        "n": row.accuracy.n,
        "mean": row.accuracy.mean,
        "low": row.accuracy.low,
        "high": row.accuracy.high,
        "regret": row.regret,
        "iqm": row.iqm.mean,
        "iqm_low": row.iqm.low,
        "iqm_high": row.iqm.high,
        **{f"difference_{key}": difference.get(key) for key in ("mean", "low", "high", "n")},
        "p_holm": found.p_value if found else None,
        **{f"superiority_{key}": getattr(found.superiority, key) if found else None for key in ("mean", "low", "high")},
    }


def _trial_row(evidence: Evidence, record: Record) -> dict[str, object]:
    trial = record.trial
    factors = {factor: trial.settings[factor] for factor in evidence.study.default}
    run = {"run": evidence.runs.children.get(trial.id)} if evidence.runs else {}
    return {"trial": trial.id, **run, **factors, "seed": trial.seed, "status": record.status, **record.metrics}
