"""What a report is made from: a study's records, their statistics, and their runs in MLflow."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from nadlab.analysis.statistics.intervals import Values
from nadlab.analysis.statistics.random_search import random_curves
from nadlab.analysis.summary import LevelSummary, by_level, values_of
from nadlab.benchmarks.oracle import Metric
from nadlab.evaluations.answers import SECONDS
from nadlab.queries.goals import Goals
from nadlab.study.incumbents import incumbents
from nadlab.study.outcomes import measured, value
from nadlab.study.records import Record, StudyRecord
from nadlab.tracking.runs import Runs

LINES = 10
"""levels beyond which a plot of lines shows the best of them"""


@dataclass(frozen=True)
class Evidence:
    """A study's records and their statistics."""

    study: StudyRecord
    records: Sequence[Record]
    rows: Sequence[LevelSummary]
    conclusions: Sequence[str]
    runs: Runs | None = None
    """None without an MLflow store"""
    answer: str = ""
    """the conclusion in one sentence, where it is not that of the levels (`answer`)"""
    cautions: int = 0
    """the first conclusions that say what is wrong with the results"""

    @cached_property
    def groups(self) -> dict[str, list[Record]]:
        """Level -> its finished records."""
        return by_level(self.study, self.records)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """A row for each finished trial: the factors, `level`, `seed` and `accuracy`, the outcome; levels in ascending order."""
        return pd.DataFrame(
            [
                {**self.factors(record), "level": level, "seed": record.trial.seed, "accuracy": found}
                for level, group in self.groups.items()
                for record in group
                if (found := value(record, self.study)) is not None
            ]
        )

    def factors(self, record: Record) -> dict[str, object]:
        """Return factor -> level of a trial."""
        return {factor: record.trial.value(factor) for factor in self.study.default}

    @cached_property
    def varied(self) -> list[str]:
        """Factors with more than one level."""
        if self.trials.empty:
            return []
        return [name for name in self.study.default if self.trials[name].astype(str).nunique() > 1]

    def provenance(self, key: str) -> list[str]:
        """Return the values that the records have for one key of their provenance."""
        return sorted({record.provenance.get(key, "unknown") for record in self.records})

    @property
    def metric(self) -> Metric:
        """Name, unit and direction of the outcome."""
        return measured(self.study)

    def regrets(self, level: str) -> Values:
        """Return the regret of each finished trial of a level, (seeds,)."""
        return np.array([record.metrics["regret"] for record in self.groups[level]], float)

    def losses(self, level: str) -> Values:
        """Return regrets, or the values of another first outcome where less is better, negated elsewhere, (seeds,)."""
        if self.study.outcomes[0] == "final":
            return self.regrets(level)
        return np.array([-self.metric.score(found) for found in values_of(self.study, self.groups[level]).values()])

    @cached_property
    def curves(self) -> dict[str, Values]:
        """Level -> reported accuracy of the best cell so far, (seeds, queries)."""
        return {level: stack([incumbents(each, self.study) for each in group]) for level, group in self.groups.items()}

    @cached_property
    def search_curves(self) -> dict[str, Values]:
        """Level -> search accuracy of the best cell so far, (seeds, queries): it never falls."""
        return {
            level: stack([incumbents(each, self.study, self.study.search_split) for each in group])
            for level, group in self.groups.items()
        }

    @cached_property
    def random_search(self) -> tuple[Values, Values] | None:
        """Random search with the study's seeds and largest budget (`random_curves`); None where a level is one, or it is not known."""
        settings = [record.trial.settings for group in self.groups.values() for record in group]
        if not settings or any(
            each.get("method") == "random-search" or Goals.in_settings(each).at_most for each in settings
        ):
            return None
        seeds = sorted({record.trial.seed for group in self.groups.values() for record in group})
        return random_curves(self.study, seeds, max(curves.shape[1] for curves in self.curves.values()))

    @cached_property
    def initial_queries(self) -> list[int]:
        """The numbers of labels with which the drawn levels' searches begin; empty of methods without labels."""
        first = [self.groups[level][0].trial.settings.get("labels") for level in self.drawn]
        return sorted({int(labels) for labels in first if labels})

    def anytime(self, level: str) -> Values:
        """Return regret after each query, (seeds, queries), or accuracy where the benchmark does not know its optimum."""
        curves = self.curves[level]
        return curves if self.study.optimum is None else self.study.regret(curves)

    def seconds(self, level: str) -> Values:
        """Return the seconds that the trainings up to each query took, (seeds, queries); NaN where answers do not say."""
        return stack([
            np.cumsum([query.extras.get(SECONDS.name, np.nan) for query in record.queries]).tolist()
            for record in self.groups[level]
        ])  # fmt: skip

    @cached_property
    def drawn(self) -> list[str]:
        """Levels that plots show as lines: the default and the best by mean accuracy, in the order of the levels.

        Where the number of queries is a factor, only the largest of each method: its first queries stand for the others.
        """
        rows = list(self.rows)
        if "queries" in self.study.default and len(self.study.default) > 1:
            longest = {
                tuple(str(value) for factor, value in self.factors(group[0]).items() if factor != "queries"): level
                for level, group in sorted(self.groups.items(), key=lambda item: item[1][0].trial.settings["queries"])
            }
            rows = [row for row in rows if row.level in longest.values()]
        best = sorted(rows, key=lambda row: (not row.is_default, -self.metric.score(row.accuracy.mean)))[:LINES]
        return [row.level for row in rows if row in best]


def stack(curves: Sequence[Sequence[float]]) -> Values:
    """Return curves of one length, (seeds, queries): a shorter one stays at its end."""
    longest = max(map(len, curves))
    return np.array([[*curve, *[curve[-1]] * (longest - len(curve))] for curve in curves])
