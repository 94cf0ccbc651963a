"""Every ablation is a declaration that can be imported, and a factorial design crosses all levels of its factors."""

import csv
import importlib
from pathlib import Path

import pytest

from nadlab.benchmarks.registry import benchmark
from nadlab.cli.study import command
from nadlab.study.records import Trial
from nadlab.study.study import Study, study_record
from studies import ablate_additions, factorial_alpha_labels
from tests.conftest import TOY

FILES = sorted(Path(__file__).parents[2].glob("studies/ablate_*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_ablation_is_named_as_its_file_and_compares_with_the_default(path: Path) -> None:
    study = importlib.import_module(f"studies.{path.stem}").STUDY
    assert isinstance(study, Study)
    assert study.name == path.stem
    assert len(path.read_text().splitlines()) < 30
    for factor, default in study.default.items():
        assert default in study.vary[factor]


def test_factorial_design_runs_every_combination() -> None:
    combinations = factorial_alpha_labels.STUDY.combinations
    assert [tuple(each) for each in combinations] == [("alpha", "labels")] * 9
    assert {tuple(each.values()) for each in combinations} == {(a, n) for a in (0.1, 0.5, 0.9) for n in (30, 60, 120)}


@pytest.mark.usefixtures("local_ray")
def test_report_of_a_factorial_design_names_both_factors_and_compares_with_the_default_pair(tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = ["--smoke", "--benchmark", TOY, "--seeds", "1", "--vary", "labels=10,120", "--out", str(out)]
    assert command(factorial_alpha_labels.STUDY).main(asked, standalone_mode=False) == 0
    rows = list(csv.DictReader((out / "levels.csv").read_text().splitlines()))
    assert [row["level"] for row in rows] == ["0.1, 10", "0.1, 120", "0.5, 10", "0.5, 120"]
    assert [row["difference_n"] for row in rows] == ["1.0", "1.0", "1.0", ""]
    trials = list(csv.DictReader((out / "trials.csv").read_text().splitlines()))
    assert {(row["alpha"], row["labels"], row["queries"]) for row in trials} == {
        (alpha, labels, queries) for alpha in ("0.1", "0.5") for labels, queries in (("10", "12"), ("120", "122"))
    }
    report = (out / "report.md").read_text()
    assert "| alpha x labels | n |" in report
    assert "| 0.5, 120 (default) |" in report
    assert (out / "figures" / "accuracy_by_alpha_x_labels.png").exists()
    assert (out / "figures" / "label_efficiency.png").exists()


def test_factors_changed_one_at_a_time_meet_the_default_and_nothing_else() -> None:
    study = ablate_additions.STUDY
    changes = [
        {factor: level for factor, level in levels.items() if level != study.default[factor]}
        for levels in study.combinations
    ]
    assert changes[0] == {}
    assert all(len(change) == 1 for change in changes[1:])
    assert len(changes) == 1 + sum(len(levels) - 1 for levels in study.vary.values())


@pytest.mark.usefixtures("data")
def test_trial_of_one_change_is_named_by_it() -> None:
    oracle = benchmark("mnist1d-201")
    record = study_record(ablate_additions.STUDY, oracle, "id")
    for levels, name in ((record.default, "nothing"), (record.default | {"per_round": None}, "per_round none")):
        assert record.level(Trial(oracle.name, oracle.digest, 0, levels, record.trainable)) == name
    assert record.default_level == "nothing"
