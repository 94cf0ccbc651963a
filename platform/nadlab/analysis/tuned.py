"""The report of a tuning study, made from its records alone: the best against the default, what mattered."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from rich.table import Table

from nadlab.analysis.conclusions import words
from nadlab.analysis.configurations import Configuration, configurations, named, search_seeds, what_mattered
from nadlab.analysis.evidence import Evidence
from nadlab.analysis.page import PAGE
from nadlab.analysis.sections import ORIGIN, SEARCH, sections
from nadlab.analysis.sections.content import Section
from nadlab.analysis.sections.content import Table as PageTable
from nadlab.analysis.sections.hyperparameters import hyperparameters
from nadlab.analysis.sections.provenance import links
from nadlab.analysis.statistics.importance import Importance
from nadlab.analysis.summary import summarize
from nadlab.study.records import Record, StudyRecord
from nadlab.tracking.runs import Runs

SHOWN = 10
HEADINGS = ("queries", "n", "accuracy %", "difference to default", "on fresh seeds")


@dataclass(frozen=True)
class TunedReport:
    """What a tuning study found, best configuration first."""

    evidence: Evidence
    """every trial, and a row a configuration at the seeds that it was chosen by; its study names them by their rank"""
    rows: tuple[Configuration, ...]
    importance: Importance | str
    """the sentence that says why there is none"""

    def table(self) -> Table:
        """Return what the terminal shows."""
        study = self.evidence.study
        table = Table(title=f"{study.study} on {study.benchmark}: the best of {len(self.rows)} configurations")
        table.add_column(", ".join(study.default))
        for heading in HEADINGS:
            table.add_column(heading, justify="right")
        for row in self.rows[:SHOWN]:
            table.add_row(", ".join(map(_text, row.settings.values())), *_cells(row))
        return table

    def markdown(self) -> str:
        """Return the report as Markdown."""
        study = self.evidence.study
        heading = ["configuration", *study.default, *HEADINGS]
        lines = [f"# {study.study} on {study.benchmark}", "", study.question, ""]
        lines += [f"Expected: {study.expectation}", "", *(f"- {each}" for each in self.evidence.conclusions), ""]
        lines += [f"| {' | '.join(heading)} |", f"|{'---|' * len(heading)}"]
        lines += [
            f"| {' | '.join([row.name, *map(_text, row.settings.values()), *_cells(row)])} |" for row in self.rows
        ]
        if isinstance(self.importance, Importance):
            lines += ["", "| setting | fANOVA | PED-ANOVA |", "|---|---|---|"]
            ped = self.importance.ped_anova
            lines += [f"| {name} | {share:.0%} | {ped[name]:.0%} |" for name, share in self.importance.fanova.items()]
        lines += ["", f"Plots and every trial: {PAGE}; `optuna-dashboard sqlite:///optuna.db` in this folder shows the search. Accuracy is the "
                  f"{study.reported_by} accuracy of the best cell, the mean over the seeds of the search; * marks the front of "
                  "accuracy against queries. Intervals are percentile bootstraps over seeds."]  # fmt: skip
        return "\n".join(lines) + "\n"

    def metrics(self) -> dict[str, float]:
        """Return what the parent run shows as numbers."""
        counts = {
            word: sum(record.status == word for record in self.evidence.records)
            for word in ("FINISHED", "KILLED", "FAILED")
        }
        found = {
            "trials_finished": counts["FINISHED"],
            "trials_stopped": counts["KILLED"],
            "trials_failed": counts["FAILED"],
        }
        return found | ({"best_accuracy": self.rows[0].accuracy.mean} if self.rows else {})

    def data(self) -> tuple[str, pd.DataFrame]:
        """Return a row a configuration, and the name of their file."""
        return "configurations.csv", pd.DataFrame([_flat(row) for row in self.rows])

    def sections(self, rng: np.random.Generator) -> list[Section]:
        """Return the page's sections: what is compared is read from the seeds that all configurations ran at."""
        search = replace(self.evidence, records=_chosen(self.evidence.study, self.evidence.records))
        found = [hyperparameters(self.importance)] if isinstance(self.importance, Importance) else []
        return [_table(self), *found, *sections(search, rng, SEARCH), *sections(self.evidence, rng, ORIGIN)]


def report_on_tuning(
    study: StudyRecord, records: Sequence[Record], rng: np.random.Generator, runs: Runs | None = None
) -> TunedReport:
    """Sum up a tuning study; `rng` draws the bootstrap samples."""
    study = named(study, records)
    rows = configurations(study, records, rng)
    stopped = len({study.level(record.trial) for record in records if record.status == "KILLED"})
    importance = what_mattered(study, rows)
    said = _conclusions(rows, stopped, importance)
    compared = summarize(study, _chosen(study, records), rng)
    return TunedReport(Evidence(study, tuple(records), tuple(compared), tuple(said), runs), tuple(rows), importance)


def _chosen(study: StudyRecord, records: Sequence[Record]) -> list[Record]:
    seeds = search_seeds(study)
    return [record for record in records if record.trial.seed in seeds]


def _table(report: TunedReport) -> Section:
    study = report.evidence.study
    table = PageTable(
        "configurations",
        ("configuration", *study.default, *HEADINGS),
        tuple((row.name, *map(_text, row.settings.values()), *_cells(row)) for row in report.rows),
        f"Named by their rank. Accuracies are means over seeds {study.settings['seeds']}, by which configurations were chosen; "
        "* marks the front of accuracy against queries; in brackets the number of paired seeds.",
        tuple(links(report.evidence, report.evidence.groups[row.name]) for row in report.rows),
        frozenset(place for place, row in enumerate(report.rows) if row.is_default),
    )
    return Section("Configurations", (), (), (table,))


def _conclusions(rows: Sequence[Configuration], stopped: int, importance: Importance | str) -> list[str]:
    if not rows:
        return ["No configuration has finished: there is nothing to compare."]
    best, said = rows[0], []
    values = ", ".join(f"{name} = {_text(value)}" for name, value in best.settings.items())
    said.append(f"The best configuration is {'the default, ' * best.is_default}{values}: {best.accuracy.mean:.2f} %.")
    if best.difference:
        said.append(
            f"On the seeds that it was chosen by it differs from the default by {best.difference.mean:+.2f} points "
            f"({words(best.difference)}, {best.difference.n} paired seeds): too good, since the best of many is lucky."
        )
    if best.fresh:
        difference = best.fresh.difference
        sure = "" if best.fresh.is_established else ", which does not tell them apart"
        said.append(
            f"On seeds that it was not chosen by it differs by {difference.mean:+.2f} points ({words(difference)}, "
            f"{difference.n} paired seeds){sure}."
        )
    if stopped:
        said.append(f"{stopped} configurations were stopped early by PP's tau on their first seed.")
    if isinstance(importance, str):
        said.append(importance)
    else:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in importance.fanova.items())
        said.append(f"Share of each setting in the variation of the accuracy (fANOVA): {shares}.")
    return said


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _cells(row: Configuration) -> list[str]:
    marks = "*" * row.on_front + " (default)" * row.is_default
    differences = [
        f"{each.mean:+.2f} ({each.n})" if each else "" for each in (row.difference, row.fresh and row.fresh.difference)
    ]
    numbers = [f"{row.queries:.0f}", str(row.accuracy.n), f"{row.accuracy.mean:.2f}{marks}"]
    return [*numbers, *differences]


def _flat(row: Configuration) -> dict[str, object]:
    flat = {"configuration": row.name, **row.settings, "queries": row.queries, "n": row.accuracy.n, "mean": row.accuracy.mean,
            "low": row.accuracy.low, "high": row.accuracy.high, "is_default": row.is_default, "on_front": row.on_front}  # fmt: skip
    for name, interval in (("difference", row.difference), ("fresh", row.fresh and row.fresh.difference)):
        for key in ("mean", "low", "high", "n"):
            flat[f"{name}_{key}"] = getattr(interval, key) if interval else None
    return flat
