"""The public API: cheap to import, typed, and `load` gives a study's numbers as the report does."""

import subprocess
import sys
from dataclasses import asdict, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import nadlab
from nadlab import Study, Tuning, benchmark, load, main, search
from nadlab.analysis.report import report_on
from nadlab.json_text import write_json
from nadlab.study.folder import StudyFolder
from nadlab.study.records import Record, StudyRecord, Trial
from studies.ablate_alpha import STUDY
from studies.tune_semigan import TUNING
from tests.conftest import TOY

ABLATION = StudyRecord(
    "ablate_alpha", "Which alpha?", "0.5", "module:class", "toy", "0" * 64, "paper", "valid", "test", 95.0, {},
    {"alpha": 0.5}, "id",
)  # fmt: skip
SEARCH = replace(ABLATION, settings={"sampler": "tpe", "objectives": "accuracy", "seeds": "0,1"})


def record(alpha: float, seed: int, accuracies: list[tuple[float, float]], **changes: Any) -> Record:
    """A trial that queried cells of these validation and test accuracies."""
    ledger = [
        {"number": n, "key": n, "cell": f"cell {n}", "valid": valid, "test": test}
        for n, (valid, test) in enumerate(accuracies, 1)
    ]
    best = max(accuracies)[1]
    metrics: dict[str, float | None] = {"best_reported": best, "regret": 95 - best}
    trial = Trial("toy", "0" * 64, seed, {"alpha": alpha}, "module:class")
    done = Record(
        trial, "FINISHED", metrics, [{"generator": 0.7}, {"generator": 0.6}], ledger, 0.0, 1.0, {"git_revision": "abc"}
    )
    return replace(done, **changes)


RECORDS = [
    record(0.5, 0, [(80.0, 81.0), (90.0, 92.0), (85.0, 94.0)]),
    record(0.5, 1, [(90.0, 90.0)]),
    record(0.1, 0, [(91.0, 93.0)]),
    record(0.1, 1, [(70.0, 70.0)], status="FAILED", metrics={}, ledger=[], history=[], error="broke"),
]


def written(folder: Path, records: list[Record], study: StudyRecord = ABLATION) -> Path:
    write_json(folder / "study.json", asdict(study))
    for each in records:
        StudyFolder(folder, study).finish(each, None)
    return folder


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_import_is_cheap() -> None:
    heavy = "('torch', 'ray', 'mlflow', 'optuna', 'pandas', 'numpy', 'click')"
    assert run(f"import sys, nadlab; print([name for name in {heavy} if name in sys.modules])") == "[]"


def test_public_names_are_the_documented_ones_and_no_other() -> None:
    assert dir(nadlab) == sorted(nadlab.__all__)
    assert set(dir(nadlab)) == {
        "Study",
        "Tuning",
        "benchmark",
        "check_space",
        "complete",
        "load",
        "main",
        "search",
        "space",
    }
    assert all(getattr(nadlab, name).__doc__ for name in nadlab.__all__)
    with pytest.raises(AttributeError, match="it offers Study, Tuning, "):
        _ = nadlab.Stud  # type: ignore[attr-defined]


def test_package_says_that_it_is_typed() -> None:
    assert files("nadlab").joinpath("py.typed").is_file()


def test_trials_have_a_row_each_whatever_became_of_them(tmp_path: Path) -> None:
    trials = load(written(tmp_path, RECORDS)).trials
    assert list(trials) == ["trial", "level", "alpha", "seed", "status", "best_reported", "regret"]
    assert set(trials.trial) == {each.trial.id for each in RECORDS}
    assert trials.groupby("level").seed.apply(set).to_dict() == {"0.1": {0, 1}, "0.5": {0, 1}}
    failed = trials[trials.status == "FAILED"]
    assert failed[["alpha", "seed"]].values.tolist() == [[0.1, 1]]
    assert failed.best_reported.isna().all()


def test_queries_come_in_order_with_the_incumbent(tmp_path: Path) -> None:
    queries = load(written(tmp_path, RECORDS)).queries
    assert list(queries) == ["trial", "level", "seed", "number", "key", "cell", "valid", "test", "incumbent"]
    first = queries[queries.trial == RECORDS[0].trial.id]
    assert first.number.tolist() == [1, 2, 3]
    assert first.incumbent.tolist() == [81.0, 92.0, 92.0]  # best by validation accuracy, reported by test accuracy
    assert len(queries) == 5


def test_history_has_a_row_an_epoch(tmp_path: Path) -> None:
    history = load(written(tmp_path, RECORDS)).history
    assert list(history) == ["trial", "level", "seed", "epoch", "generator"]
    assert history[history.trial == RECORDS[0].trial.id][["epoch", "generator"]].values.tolist() == [[1, 0.7], [2, 0.6]]
    assert len(history) == 6


def test_levels_are_means_with_deviation_interval_and_number_of_seeds(tmp_path: Path) -> None:
    levels = load(written(tmp_path, RECORDS)).levels.set_index("level")
    default, other = levels.loc["0.5"], levels.loc["0.1"]
    assert (default.n, default["mean"], default.sd) == (2, 91.0, pytest.approx(2**0.5))
    assert (default.low, default.high) == (90.0, 92.0)  # two seeds: a bootstrap sample is one, the other, or both
    assert (other.n, other["mean"], other.difference_mean) == (1, 93.0, 1.0)
    assert other[["sd", "low", "high"]].isna().all()


def test_levels_are_the_report_s(tmp_path: Path) -> None:
    found = load(written(tmp_path, RECORDS))
    _, reported = report_on(found.study, found.records, np.random.default_rng(0)).data
    pd.testing.assert_frame_equal(found.levels, reported)


def test_levels_of_a_tuning_study_are_configurations_at_the_seeds_of_the_search(tmp_path: Path) -> None:
    records = [record(alpha, seed, [(alpha, alpha)]) for alpha in (0.5, 0.1, 0.9) for seed in (0, 1, 7)]
    found = load(written(tmp_path, records, SEARCH))
    assert found.levels[["level", "mean", "n"]].values.tolist() == [["1", 0.9, 2], ["2", 0.5, 2], ["3", 0.1, 2]]
    assert found.trials[found.trials.seed == 7].level.tolist() == ["3", "2", "1"]


def test_study_without_a_finished_trial_has_no_levels(tmp_path: Path) -> None:
    found = load(written(tmp_path, [RECORDS[-1]]))
    assert len(found.trials) == 1
    assert found.levels.empty
    assert found.queries.empty
    assert found.history.empty


def test_reading_writes_nothing_and_imports_neither_mlflow_nor_ray(tmp_path: Path) -> None:
    written(tmp_path, RECORDS)

    def state() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (tmp_path, *tmp_path.rglob("*"))}

    before = state()
    code = f"""import sys, nadlab
found = nadlab.load({str(tmp_path)!r})
print(*map(len, (found.trials, found.queries, found.levels, found.history)))
print([name for name in ("mlflow", "ray", "torch") if name in sys.modules])"""
    assert run(code).splitlines() == ["4 5 2 6", "[]"]
    assert state() == before


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "holds no study: name a study's output folder, such as runs/ablate_alpha/mnist1d-201"),
        ({"notes.txt": "mine"}, "holds no study"),
        ({"study.json": "{"}, "is not a record of a study"),
    ],
)
def test_wrong_folder_is_one_sentence(tmp_path: Path, files: dict[str, str], words: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=words) as said:
        load(tmp_path)
    assert "\n" not in str(said.value)


def test_folders_that_are_not_there_or_have_no_trial_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere holds no study"):
        load("nowhere")
    with pytest.raises(ValueError, match="holds no trial that has ended"):
        load(written(tmp_path, []))


@pytest.mark.usefixtures("data")
def test_search_returns_a_row_a_method_and_seed() -> None:
    found = search(["random-search", "local-search"], TOY, queries=20, seeds=(3, 5))
    assert found[["method", "seed"]].values.tolist() == [
        ["random-search", 3], ["random-search", 5], ["local-search", 3], ["local-search", 5],
    ]  # fmt: skip
    assert (found.queries == 20).all()
    assert (found.regret >= 0).all()
    again = search("random-search", TOY, queries=20, seeds=(3, 5))
    pd.testing.assert_frame_equal(again.drop(columns="seconds"), found[:2].drop(columns="seconds"))


@pytest.mark.usefixtures("data")
def test_bad_searches_are_one_sentence() -> None:
    with pytest.raises(ValueError, match="unknown method 'guess'"):
        search("guess", TOY)
    with pytest.raises(ValueError, match="'random-search' is named twice"):
        search(["random-search", "random-search"], TOY)
    with pytest.raises(ValueError, match="at least one method and one seed"):
        search("random-search", TOY, seeds=())
    with pytest.raises(ValueError, match="unknown benchmark 'nope'"):
        benchmark("nope")


@pytest.mark.parametrize("study", [STUDY, TUNING], ids=lambda study: study.name)
def test_main_runs_a_study_or_a_tuning_study_as_a_command(
    study: Study | Tuning, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["study.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        main(study)
    assert ended.value.code == 0
    assert study.name in capsys.readouterr().out
