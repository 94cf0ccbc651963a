"""The report of a study with several objectives and a constraint that some searches cannot keep."""

import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from nadlab.analysis.reports import write_report
from nadlab.analysis.results import Results
from nadlab.methods.registry import run_search
from nadlab.methods.request import SearchRequest
from nadlab.queries.ledger import QueryLedger
from nadlab.study.records import Record
from nadlab.study.study import Study, plan, study_record
from tests.queries.test_goals import TRADED
from trainables.searcher import SearcherTrainable

STUDY = Study(
    name="trade",
    question="Which?",
    expectation="none",
    trainable=SearcherTrainable,
    settings=SearchRequest(method="random-search", queries=20, objectives="accuracy,latency"),
    vary={"method": ("nsga-ii", "random-search")},
    benchmark=TRADED.name,
    seeds=(0, 1, 2),
)


def records_of(study: Study) -> list[Record]:
    """Run every trial here, as the trainable does."""
    found = []
    for trial in plan(study, TRADED):
        request = SearchRequest.of(trial.settings)
        ledger = QueryLedger(TRADED, request.queries, request.goals)
        run_search(request.searcher, ledger, np.random.default_rng(trial.seed))
        metrics = {name: value for name, value in ledger.outcome().items() if isinstance(value, int | float | None)}
        rows = [asdict(query) for query in ledger.queries]
        found.append(Record(trial, "FINISHED", metrics, [], rows, 0.0, 1.0, {"git_revision": "none"}))
    return found


def test_report_shows_fronts_and_hypervolumes(tmp_path: Path) -> None:
    report, files = write_report(study_record(STUDY, TRADED, "id"), records_of(STUDY), None, tmp_path)
    assert {"fronts.png", "hypervolume.png", "hypervolume.tex"} <= {file.name for file in files}
    assert report.evidence.conclusions[0].startswith("Hypervolume of accuracy, latency at the end")
    page = (tmp_path / "report.html").read_text()
    assert re.search(r"accuracy from \d+ to 50 % \(all queries of this study\), latency from \d+ to \d+ ms", page)


def test_queries_have_a_column_for_each_quantity() -> None:
    found = Results(study_record(STUDY, TRADED, "id"), tuple(records_of(STUDY))).queries
    assert {"latency", "throughput", "incumbent"} <= set(found.columns)
    assert "extras" not in found


def test_searches_without_a_feasible_cell_are_named_and_left_out(tmp_path: Path) -> None:
    study = replace(STUDY, vary={"at_most": (None, "latency=2", "latency=-1")}, seeds=(0, 1))
    record = study_record(study, TRADED, "id")
    assert record.optimum is None
    report, _ = write_report(record, records_of(study), None, tmp_path)
    assert "2 finished trials found no cell that meets their constraints" in report.evidence.conclusions[0]
    assert [row.level for row in report.evidence.rows] == ["latency=2.0", "none"]
    assert all((tmp_path / "figures" / name).exists() for name in ("anytime_accuracy.png", "hypervolume.png"))
