"""Intervals, conclusions and files of the report."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nadlab.analysis.report import report_on
from nadlab.analysis.reports import write
from nadlab.analysis.statistics.intervals import band, mean_interval, paired_difference
from nadlab.analysis.statistics.random_search import random_curves
from nadlab.benchmarks.registry import benchmark
from nadlab.queries.ledger import QueryLedger
from nadlab.searchers.random_search import random_search
from nadlab.study.folder import StudyFolder, read_owner
from nadlab.study.incumbents import incumbents
from nadlab.study.records import Record, StudyRecord, Trial

STUDY = StudyRecord(
    "ablate_x", "Does x matter?", "yes", "module:class", "toy", "0" * 64, "paper", "valid", "test", 95.0,
    {"labels": 2}, {"alpha": 0.5}, "id",
)  # fmt: skip


def record(alpha: float, seed: int, accuracy: float) -> Record:
    trial = Trial("toy", "0" * 64, seed, {"labels": 2, "alpha": alpha}, "module:class")
    ledger: list[dict[str, Any]] = [
        {"number": 1, "key": 1, "cell": "a", "valid": 80.0, "test": 82.0},
        {"number": 2, "key": 2, "cell": "b", "valid": 70.0, "test": 90.0},
        {"number": 3, "key": 3, "cell": "c", "valid": 85.0, "test": accuracy},
    ]
    metrics: dict[str, float | None] = {"best_reported": accuracy, "regret": 95 - accuracy, "best_test": None}
    return Record(trial, "FINISHED", metrics, [], ledger, 0.0, 1.0, {"git_revision": "abc"})


def records(seeds: int, gain: float) -> list[Record]:
    noise = np.random.default_rng(1).normal(90, 0.5, seeds)
    return [record(0.5, seed, noise[seed]) for seed in range(seeds)] + [
        record(0.9, seed, noise[seed] + gain) for seed in range(seeds)
    ]


def test_interval_of_many_normal_values_is_the_normal_one() -> None:
    values = np.random.default_rng(2).normal(50, 2, 400)
    found = mean_interval(values, np.random.default_rng(0))
    assert found.low is not None
    assert found.high is not None
    half = 1.96 * values.std() / 20
    assert found.low == pytest.approx(values.mean() - half, abs=0.02)
    assert found.high == pytest.approx(values.mean() + half, abs=0.02)


def test_one_seed_has_no_interval_and_equal_seeds_an_empty_one() -> None:
    assert mean_interval(np.array([3.0]), np.random.default_rng(0)).low is None
    low, high = band(np.full((4, 2), 7.0), np.random.default_rng(0))
    assert low.tolist() == high.tolist() == [7.0, 7.0]


def test_difference_is_paired_by_seed_and_leaves_others_out() -> None:
    found = paired_difference({0: 2.0, 1: 5.0, 7: 100.0}, {1: 4.0, 0: 1.0}, np.random.default_rng(0))
    assert found is not None
    assert (found.mean, found.low, found.high, found.n) == (1.0, 1.0, 1.0, 2)
    assert paired_difference({0: 1.0}, {1: 1.0}, np.random.default_rng(0)) is None


def test_best_so_far_is_judged_by_the_reported_split_of_the_cell_that_search_prefers() -> None:
    assert incumbents(record(0.5, 0, 88.0), STUDY) == [82.0, 82.0, 88.0]


def test_a_clear_difference_over_enough_seeds_is_stated() -> None:
    said = " ".join(report_on(STUDY, records(10, 1.0), np.random.default_rng(0)).evidence.conclusions)
    assert "alpha = 0.9 is better than the default 0.5 by 1.00 points" in said


@pytest.mark.parametrize(
    ("seeds", "gain", "expected"),
    [
        (
            3,
            1.0,
            r"Inconclusive: 3 seeds, but at least 6 are needed; alpha = 0.9 differs .* by \+1.00 points \(95 % interval",
        ),
        (10, 1.0, r"A significant difference: alpha = 0.9 differs from the default 0.5 in accuracy by \+1.00 points"),
        (10, 0.0, "No .*difference"),
    ],
)
def test_answer_is_one_sentence_with_its_interval(seeds: int, gain: float, expected: str, tmp_path: Path) -> None:
    write(report_on(STUDY, records(seeds, gain), np.random.default_rng(0)), tmp_path, np.random.default_rng(0))
    page = (tmp_path / "report.html").read_text()
    found = re.search(r'<p class="verdict">(.*)</p>', page)
    assert found
    assert re.match(expected, found.group(1))
    assert ("undecided" in page) == (seeds == 3)
    assert page.index('class="verdict"') < page.index('class="levels"') < page.index("<figure")


@pytest.mark.parametrize(("seeds", "gain"), [(3, 1.0), (10, 0.0)])
def test_few_seeds_or_no_difference_are_no_significant_difference(seeds: int, gain: float) -> None:
    said = " ".join(report_on(STUDY, records(seeds, gain), np.random.default_rng(0)).evidence.conclusions)
    assert f"alpha = 0.9 does not differ significantly from the default 0.5 with {seeds} seeds" in said


def test_random_search_is_a_reference_with_the_seeds_of_the_study_on_its_own_table_alone() -> None:
    table = benchmark("mnist1d-201")
    study = replace(STUDY, benchmark=table.name, digest=table.digest)
    found = random_curves(study, [3, 4], 12)
    assert found
    reported, searched = found
    assert reported.shape == searched.shape == (2, 12)
    assert (np.diff(searched) >= 0).all()
    ledger = QueryLedger(table, 12)
    random_search(ledger, np.random.default_rng(4))
    assert reported[1, -1] == ledger.reported(ledger.best())
    assert random_curves(STUDY, [3, 4], 12) is None
    assert random_curves(replace(study, digest="0" * 64), [3, 4], 12) is None


def test_report_is_the_same_from_the_same_records_and_generator(tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        rng = np.random.default_rng(0)
        write(report_on(STUDY, records(4, 0.3), rng), folder, rng)
        texts.append([(folder / file).read_bytes() for file in ("report.html", "report.md", "trials.csv")])
    assert texts[0] == texts[1]


def test_study_leaves_table_plots_and_every_trial(smoke_study: Any) -> None:
    levels, trials = (pd.read_csv(smoke_study.out / name) for name in ("levels.csv", "trials.csv"))
    assert levels["level"].tolist() == [0.1, 0.5]
    assert levels["n"].tolist() == [2, 2]
    assert len(trials) == 4
    for level, mean in zip(levels["level"], levels["mean"], strict=True):
        assert trials.loc[trials["alpha"] == level, "predictor_tau"].mean() == pytest.approx(mean)
    for plot in ("accuracy_by_alpha.png", "anytime_regret.png"):
        assert (smoke_study.out / "figures" / plot).read_bytes().startswith(b"\x89PNG")


def test_report_needs_nothing_but_the_folder(smoke_study: Any) -> None:
    owner = read_owner(smoke_study.out)
    assert owner
    report = report_on(owner, StudyFolder(smoke_study.out, owner).records(), np.random.default_rng(0))
    assert report.markdown() == (smoke_study.out / "report.md").read_text()
