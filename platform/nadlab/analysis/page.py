"""The report as one HTML page that needs nothing beside it, and its tables in LaTeX."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jinja2

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.sections.content import Section, Table
from nadlab.tracking.runs import Runs

PAGE = "report.html"
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
class Page:
    """What stands above the sections."""

    kicker: str
    title: str
    expected: str
    conclusions: Sequence[str]
    note: str
    runs: Sequence[Runs]


def page_of(evidence: Evidence) -> Page:
    """Return the head of one study's page."""
    study = evidence.study
    note = (
        f"Accuracy is the {study.reported_by} accuracy of the cell with the best {study.searched_by} accuracy among those "
        f"queried; regret is counted to the table's best, {study.optimum:.2f} %. Intervals are 95 % percentile bootstraps over "
        "seeds."
    )
    return Page(
        f"{study.study} · {study.benchmark}",
        study.question,
        study.expectation,
        evidence.conclusions,
        note,
        [evidence.runs] if evidence.runs else [],
    )


def html(page: Page, found: Sequence[Section], drawings: Mapping[str, str]) -> str:
    """Return the page; drawings: a picture's name -> its SVG element."""
    return TEMPLATES.get_template("report.html").render(page=page, sections=found, drawings=drawings)


def latex(table: Table) -> str:
    """Return a table for a paper, to be set with the package booktabs."""
    columns = "l" + "r" * (len(table.heading) - 1)
    lines = [" & ".join(cell.translate(LATEX) for cell in row) + r" \\" for row in (table.heading, *table.rows)]
    return "\n".join(
        [
            f"% {table.caption}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )
