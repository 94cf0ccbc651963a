"""The files of a report, for a study of either kind: a study's run and `nadlab report` write the same ones."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from nadlab.analysis.cells.drawing import draw_cell
from nadlab.analysis.evidence import Evidence
from nadlab.analysis.figures.style import figure_of, grid, save
from nadlab.analysis.page import PAGE, Page, Report, answer_of, html, latex, page_of
from nadlab.analysis.report import report_on
from nadlab.analysis.sections.content import Picture, Section, Table
from nadlab.analysis.sections.objectives import in_words
from nadlab.analysis.summary import trial_row
from nadlab.analysis.tuned import report_on_tuning
from nadlab.errors import UserError
from nadlab.provenance.code import OWN
from nadlab.spaces import SPACES
from nadlab.study.records import Record, StudyRecord, origin_text
from nadlab.tracking.runs import Runs

DESCRIPTION = "network.json"
"""what `nadlab export` writes beside a network"""
FIGURES, TABLES = "figures", "tables"


def write_report(
    study: StudyRecord, records: Sequence[Record], runs: Runs | None, folder: Path, said: Sequence[str] = ()
) -> tuple[Report, list[Path]]:
    """Write a study's report into a folder; return it and its files, the page first. said: sentences that come first."""
    rng = np.random.default_rng(0)
    report = (report_on_tuning if study.is_tuning else report_on)(study, records, rng, runs)
    found, objectives = report.evidence, in_words(report.evidence, rng)
    diverged = [record for record in records if record.diverged]
    none = [record for record in records if record.status == "FINISHED" and not record.is_judged]
    cautions = [
        *filter(None, [_failures(records)]),
        *said,
        *([_infeasible(found.study, none)] if none else []),
        *([_divergence(found.study, diverged)] if diverged else []),
        *filter(None, [mixture(records)]),
    ]
    conclusions = (*cautions, *([objectives] if objectives else []), *found.conclusions)
    found = replace(found, conclusions=conclusions, cautions=found.cautions + len(cautions))
    report = replace(report, evidence=found)
    return report, write(report, folder, rng)


def show(report: Report, console: Console) -> None:
    """Print the table, the answer and the conclusions."""
    console.print(report.terminal())
    console.print(answer_of(report.evidence), highlight=False, style="bold")
    for sentence in report.evidence.conclusions:
        console.print(sentence, highlight=False)


def write(report: Report, folder: Path, rng: np.random.Generator) -> list[Path]:
    """Write the page, report.md, levels.csv or configurations.csv, trials.csv, figures/ and tables/; return their paths.

    Plots and LaTeX tables of an earlier report are removed.
    """
    name, data = report.data
    paths = [folder / each for each in ("report.md", name, "trials.csv")]
    paths[0].write_text(report.markdown(), encoding="utf-8")
    data.to_csv(paths[1], index=False)
    trials = [_trial_row(report.evidence, record) for record in report.evidence.records]
    pd.DataFrame(trials).to_csv(paths[2], index=False)
    found = [*report.sections(rng), *exported(folder)]
    return [*write_page(folder, page_of(report.evidence), found), *paths]


def exported(folder: Path) -> list[Section]:
    """Return the networks that `nadlab export` wrote into a study's folder; raise UserError for a description that is damaged."""
    found = list[Section]()
    for path in sorted(folder.glob(f"*/{DESCRIPTION}")):
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            found += [_exported(path.parent.name, known)] if known["space"] in SPACES else []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path} describes no network ({error!r:.80}): delete {path.parent}, or export it again"
            ) from error
    return found


def _exported(name: str, known: Mapping[str, Any]) -> Section:
    space = SPACES[known["space"]]
    (panel,) = grid(1, 1, (4.6, 2.3))
    draw_cell(panel, space.parse(known["cell"]), space)
    rows = (
        ("cell", known["cell"]), ("parameters", f"{known['params']:,}"), ("FLOPs an image", f"{known['flops']:,}"),
        ("validation, test accuracy", f"{known['valid']:.2f} %, {known['test']:.2f} %"), ("trained by", known["benchmark"]),
    )  # fmt: skip
    picture = Picture(f"exported_{name}", figure_of(panel), f"The cell of {name}/.")
    return Section(f"Exported network {name}", (), (picture,), (Table("exported", ("", ""), rows),))


def write_page(folder: Path, page: Page, found: Sequence[Section]) -> list[Path]:
    """Write the page, its plots and its LaTeX tables; return their paths."""
    plots, tables = (_cleared(folder / name) for name in (FIGURES, TABLES))
    drawings, paths = {}, [folder / PAGE]
    for picture in (picture for section in found for picture in section.pictures):
        drawings[picture.name], files = save(picture.figure, plots, picture.name)
        paths += files
    for table in (table for section in found for table in section.tables):
        paths.append(tables / f"{table.name}.tex")
        paths[-1].write_text(latex(table), encoding="utf-8")
    paths[0].write_text(html(page, found, drawings), encoding="utf-8")
    return paths


def mixture(records: Sequence[Record]) -> str | None:
    """Return the sentence that names the origins of records where they differ in what decides results; None elsewhere."""
    origins = [record.provenance for record in sorted(records, key=lambda each: each.ended)]
    versions = {each.get("code", each.get("git_revision")): origin_text(each) for each in origins}
    found = [f"{len(versions)} versions of the code, {'; '.join(versions.values())}"] if len(versions) > 1 else []
    used = {name for each in origins for name in each.get("uses", "").split(", ") if name}
    own = {name for each in origins for name in each if name.startswith(OWN)}
    for name in ("backend", "python", *sorted(used), *sorted(own)):
        values = sorted({each[name] for each in origins if name in each})  # a module of one's own may come later
        if len(values) > 1:
            found.append(f"{len(values)} values of {name}, {'; '.join(values)}")
    return f"The results are mixed: they come from {', and from '.join(found)}." if found else None


def _failures(records: Sequence[Record]) -> str:
    """Count the queries whose training failed, by reason; empty where none did."""
    queries = [query for record in records for query in record.queries]
    reasons = Counter(query.failed for query in queries if query.failed)
    named = [f"{count} x {reason}" for reason, count in reasons.most_common(3)]
    more = (
        [f"{reasons.total() - sum(count for _, count in reasons.most_common(3))} x others"] if len(reasons) > 3 else []
    )
    said = (
        f"{reasons.total()} of {len(queries)} queries failed and count as the worst value: {'; '.join(named + more)}."
    )
    return said if reasons else ""


def _divergence(study: StudyRecord, records: Sequence[Record]) -> str:
    first, *others = records
    count = f"{len(records)} trials" if others else "1 trial"
    return (
        f"{count} diverged and {'are' if others else 'is'} left out of the means: {study.factor} {study.level(first.trial)}, seed "
        f"{first.trial.seed}, {first.error}{f'; and {len(others)} more' if others else ''}."
    )


def _infeasible(study: StudyRecord, records: Sequence[Record]) -> str:
    levels = sorted({study.level(record.trial) for record in records})
    return (
        f"{len(records)} finished trials found no cell that meets their constraints and are left out of the means: {study.factor} "
        f"{'; '.join(levels)}."
    )


def _cleared(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for path in [path for kind in ("png", "svg", "tex") for path in folder.glob(f"*.{kind}")]:
        path.unlink()
    return folder


def _trial_row(evidence: Evidence, record: Record) -> dict[str, object]:
    """Return a row for a trial: its run, if a store was asked, and what tables say of it."""
    run = {"run": evidence.runs.children.get(record.trial.id)} if evidence.runs else {}
    return {"trial": record.trial.id, **run, **trial_row(evidence.study, record)}
