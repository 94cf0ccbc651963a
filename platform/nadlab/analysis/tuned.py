"""The report of a tuning study, from its records alone: the best against the default, importance of the settings."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from nadlab.analysis.configurations import ConfigurationSummary, configurations, importances, named, search_records
from nadlab.analysis.evidence import Evidence
from nadlab.analysis.figures.comparisons import importance_bars
from nadlab.analysis.page import PAGE, Report
from nadlab.analysis.sections import ORIGIN, SEARCH, sections
from nadlab.analysis.sections.content import Picture, Section, Table
from nadlab.analysis.sections.tables import links
from nadlab.analysis.statistics.comparisons import fewest_seeds
from nadlab.analysis.statistics.importance import Importance
from nadlab.analysis.statistics.intervals import interval_columns
from nadlab.analysis.summary import summarize
from nadlab.analysis.text import interval_text, markdown_table, p_equals, setting
from nadlab.benchmarks.oracle import Metric
from nadlab.study.records import Record, StudyRecord
from nadlab.tracking.runs import Runs

SHOWN, PAIRS = 10, 8
"""configurations in the terminal, interactions on the page"""
COLUMNS = 5
"""columns of a configuration's results"""


def report_on_tuning(
    study: StudyRecord, records: Sequence[Record], rng: np.random.Generator, runs: Runs | None = None
) -> Report:
    """Summarise a tuning study; its configurations are named by their rank; `rng` draws the bootstrap samples."""
    study = named(study, records)
    rows = configurations(study, records, rng)
    found = importances(study, rows)
    stopped = len({study.level(record.trial) for record in records if record.status == "KILLED"})
    compared = summarize(study, search_records(study, records), rng)
    evidence = Evidence(
        study,
        tuple(records),
        tuple(compared),
        tuple(_conclusions(study, rows, stopped, found)),
        runs,
        _answer(study, rows),
    )
    table = _table(evidence, rows)
    brief = [(", ".join(row[1 + COLUMNS :]), *row[1 : 1 + COLUMNS]) for row in table.rows[:SHOWN]]

    def page(rng: np.random.Generator) -> list[Section]:
        search = replace(evidence, records=search_records(study, records))
        settings = [_hyperparameters(found, study.measured)] if isinstance(found, Importance) else []
        first = Section("Configurations", (), (), (table,))
        return [first, *settings, *sections(search, rng, SEARCH), *sections(evidence, rng, ORIGIN)]

    return Report(
        evidence,
        f"{study.study} on {study.benchmark_text}: the best of {len(rows)} configurations",
        Table("configurations", (", ".join(study.default), *_headings(study.measured)), tuple(brief)),
        table,
        _notes(study, found),
        ("configurations.csv", pd.DataFrame([_columns(row) for row in rows])),
        page,
        {"best_configuration": rows[0].accuracy.mean} if rows else {},
    )


def _table(evidence: Evidence, rows: Sequence[ConfigurationSummary]) -> Table:
    metric = evidence.study.measured
    return Table(
        "configurations",
        ("configuration", *_headings(metric), *evidence.study.default),
        tuple((row.name, *_cells(row, metric), *map(setting, row.settings.values())) for row in rows),
        f"Named by rank. {metric.name.capitalize()}: the mean over seeds {evidence.study.settings['seeds']}, on which configurations were "
        f"chosen; * marks the Pareto front of {metric.name} against queries; brackets give the number of paired seeds.",
        tuple(links(evidence, evidence.groups[row.name]) for row in rows),
        frozenset(place for place, row in enumerate(rows) if row.is_default),
    )


def _hyperparameters(found: Importance, metric: Metric) -> Section:
    """Return importances and interactions."""
    names = sorted(found.fanova, key=lambda name: -found.fanova[name])
    pairs = sorted(found.interactions, key=lambda pair: -found.interactions[pair])[:PAIRS]
    tables = (
        Table(
            "importance",
            ("hyperparameter", "fANOVA", "PED-ANOVA"),
            tuple((name, f"{found.fanova[name]:.3f}", f"{found.ped_anova[name]:.3f}") for name in names),
            f"Over {found.trials} configurations. fANOVA: share of the {metric.name}'s variance over the whole space "
            "that each explains alone; the rest acts together. PED-ANOVA: how far the best tenth of the configurations differs from all, "
            "relative: the column sums to 1.",
        ),
        Table(
            "interactions",
            ("pair", "H squared"),
            tuple((f"{one} and {other}", f"{found.interactions[one, other]:.3f}") for one, other in pairs),
            "Friedman's H squared of a random forest: the share of a pair's joint effect that is not additive.",
        ),
    )
    picture = Picture("importance", importance_bars(found, names), "Importance of each hyperparameter.")
    return Section("Hyperparameters", (), (picture,), tables)


def _notes(study: StudyRecord, found: Importance | str) -> tuple[str, ...]:
    shares: list[str] = []
    if isinstance(found, Importance):
        rows = [(name, f"{share:.0%}", f"{found.ped_anova[name]:.0%}") for name, share in found.fanova.items()]
        shares = [*markdown_table(("setting", "fANOVA", "PED-ANOVA"), rows), ""]
    name = study.measured.name
    return (
        *shares,
        f"Plots and every trial: {PAGE}; `optuna-dashboard sqlite:///optuna.db` in this folder shows the search. "
        f"{name.capitalize()} is the {study.reported_by} {name} of the best cell, the mean over the seeds of the search; * marks "
        f"the Pareto front of {name} against queries. Intervals are percentile bootstraps over seeds.",
    )


def _conclusions(
    study: StudyRecord, rows: Sequence[ConfigurationSummary], stopped: int, importance: Importance | str
) -> list[str]:
    metric = study.measured
    if not rows:
        return ["No configuration has finished: there is nothing to compare."]
    best = rows[0]
    values = ", ".join(f"{name} = {setting(value)}" for name, value in best.settings.items())
    said = [
        f"The best configuration is {'the default, ' * best.is_default}{values}: {metric.text(best.accuracy.mean)}."
    ]
    if best.difference:
        said.append(
            f"On the seeds used to choose it, it differs from the default by {metric.difference(best.difference.mean, '+')} "
            f"({interval_text(best.difference, places=metric.places)}, {best.difference.n} paired seeds): optimistically biased by selection "
            "(winner's curse)."
        )
    if best.fresh:
        difference = best.fresh.difference
        tested = p_equals(best.fresh.p_value)
        doubt = (
            f"; {tested}" if best.fresh.is_significant else f"; {tested} by the exact signed-rank test: not significant"
        )
        said.append(
            f"On fresh seeds it differs by {metric.difference(difference.mean, '+')} "
            f"({interval_text(difference, places=metric.places)}, {difference.n} paired seeds){doubt}."
        )
    if stopped:
        said.append(f"{stopped} configurations were stopped early by PP's tau on their first seed.")
    if isinstance(importance, str):
        return [*said, importance]
    shares = ", ".join(f"{name} {share:.0%}" for name, share in importance.fanova.items())
    return [*said, f"Share of each setting in the variation of the {metric.name} (fANOVA): {shares}."]


def _answer(study: StudyRecord, rows: Sequence[ConfigurationSummary]) -> str:
    """Return whether the best configuration beats the default, in one sentence."""
    metric = study.measured
    if not rows:
        return "No configuration has finished."
    best = rows[0]
    named = ", ".join(f"{name} = {setting(value)}" for name, value in best.settings.items())
    if best.is_default:
        return f"No configuration is better than the default, {metric.text(best.accuracy.mean)}."
    if best.fresh is None:
        return (
            f"Not tested yet: the best configuration ({named}) was chosen and evaluated on the same seeds; only fresh seeds can "
            "show whether it beats the default."
        )
    found = best.fresh.difference
    said = (
        f"it differs from the default by {metric.difference(found.mean, '+')} on fresh seeds "
        f"({interval_text(found, places=metric.places)}): {named}"
    )
    least = fewest_seeds(1)
    if best.fresh.is_significant:
        word = "better" if metric.score(found.mean) > 0 else "worse"
        return f"The best configuration is {word} than the default; {said}."
    if found.n < least:
        return f"Inconclusive whether the best configuration beats the default: {found.n} fresh seeds, but at least {least} are needed; {said}."
    return f"The best configuration is not significantly better than the default; {said}."


def _headings(metric: Metric) -> tuple[str, ...]:
    return (metric.heading, "difference to default", "on fresh seeds", "n", "queries")


def _cells(row: ConfigurationSummary, metric: Metric) -> list[str]:
    marks = "*" * row.on_front + " (default)" * row.is_default
    differences = [
        f"{each.mean:+.{metric.places}f} ({each.n})" if each else ""
        for each in (row.difference, row.fresh and row.fresh.difference)
    ]
    return [f"{row.accuracy.mean:.{metric.places}f}{marks}", *differences, str(row.accuracy.n), f"{row.queries:.0f}"]


def _columns(row: ConfigurationSummary) -> dict[str, object]:
    return {
        "configuration": row.name,
        **row.settings,
        "queries": row.queries,
        **interval_columns("", row.accuracy, "n", "mean", "low", "high"),
        "is_default": row.is_default,
        "on_front": row.on_front,
        **interval_columns("difference_", row.difference, "mean", "low", "high", "n"),
        **interval_columns("fresh_", row.fresh.difference if row.fresh else None, "mean", "low", "high", "n"),
    }
