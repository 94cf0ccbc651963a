"""The report of a tuning study, made from its records and Optuna's study: the best against the default, what mattered."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.trial import TrialState
from rich.console import Console
from rich.table import Table

from nadlab.analysis.comparisons import Comparison, compare
from nadlab.analysis.importance import Importance, importance
from nadlab.analysis.intervals import Interval, mean_interval, paired_difference
from nadlab.analysis.words import words
from nadlab.errors import UserError
from nadlab.records import Record, StudyRecord, level_text

SHOWN = 10
HEADINGS = ("queries", "n", "accuracy %", "difference to default", "on fresh seeds")


@dataclass(frozen=True, slots=True)
class TunedConfiguration:
    """One configuration; accuracies in percent, each mean over the seeds that it was chosen by."""

    settings: dict[str, object]
    accuracy: Interval
    queries: float
    difference: Interval | None
    """accuracy less the default's, on the seeds of the search"""
    fresh: Comparison | None
    """the same on seeds that no configuration was chosen by; None where they were not run"""
    is_default: bool
    on_front: bool
    """no other has a higher accuracy with as few queries, or fewer queries with as high an accuracy"""


@dataclass(frozen=True, slots=True)
class TunedReport:
    """What a tuning study found, best configuration first."""

    study: StudyRecord
    records: tuple[Record, ...]
    rows: tuple[TunedConfiguration, ...]
    stopped: int
    """configurations stopped by the pruner"""
    importance: Importance | str
    """the sentence that says why there is none"""

    def show(self, console: Console) -> None:
        """Print the best configurations and the conclusions."""
        table = Table(
            title=f"{self.study.study} on {self.study.benchmark}: the best of {len(self.rows)} configurations"
        )
        table.add_column(", ".join(self.study.default))
        for heading in HEADINGS:
            table.add_column(heading, justify="right")
        for row in self.rows[:SHOWN]:
            table.add_row(", ".join(map(_text, row.settings.values())), *_cells(row))
        console.print(table)
        for sentence in self.sentences():
            console.print(sentence, highlight=False)

    def markdown(self) -> str:
        """Return the report as Markdown."""
        heading = [*self.study.default, *HEADINGS]
        lines = [f"# {self.study.study} on {self.study.benchmark}", "", self.study.question, ""]
        lines += [f"Expected: {self.study.expectation}", "", *(f"- {each}" for each in self.sentences()), ""]
        lines += [f"| {' | '.join(heading)} |", f"|{'---|' * len(heading)}"]
        lines += [f"| {' | '.join([*map(_text, row.settings.values()), *_cells(row)])} |" for row in self.rows]
        if isinstance(self.importance, Importance):
            lines += ["", "| setting | fANOVA | PED-ANOVA |", "|---|---|---|"]
            ped = self.importance.ped_anova
            lines += [f"| {name} | {share:.0%} | {ped[name]:.0%} |" for name, share in self.importance.fanova.items()]
        lines += ["", f"`optuna-dashboard sqlite:///optuna.db` in this folder shows the search. Accuracy is the "
                  f"{self.study.report_split} accuracy of the best cell, the mean over the seeds of the search; * marks the front of "
                  "accuracy against queries. Intervals are percentile bootstraps over seeds."]  # fmt: skip
        return "\n".join(lines) + "\n"

    def sentences(self) -> list[str]:
        """Return what may be concluded, a sentence each."""
        if not self.rows:
            return ["No configuration has finished: there is nothing to compare."]
        best, said = self.rows[0], []
        values = ", ".join(f"{name} = {_text(value)}" for name, value in best.settings.items())
        said.append(
            f"The best configuration is {'the default, ' * best.is_default}{values}: {best.accuracy.mean:.2f} %."
        )
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
        if self.stopped:
            said.append(f"{self.stopped} configurations were stopped early by PP's tau on their first seed.")
        if isinstance(self.importance, str):
            said.append(self.importance)
        else:
            shares = ", ".join(f"{name} {share:.0%}" for name, share in self.importance.fanova.items())
            said.append(f"Share of each setting in the variation of the accuracy (fANOVA): {shares}.")
        return said

    def metrics(self) -> dict[str, float]:
        """Return what the parent run shows as numbers."""
        counts = {
            word: sum(record.status == word for record in self.records) for word in ("FINISHED", "KILLED", "FAILED")
        }
        found = {
            "trials_finished": counts["FINISHED"],
            "trials_stopped": counts["KILLED"],
            "trials_failed": counts["FAILED"],
        }
        return found | ({"best_accuracy": self.rows[0].accuracy.mean} if self.rows else {})


def report_on_tuning(
    study: StudyRecord, records: Sequence[Record], seeds: Sequence[int], search: optuna.Study, rng: np.random.Generator
) -> TunedReport:
    """Sum up a tuning study; `seeds` are those of the search, `rng` draws the bootstrap samples."""
    finished: dict[str, dict[int, Record]] = {}
    for record in records:
        if record.status == "FINISHED":
            finished.setdefault(study.level(record.trial), {})[record.trial.seed] = record
    whole = {level: group for level, group in finished.items() if set(seeds) <= group.keys()}
    default = level_text(study.default)
    reference = _accuracies(finished.get(default, {}))
    points = {level: (_mean(group, seeds), _queries(group)) for level, group in whole.items()}
    rows = []
    for level, group in whole.items():
        values = _accuracies(group)
        chosen = {seed: values[seed] for seed in seeds}
        fresh = {seed: value for seed, value in values.items() if seed not in seeds}
        is_default = level == default
        rows.append(
            TunedConfiguration(
                {factor: group[seeds[0]].trial.settings[factor] for factor in study.default},
                mean_interval(np.array(list(chosen.values())), rng),
                points[level][1],
                None if is_default else paired_difference(chosen, reference, rng),
                None if is_default or not fresh else compare({level: fresh}, reference, rng).get(level),
                is_default,
                not any(_beats(other, points[level]) for other in points.values()),
            )
        )
    rows.sort(key=lambda row: -row.accuracy.mean)
    stopped = len({study.level(record.trial) for record in records if record.status == "KILLED"})
    return TunedReport(study, tuple(records), tuple(rows), stopped, _importance(search))


def write_tuned(report: TunedReport, folder: Path) -> list[Path]:
    """Write report.md, configurations.csv and trials.csv; return their paths."""
    paths = [folder / name for name in ("report.md", "configurations.csv", "trials.csv")]
    paths[0].write_text(report.markdown())
    pd.DataFrame([_flat(row) for row in report.rows]).to_csv(paths[1], index=False)
    pd.DataFrame([_trial_row(report.study, record) for record in report.records]).to_csv(paths[2], index=False)
    return paths


def _importance(search: optuna.Study) -> Importance | str:
    """Return what mattered for the accuracy, the first objective."""
    single = optuna.create_study(study_name=search.study_name, direction="maximize")
    for trial in search.get_trials(states=(TrialState.COMPLETE,)):
        single.add_trial(
            optuna.create_trial(params=trial.params, distributions=trial.distributions, value=trial.values[0])
        )
    try:
        return importance(single)
    except UserError as error:
        return f"Importance of settings: {error}."


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] >= other[0] and one[1] <= other[1] and one != other


def _accuracies(group: dict[int, Record]) -> dict[int, float]:
    return {seed: record.accuracy for seed, record in group.items()}


def _mean(group: dict[int, Record], seeds: Sequence[int]) -> float:
    return float(np.mean([group[seed].accuracy for seed in seeds]))


def _queries(group: dict[int, Record]) -> float:
    return float(np.mean([len(record.ledger) for record in group.values()]))


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _cells(row: TunedConfiguration) -> list[str]:
    marks = "*" * row.on_front + " (default)" * row.is_default
    differences = [
        f"{each.mean:+.2f} ({each.n})" if each else "" for each in (row.difference, row.fresh and row.fresh.difference)
    ]
    numbers = [f"{row.queries:.0f}", str(row.accuracy.n), f"{row.accuracy.mean:.2f}{marks}"]
    return [*numbers, *differences]


def _flat(row: TunedConfiguration) -> dict[str, object]:
    flat = {**row.settings, "queries": row.queries, "n": row.accuracy.n, "mean": row.accuracy.mean,
            "low": row.accuracy.low, "high": row.accuracy.high, "is_default": row.is_default, "on_front": row.on_front}  # fmt: skip
    for name, interval in (("difference", row.difference), ("fresh", row.fresh and row.fresh.difference)):
        for key in ("mean", "low", "high", "n"):
            flat[f"{name}_{key}"] = getattr(interval, key) if interval else None
    return flat


def _trial_row(study: StudyRecord, record: Record) -> dict[str, object]:
    trial = record.trial
    factors = {factor: trial.settings[factor] for factor in study.default}
    return {"trial": trial.id, **factors, "seed": trial.seed, "status": record.status, **record.metrics}
