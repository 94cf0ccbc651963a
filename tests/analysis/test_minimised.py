"""A metric that is to be minimised: statistics, sorting and words follow it."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from optuna.distributions import FloatDistribution, distribution_to_json

from nadlab.analysis.configurations import configurations, on_front
from nadlab.analysis.report import report_on
from nadlab.analysis.sections.search import coordinates, front
from nadlab.analysis.statistics.comparisons import compare
from nadlab.analysis.tuned import report_on_tuning
from nadlab.benchmarks.oracle import Metric
from nadlab.benchmarks.registry import benchmark
from nadlab.study.records import Record, StudyRecord, Trial
from nadlab.study.study import study_record
from studies.ablate_alpha import STUDY
from tests.conftest import TOY

pytestmark = pytest.mark.usefixtures("data")
ERROR = Metric("error", "", maximise=False, low=0.0, high=1.0)


def study() -> StudyRecord:
    found = study_record(STUDY, benchmark(TOY), "id")
    return replace(
        found, metric=asdict(ERROR), optimum=None, outcomes=["final"], search_split="valid", report_split="valid"
    )


def record(alpha: float, seed: int, error: float, queries: int = 2) -> Record:
    ledger = [
        {"number": n, "key": n, "cell": "|none~0|", "valid": error + 0.1 * (queries - n), "test": None}
        for n in range(1, queries + 1)
    ]
    trial = Trial(TOY, "0" * 64, seed, {"alpha": alpha, "labels": queries}, "a:B")
    return Record(trial, "FINISHED", {"best_reported": error}, [], ledger, 0.0, 1.0, {"git_revision": "0"})


def records(gain: float) -> list[Record]:
    noise = np.random.default_rng(0).uniform(0, 0.001, 10)
    return [record(a, s, 0.3 - gain * (a == 0.9) + noise[s], 2 + 2 * (a == 0.9)) for a in (0.5, 0.9) for s in range(10)]


@pytest.mark.parametrize(("gain", "word", "lowest"), [(0.0125, "better", "0.9"), (-0.0125, "worse", "0.5")])
def test_less_error_is_better_and_small_differences_have_digits(gain: float, word: str, lowest: str) -> None:
    report = report_on(study(), records(gain), np.random.default_rng(0))
    said = " ".join(report.evidence.conclusions)
    assert f"alpha = 0.9 is {word} than the default 0.5 by 0.0125 (95 % interval" in said
    assert f"alpha = {lowest} has the lowest mean, 0." in said
    assert "points" not in said
    (row,) = (each for each in report.evidence.rows if each.level == "0.9")
    assert row.comparison
    assert row.comparison.superiority.mean == (1.0 if gain > 0 else 0.0)


def test_superiority_is_that_of_the_negated_values() -> None:
    rng = np.random.default_rng(1)
    one, two = (dict(enumerate(rng.uniform(0, 1, 12).tolist())) for _ in range(2))
    found = compare({"x": one}, two, np.random.default_rng(0), maximise=False)["x"]
    other = compare({"x": one}, two, np.random.default_rng(0))["x"]
    assert found.superiority.mean == pytest.approx(1 - other.superiority.mean)
    assert (found.difference, found.p_value) == (other.difference, other.p_value)


def test_front_joins_the_least_errors() -> None:
    evidence = report_on(study(), records(0.05), np.random.default_rng(0)).evidence
    section = front(evidence, np.random.default_rng(0))
    assert section
    assert section.tables[0].heading[1:] == ("queries", "error")
    assert len(section.tables[0].rows) == 2  # more queries, less error: both
    worse = report_on(study(), records(-0.05), np.random.default_rng(0)).evidence
    section = front(worse, np.random.default_rng(0))
    assert section
    assert [row[0] for row in section.tables[0].rows] == ["0.5"]  # more queries and more error is on no front
    assert on_front([(-0.3, 10.0), (-0.2, 10.0)]) == [False, True]


def test_parallel_coordinates_have_an_axis_of_the_metric() -> None:
    evidence = report_on(
        study(), [record(a, s, 0.1 * s) for a in (0.5, 0.9) for s in range(3)], np.random.default_rng(0)
    )
    varied = replace(evidence.evidence, study=replace(study(), default={"alpha": 0.5, "labels": 2}))
    varied = replace(varied, records=[record(a, s, 0.1 * s, q) for a in (0.5, 0.9) for s, q in ((0, 2), (1, 4))])
    section = coordinates(varied, np.random.default_rng(0))
    assert section
    assert "higher error" in section.pictures[0].caption


def test_the_configuration_with_the_least_error_is_the_best() -> None:
    space = distribution_to_json(FloatDistribution(0.1, 0.9))
    search = {"sampler": "tpe", "objectives": "accuracy", "seeds": "0,1", "space/alpha": space}
    tuning = replace(study(), settings=search, default={"alpha": 0.5})
    found = [record(a, s, error) for a, error in ((0.5, 0.3), (0.2, 0.1), (0.8, 0.6)) for s in (0, 1)]
    rows = configurations(tuning, found, np.random.default_rng(0))
    assert [row.settings["alpha"] for row in rows] == [0.2, 0.5, 0.8]
    assert [row.on_front for row in rows] == [True, False, False]
    report = report_on_tuning(tuning, found, np.random.default_rng(0))
    assert "The best configuration is alpha = 0.2: 0.1000." in report.evidence.conclusions[0]
    assert "accuracy" not in report.markdown()
