"""A study: planned with paired seeds, resumed after any stop, honest about failures, one sentence on bad input."""

import fcntl
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from nadlab.benchmarks.registry import benchmark
from nadlab.cli.options import parse_seeds
from nadlab.cli.study import command
from nadlab.cluster.execution import ExecutionConfig
from nadlab.engine.runner import run_study
from nadlab.errors import UserError
from nadlab.study.folder import StudyFolder, read_owner
from nadlab.study.study import Study, plan
from studies.ablate_alpha import STUDY
from tests.conftest import TOY, children, records_of, run_alpha, small
from tests.counting import Counting
from trainables.biarch2perf import BiArch2PerfTrainable
from trainables.nacg import NACGTrainable

ROOT = Path(__file__).parents[2]


def test_every_level_meets_every_seed_and_one_seed_is_whole_before_the_next(data: Path) -> None:  # noqa: ARG001
    trials = plan(small(seeds=(0, 1)), benchmark(TOY))
    assert [(trial.seed, trial.settings["alpha"]) for trial in trials] == [(0, 0.1), (0, 0.5), (1, 0.1), (1, 0.5)]
    assert len({trial.id for trial in trials}) == 4


def test_trials_that_share_a_training_come_one_after_the_other(data: Path) -> None:  # noqa: ARG001
    vary = {"final_k": (5, 10), "alpha": (0.3, 0.5)}
    levels = {
        trainable: [
            (trial.settings["final_k"], trial.settings["alpha"])
            for trial in plan(small(vary=vary, seeds=(0,), trainable=trainable), benchmark(TOY))
        ]
        for trainable in (BiArch2PerfTrainable, NACGTrainable)
    }
    assert levels[BiArch2PerfTrainable] == [(5, 0.3), (5, 0.5), (10, 0.3), (10, 0.5)]
    assert levels[NACGTrainable] == [(5, 0.3), (10, 0.3), (5, 0.5), (10, 0.5)]


def test_trial_is_the_same_in_another_study(data: Path) -> None:  # noqa: ARG001
    one = plan(small(), benchmark(TOY))
    other = plan(replace(small(), name="ablate_t", vary={"t": (None, 90.0)}), benchmark(TOY))
    assert {trial.id for trial in one} & {trial.id for trial in other} == {
        t.id for t in one if t.settings["alpha"] == 0.5
    }


@pytest.mark.parametrize(
    ("text", "seeds"), [("3", (0, 1, 2)), ("4-6", (4, 5, 6)), ("7,9", (7, 9)), ("5,", (5,)), ("0-1,8", (0, 1, 8))]
)
def test_seeds_are_a_count_a_range_or_a_list(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["0", "", "x", "1,1", "5-2", "-3", "1,,2", ",1", ","])
def test_seeds_that_name_nothing_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="names no seeds"):
        parse_seeds(text)


def test_study_of_an_unknown_setting_is_refused() -> None:
    with pytest.raises(UserError, match="'nonsense' is not a setting"):
        Study(name="x", question="", expectation="", trainable=STUDY.trainable, vary={"nonsense": (1,)})


def test_help_teaches_question_expectation_examples_and_defaults() -> None:
    shown = CliRunner().invoke(command(STUDY), ["--help"]).output
    for words in (
        "How much does alpha",
        "both ends lose",
        "--smoke",
        "alpha=0.1,0.3,0.5,0.7,0.9  [default: 0.5]",
        "labels=120",
    ):
        assert words in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--benchmark", "nope"], "unknown benchmark 'nope'"),
        (["--vary", "alpha=0.1,1.5"], "alpha must lie strictly between 0 and 1"),
        (["--vary", "alpha=much"], "'much' is not a level of alpha"),
        (["--set", "labels=299"], "299 labels \\+ 40 final queries are more than the 300 distinct cells"),
        (["--tracking-uri", "http://127.0.0.1:9"], "tracking store"),
        (["--address", "127.0.0.1:9"], "no Ray cluster answers"),
        (["--out", "/proc/out"], "can't be written"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    data: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:  # fmt: skip
    out = tmp_path / "out"
    with pytest.raises(UserError, match=words):
        command(STUDY).main(["--out", str(out), "--benchmark", TOY, *arguments], standalone_mode=False)
    assert not out.exists()
    assert data.exists()


def test_malformed_row_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nasbench201.csv").write_text("arch_str,odd_test_12\n|conv~0|,91\n")
    monkeypatch.setenv("NADLAB_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"row 1: .*operation 'conv' is not one of"):
        run_alpha(tmp_path / "out", "--benchmark", "nasbench201/odd")
    assert not (tmp_path / "out").exists()


def test_folder_of_another_study_or_other_files_is_refused(smoke_study: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="contains this study with"):
        run_alpha(smoke_study.out, "--benchmark", TOY)
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UserError, match="contains other files, such as thesis"):
        run_alpha(tmp_path, "--benchmark", TOY, "--smoke")
    owner = json.loads((smoke_study.out / "study.json").read_text())
    other = tmp_path / "other"
    other.mkdir()
    (other / "study.json").write_text(json.dumps(owner | {"digest": "f" * 64}))
    with pytest.raises(UserError, match="another version of the table"):
        run_alpha(other, "--benchmark", TOY, "--smoke")


def test_study_succeeds_with_exactly_its_budget_of_queries(smoke_study: Any) -> None:
    assert smoke_study.status == 0
    for record in records_of(smoke_study.out):
        budget = record.trial.settings["labels"] + record.trial.settings["final_k"]
        assert record.metrics["queries"] == len(record.ledger) == budget
        assert len(record.history) == record.trial.settings["epochs"]


def test_folder_that_another_run_makes_meanwhile_keeps_its_study(
    smoke_study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = read_owner(smoke_study.out)
    assert owner
    lock = fcntl.flock

    def late(file: Any, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        with StudyFolder.claim(tmp_path, replace(owner, study_id="first")):
            pass
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with StudyFolder.claim(tmp_path, replace(owner, study_id="second")) as folder:
        assert folder.study.study_id == "first"


def failing_trainable(marks: Path) -> type:
    """Return a trainable whose seed 1 fails once and whose seed 2 always fails, both at their second epoch."""

    class Failing(Counting):
        def step(self) -> dict[str, Any]:
            mark = marks / self.trial["id"]
            if self.epoch == 1 and (self.trial["seed"] == 2 or (self.trial["seed"] == 1 and not mark.exists())):
                mark.touch()
                raise RuntimeError(f"seed {self.trial['seed']} breaks")
            return super().step()

    return Failing


@pytest.mark.usefixtures("local_ray")
def test_failed_trial_is_retried_then_marked_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    study = small(name="ablate_failure", trainable=failing_trainable(tmp_path), vary={"alpha": (0.5,)}, seeds=(0, 1, 2))
    assert run_study(study, benchmark(TOY), ExecutionConfig(out)) == 1
    assert "error: trial alpha = 0.5, seed 2 failed: RuntimeError: seed 2 breaks" in capsys.readouterr().err
    assert {record.trial.seed: record.status for record in records_of(out)} == {
        0: "FINISHED",
        1: "FINISHED",
        2: "FAILED",
    }
    assert {run.data.tags["seed"]: run.info.status for run in children(out)} == {
        "0": "FINISHED",
        "1": "FINISHED",
        "2": "FAILED",
    }
    assert all("incumbent/val_accuracy" not in run.data.metrics for run in children(out))
    (failed,) = [run for run in children(out) if run.info.status == "FAILED"]
    client = MlflowClient(tracking_uri=f"sqlite:///{out / 'mlflow.db'}")
    assert "traceback.txt" in {file.path for file in client.list_artifacts(failed.info.run_id)}


def test_a_second_run_in_the_same_folder_is_refused(data: Path, smoke_study: Any) -> None:
    owner = read_owner(smoke_study.out)
    assert owner
    assert os.environ["NADLAB_DATA"] == str(data)
    with (
        StudyFolder.claim(smoke_study.out, owner),
        pytest.raises(UserError, match="in use by another run"),
        StudyFolder.claim(smoke_study.out, owner),
    ):
        pytest.fail("claimed twice")
