"""Curves over seconds of training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nadlab.analysis.figures.seconds import draw_courses
from nadlab.analysis.figures.style import axes
from nadlab.analysis.reports import write_report
from nadlab.study.records import Record
from nadlab.study.study import study_record
from tests.analysis.test_objectives import STUDY, records_of
from tests.queries.test_goals import TRADED


def test_line_is_the_mean_of_what_the_searches_had_at_each_time() -> None:
    panel = axes("seconds", "regret")
    searches = [(np.array([1.0, 4.0]), np.array([8.0, 2.0])), (np.array([2.0, 3.0]), np.array([6.0, 4.0]))]
    draw_courses(panel, searches, 6.0, "method", {"color": "black"}, np.random.default_rng(0))
    at, means = (np.asarray(each, float) for each in panel.lines[0].get_data())
    assert (at[0], at[-1]) == (2.0, 6.0)
    for low, high, mean in ((2.0, 3.0, 7.0), (3.0, 4.0, 6.0), (4.0, 6.0, 3.0)):
        assert (means[(at >= low) & (at < high)] == mean).all()


@pytest.mark.parametrize("lacking", [0, 1])
def test_report_draws_seconds_where_every_query_says_its_own(tmp_path: Path, lacking: int) -> None:
    def timed(record: Record) -> Record:
        rows = [{**row, "extras": {**row["extras"], "seconds": 2.0}} for row in record.ledger[lacking:]]
        return replace(record, ledger=record.ledger[:lacking] + rows)

    _, files = write_report(study_record(STUDY, TRADED, "id"), list(map(timed, records_of(STUDY))), None, tmp_path)
    assert ("anytime_seconds.png" in {file.name for file in files}) == (not lacking)
