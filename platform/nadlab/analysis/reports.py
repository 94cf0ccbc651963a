"""The report of a study, whichever kind of study it is: the study and `nadlab report` write the same one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nadlab.analysis.report import Report, report_on, write
from nadlab.analysis.tuned import TunedReport, report_on_tuning, write_tuned
from nadlab.records import Record, StudyRecord
from nadlab.runs import Runs

AnyReport = Report | TunedReport


def write_report(
    study: StudyRecord, records: Sequence[Record], runs: Runs | None, folder: Path
) -> tuple[AnyReport, list[Path]]:
    """Write a study's report into a folder; return it and its files, the page first."""
    rng = np.random.default_rng(0)
    if study.is_tuning:
        tuned = report_on_tuning(study, records, rng, runs)
        return tuned, write_tuned(tuned, folder, rng)
    report = report_on(study, records, rng, runs)
    return report, write(report, folder, rng)
