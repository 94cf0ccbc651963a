"""`nadlab reproduce`: a run in MLflow comes out again bit for bit, or the command says why it can't."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from nadlab.cli.command_line import run_command
from nadlab.cli.main import nadlab
from nadlab.semigan.checkpoint import STATE
from nadlab.tracking.content import LEDGER, TRAINED, TRIAL_CONTENT
from nadlab.tracking.store import default_store, follow_folder


class Copy:
    """A copy of the smoke study's store that a test may change, and one trial's run in it."""

    def __init__(self, study: Any, folder: Path) -> None:
        shutil.copytree(study.out, folder, dirs_exist_ok=True)
        follow_folder(folder)
        self.uri, _ = default_store(folder)
        self.client = MlflowClient(tracking_uri=self.uri)
        (experiment,) = [each for each in self.client.search_experiments() if each.name == "ablate_alpha"]
        self.parent, *_ = self.client.search_runs([experiment.experiment_id], "tags.kind = 'study'")
        self.run, *_ = self.client.search_runs([experiment.experiment_id], "tags.kind = 'trial'")
        self.id = self.run.info.run_id

    def reproduce(self, *arguments: str) -> int:
        return run_command(nadlab, ["reproduce", self.id, "--tracking-uri", self.uri, *arguments])


@pytest.fixture
def copy(smoke_study: Any, tmp_path: Path, runs_of_one_place: None) -> Copy:  # noqa: ARG001
    return Copy(smoke_study, tmp_path)


def test_checkpoint_and_training_anew_give_the_recorded_ledger_bit_for_bit(
    copy: Copy, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ([], ["--retrain"]):
        assert copy.reproduce("--json", *arguments) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["equal"] is True
        assert said["recorded"] == said["reproduced"] == copy.run.data.metrics["incumbent/test_accuracy"]
        assert (said["queries"], said["different_queries"]) == (int(copy.run.data.tags["queries"]), 0)


def test_other_number_than_the_recorded_is_told_and_status_1(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    copy.client.log_metric(copy.id, "incumbent/test_accuracy", 12.5, step=1000)
    assert copy.reproduce() == 1
    assert "recorded 12.5, reproduced" in capsys.readouterr().out


def test_trial_of_a_pack_is_not_retrained_alone(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    copy.client.set_tag(copy.id, "packed", "3")
    way = "(accelerator, float32)"
    copy.client.set_tag(copy.id, TRAINED, f"epochs 1 to 4 in a pack of 3 {way}, epochs 5 to 8 alone {way}")
    assert copy.reproduce("--retrain") == 2
    said = capsys.readouterr().err
    assert (
        f"was trained in epochs 1 to 4 in a pack of 3 {way}, epochs 5 to 8 alone {way}, and differs by rounding" in said
    )
    assert copy.reproduce() == 0
    copy.reproduce("--retrain", "--anyway")
    assert "note: the run was trained in epochs 1 to 4 in a pack of 3" in capsys.readouterr().err


def test_trial_of_two_backends_is_not_retrained(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    assert copy.run.data.tags[TRAINED].startswith("epochs 1 to ")
    trained = "epochs 1 to 4 alone (accelerator, float32), epochs 5 to 8 alone (torch, float32)"
    copy.client.set_tag(copy.id, TRAINED, trained)
    assert copy.reproduce("--retrain") == 2
    assert f"was trained in {trained}, and differs by rounding" in capsys.readouterr().err


def test_other_packages_are_refused_but_anyway(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    copy.client.set_tag(copy.id, "torch", "1.0")
    assert copy.reproduce() == 2
    assert "torch was 1.0, here it is" in capsys.readouterr().err
    assert copy.reproduce("--anyway") == 0
    assert "note: torch was 1.0" in capsys.readouterr().err


def test_other_code_is_refused_with_the_revision_to_take(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    copy.client.set_tag(copy.id, "code", "0" * 16)
    assert copy.reproduce() == 2
    assert f"git revision {copy.run.data.tags['git_revision']}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("digest", "f" * 64, "queried another version of nasbench201/toy"),
        ("benchmark", "nope", "unknown benchmark 'nope'"),
        ("protocol", "naslib", "holds only means, and the protocol 'naslib' needs an archive of every run"),
        ("protocol", "nope", "unknown protocol 'nope'"),
        ("trainable", "trainables.nacg:Gone", "is not installed here"),
        ("trainable", "pathlib:Path", "is not a trainable"),
    ],
)
def test_trial_that_cannot_run_here_is_refused(
    copy: Copy, field: str, value: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = json.loads(copy.run.data.tags[TRIAL_CONTENT]) | {field: value}
    copy.client.set_tag(copy.id, TRIAL_CONTENT, json.dumps(changed))
    assert copy.reproduce("--anyway") == 2
    assert words in capsys.readouterr().err


def test_run_that_is_no_finished_trial_is_refused(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    copy.client.update_run(copy.id, "FAILED")
    assert copy.reproduce() == 2
    assert "only a finished trial has numbers" in capsys.readouterr().err
    copy.id = copy.parent.info.run_id
    assert copy.reproduce() == 2
    assert "is not a trial of a study" in capsys.readouterr().err
    copy.id = "0" * 32
    assert copy.reproduce() == 2
    assert "can't be read" in capsys.readouterr().err


def test_trial_without_a_cell_that_keeps_its_constraints_has_nothing_to_reproduce(
    copy: Copy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database, database:
        database.execute("delete from latest_metrics where key = 'incumbent/test_accuracy'")
    assert copy.reproduce() == 2
    assert f"no cell of run {copy.id} keeps the trial's constraints" in capsys.readouterr().err


def test_damaged_checkpoint_or_ledger_of_a_run_is_one_sentence(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    copy.client.log_text(copy.id, '{"epoch": 4', f"checkpoint/{STATE}")
    assert copy.reproduce() == 2
    said = capsys.readouterr().err
    assert f"{STATE} can't be read (JSONDecodeError" in said
    assert "--retrain trains the run anew" in said
    copy.client.log_text(copy.id, '{"columns": ["number"]}', LEDGER)
    assert copy.reproduce() == 2
    assert f"the ledger of run {copy.id} is missing or damaged" in capsys.readouterr().err
