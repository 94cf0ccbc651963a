"""A study's folder as pandas data frames: trials, queries, levels and history, read from its records alone."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nadlab.analysis.summary import level_table, summarize, trial_row
from nadlab.errors import UserError
from nadlab.study.folder import StudyFolder, read_owner
from nadlab.study.incumbents import incumbents, query_row
from nadlab.study.records import Record, StudyRecord

Row = dict[str, Any]


@dataclass(frozen=True, repr=False)
class Results:
    """The results of a study; accuracies in percent, regrets and differences in percentage points.

    Every frame except `levels` identifies the trial by `trial`, its id in the folder and in MLflow, its `level` and `seed`.
    """

    study: StudyRecord
    """the study: `study` (its name), `question`, `benchmark`, `optimum`, the fixed `settings` and more"""
    records: tuple[Record, ...]
    """the records that the frames are made from"""

    def __repr__(self) -> str:
        return f"<results of {self.study.study} on {self.study.benchmark_text}: {len(self.records)} trials>"

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row per completed trial: its level of every factor, `status` and metrics such as `best_reported` and `regret`."""
        return pd.DataFrame([trial_row(self.study, record) for record in self.records])

    @cached_property
    def queries(self) -> pd.DataFrame:
        """One row per query, in order: `number` (from 1), `key`, `cell`, `valid`, `test`, further quantities and `incumbent`.

        The incumbent is the reported accuracy of the cell with the best search accuracy so far; NaN while no cell meets the
        constraints.
        """
        return self._rows(lambda record: [
            {**query_row(query), "incumbent": incumbent}
            for query, incumbent in zip(record.ledger, incumbents(record, self.study), strict=True)
        ])  # fmt: skip

    @cached_property
    def levels(self) -> pd.DataFrame:
        """One row per level, over its finished trials: the numbers of the study's report.

        `n` seeds, `mean`, `sd` (standard deviation) and `low` to `high`, the 95 % bootstrap interval of the mean, missing for
        one seed; `best`, `regret`, `iqm` (interquartile mean); the paired difference to the default level, its interval,
        `p_holm` (Wilcoxon's test, Holm-corrected) and the probability of improvement (`superiority_`). The levels of a tuning
        study are its configurations, named by rank, at the seeds used to choose them.
        """
        # the report's generator: the same intervals
        from nadlab.analysis.configurations import search_records  # late: optuna takes a second

        compared = search_records(self.study, self.records) if self.study.is_tuning else list(self.records)
        return level_table(summarize(self.study, compared, np.random.default_rng(0)))

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row per `epoch` (from 1) of every trial that trains networks: its losses, each a mean over the epoch's batches."""
        return self._rows(lambda record: [{"epoch": epoch, **row} for epoch, row in enumerate(record.history, 1)])

    def _rows(self, of: Callable[[Record], list[Row]]) -> pd.DataFrame:
        rows = [
            {"trial": record.trial.id, "level": self.study.level(record.trial), "seed": record.trial.seed, **row}
            for record in self.records
            for row in of(record)
        ]
        return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["trial", "level", "seed"])


def load(folder: str | Path) -> Results:
    """Read the results of a study from the folder that it wrote, such as `runs/ablate_alpha/mnist1d-201`.

    Nothing is written, and neither MLflow nor Ray is imported. Running trials are left out.

    Raises UserError, a ValueError with a one-sentence message, when the folder holds no study or none of its trials has ended.
    """
    path = Path(folder)
    study = read_owner(path) if (path / "study.json").is_file() else None
    if study is None:
        raise UserError(f"{path} holds no study: name a study's output folder, such as runs/ablate_alpha/mnist1d-201")
    records = StudyFolder(path, study).records()
    if not records:
        raise UserError(f"{path} holds no trial that has ended: run the study first")
    if study.is_tuning:
        from nadlab.analysis.configurations import named  # late: it imports Optuna

        study = named(study, records)
    return Results(study, tuple(records))
