"""The forms of a report: a table for the terminal, Markdown, one self-contained HTML page, tables in LaTeX."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import jinja2
import numpy as np
import pandas as pd
import rich.table

from nadlab.analysis.cautions import ceiling
from nadlab.analysis.evidence import Evidence
from nadlab.analysis.sections.answer import answer, found_text
from nadlab.analysis.sections.content import Section, Table
from nadlab.analysis.text import accuracy_note, markdown_table, settings_text
from nadlab.tracking.runs import Runs

PAGE = "report.html"
SHOWN = 6
"""pictures that are shown at once"""
# autoescape: levels, cells and errors are data; the plots are our own SVG
TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("nadlab.analysis"), autoescape=True, undefined=jinja2.StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
LATEX = str.maketrans({
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "±": r"$\pm$",
})  # fmt: skip


@dataclass(frozen=True)
class Report:
    """The report of one study."""

    evidence: Evidence
    title: str
    """of the terminal's table"""
    brief: Table
    """shown in the terminal"""
    table: Table
    """shown in Markdown"""
    notes: Sequence[str]
    """lines of Markdown below the table"""
    data: tuple[str, pd.DataFrame]
    """name of the CSV file, and its rows"""
    sections: Callable[[np.random.Generator], list[Section]]
    """makes the page's sections; the generator draws the bootstrap samples"""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """metrics of the parent run beyond the counts of trials"""

    def terminal(self) -> rich.table.Table:
        """Return the table for the terminal."""
        drawn = rich.table.Table(title=self.title)
        for place, name in enumerate(self.brief.heading):
            drawn.add_column(name, justify="right" if place else "left", overflow="fold")
        for row in self.brief.rows:
            drawn.add_row(*row)
        return drawn

    def markdown(self) -> str:
        """Return the report as Markdown; the conclusions come first, since MLflow folds a long description."""
        study = self.evidence.study
        said = [f"- {sentence}" for sentence in self.evidence.conclusions]
        head = [
            f"# {study.study} on {study.benchmark_text}",
            "",
            study.question,
            "",
            f"**{answer_of(self.evidence)}**",
            "",
            f"Expected: {study.expectation}",
            "",
        ]
        return "\n".join([*head, *said, "", *markdown_table(self.table.heading, self.table.rows), "", *self.notes, ""])

    def metrics(self) -> dict[str, float]:
        """Return the numbers of the parent run."""
        status = [record.status for record in self.evidence.records]
        stopped = {"trials/stopped": status.count("KILLED")} if self.evidence.study.is_tuning else {}
        counts = {"trials/finished": status.count("FINISHED"), **stopped, "trials/failed": status.count("FAILED")}
        counts["trials/diverged"] = sum(record.diverged for record in self.evidence.records)
        return {**counts, **self.numbers}


@dataclass(frozen=True)
class Page:
    """The head of a page."""

    kicker: str
    title: str
    answer: str
    """the conclusion in one sentence"""
    facts: Mapping[str, str]
    """term -> text: what was expected, what was found, the protocol, a ceiling"""
    cautions: Sequence[str]
    """what is wrong with the results"""
    conclusions: Sequence[str]
    note: str
    runs: Sequence[Runs]


def answer_of(evidence: Evidence) -> str:
    """Return a study's conclusion in one sentence."""
    return evidence.answer or answer(evidence.study, evidence.rows)


def page_of(evidence: Evidence) -> Page:
    """Return the head of one study's page."""
    study, rows = evidence.study, evidence.rows
    protocol = (
        f"Searched by {study.searched_by} {study.measured.name}, reported by {study.reported_by} {study.measured.name}. "
        f"{settings_text(study)}"
    )
    found, limit = "" if evidence.answer else found_text(study, rows), " ".join(ceiling(study, evidence.records))
    return Page(
        f"{study.study} · {study.benchmark_text}",
        study.question,
        answer_of(evidence),
        {
            name: text
            for name, text in {
                "Expected": study.expectation,
                "Found": found,
                "Protocol": protocol,
                "Ceiling": limit,
            }.items()
            if text
        },
        evidence.conclusions[: evidence.cautions],
        evidence.conclusions[evidence.cautions :],
        f"{accuracy_note(study)} Intervals are 95 % percentile bootstraps over seeds.",
        [evidence.runs] if evidence.runs else [],
    )


def html(page: Page, found: Sequence[Section], drawings: Mapping[str, str]) -> str:
    """Return the page; drawings: a picture's name -> its SVG element."""
    shown = [
        picture.name for section in found if not section.folded for picture in section.pictures if not picture.folded
    ]
    return TEMPLATES.get_template("report.html").render(
        page=page, sections=found, drawings=drawings, shown=shown[:SHOWN]
    )


def latex(table: Table) -> str:
    """Return a table for a paper, to be set with the package booktabs."""
    columns = "l" + "r" * (len(table.heading) - 1)
    lines = [" & ".join(cell.translate(LATEX) for cell in row) + r" \\" for row in (table.heading, *table.rows)]
    head = [f"% {table.caption}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule", lines[0], r"\midrule"]
    return "\n".join([*head, *lines[1:], r"\bottomrule", r"\end{tabular}", ""])
