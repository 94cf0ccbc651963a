"""What nadlab uses of Ray Tune beyond its documented interface is as `nadlab.engine.tune_internals` takes it to be."""

import inspect
from pathlib import Path
from typing import Any

import ray.tune
import ray.tune.result
import ray.tune.tune
from ray import cloudpickle
from ray.exceptions import RayActorError
from ray.train._internal.checkpoint_manager import _CheckpointManager, _TrainingResult
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from nadlab.engine import tune_internals as internals
from tests.counting import Counting


def sources_of_ray() -> str:
    """Return the sources in which Tune reads its switches."""
    root = Path(ray.tune.__file__).parents[1]
    files = [file for folder in ("tune", "train") for file in (root / folder).rglob("*.py")]
    return "\n".join(file.read_text() for file in files)


def trial_of(folder: Path) -> Trial:
    """Return one of Tune's trials with a last result and a checkpoint."""
    trial = Trial("Counting", stub=True, trial_id="one")
    trial.run_metadata.last_result = result = {
        "history": [1],
        "ledger": [2],
        "trials": {},
        "epoch": 3,
        "node_ip": "here",
    }
    trial.run_metadata.last_result_time = 0.0
    trial.run_metadata.checkpoint_manager.register_checkpoint(
        _TrainingResult(ray.tune.Checkpoint(str(folder)), {"history": [1], "ledger": [2]})
    )
    trial.run_metadata.metric_analysis["epoch"] = {"max": 3}
    trial.run_metadata.metric_n_steps["epoch"] = {"5": [3]}
    assert trial.last_result is result
    return trial


def test_switches_are_read_by_tune() -> None:
    sources = sources_of_ray()
    unread = [name for name in internals.SWITCHES if f'"{name}"' not in sources]
    assert not unread, f"Tune no longer reads {unread}: find what replaces them"


def test_logger_is_the_one_of_tune_run() -> None:
    assert ray.tune.tune.logger.name == internals.LOGGER


def test_results_carry_keys_that_tune_adds() -> None:
    assert {"node_ip", "training_iteration", "pid", "time_total_s"} <= set(ray.tune.result.AUTO_RESULT_KEYS)
    assert internals.added_by_tune({"node_ip": "here", "done": True, "epoch": 3}) == {"node_ip": "here", "done": True}


def test_taken_result_leaves_no_ledger_in_tune(tmp_path: Path) -> None:
    trial = trial_of(tmp_path)
    taken = internals.take_result(trial)
    assert (taken["history"], taken["ledger"], taken["epoch"]) == ([1], [2], 3)
    latest = trial.run_metadata.checkpoint_manager.latest_checkpoint_result
    assert latest is not None
    for kept in (trial.last_result, latest.metrics):
        assert not kept.keys() & set(internals.BULKY)
    assert not trial.run_metadata.metric_analysis
    assert not trial.run_metadata.metric_n_steps
    assert isinstance(trial.run_metadata.checkpoint_manager, _CheckpointManager)


def failed(folder: Path, error: Exception | None) -> Trial:
    """Return one of Tune's trials that failed by an error; None: by one that Tune does not pickle."""
    trial = Trial("Counting", stub=True, trial_id="one")
    trial.temporary_state.location = None
    names = {"error_filename": "error.txt"} | ({"pickled_error_filename": "error.pkl"} if error else {})
    for name, value in names.items():
        assert hasattr(trial.run_metadata, name), f"Tune's run_metadata has no {name}"
        setattr(trial.run_metadata, name, value)
    (folder / "error.txt").write_text("traceback")
    if error:
        (folder / "error.pkl").write_bytes(cloudpickle.dumps(error))
    return trial


def test_loss_of_a_process_is_told_from_an_error_of_the_trial(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(Trial, "error_file", property(lambda _: str(tmp_path / "error.txt")))
    monkeypatch.setattr(
        Trial,
        "pickled_error_file",
        property(lambda trial: trial.run_metadata.pickled_error_filename and str(tmp_path / "error.pkl")),
    )
    assert not internals.has_failed(Trial("Counting", stub=True, trial_id="new"))
    for error, lost in ((None, False), (RayActorError(), True), (ValueError("own"), False)):
        trial = failed(tmp_path, error)
        assert internals.has_failed(trial)
        assert internals.traceback_of(trial) == "traceback"
        assert internals.lost_its_process(trial) is lost
        assert not (tmp_path / "error.pkl").exists()
    assert RayActorError().actor_init_failed is False


def test_tune_keeps_the_files_of_errors_under_these_names() -> None:
    for name in ("error_file", "pickled_error_file"):
        assert isinstance(inspect.getattr_static(Trial, name), property), f"Tune's Trial has no {name}"


def test_oldest_waiting_trial_runs_first_and_a_new_one_before_a_paused_one() -> None:
    assert callable(TuneController.get_live_trials)
    assert list(inspect.signature(FIFOScheduler.choose_trial_to_run).parameters) == ["self", "tune_controller"]
    trials = [Trial("Counting", stub=True, trial_id=name) for name in ("c", "b", "a", "d")]
    for trial, status in zip(trials, (Trial.PENDING, Trial.PENDING, Trial.PAUSED, Trial.RUNNING), strict=True):
        trial.status = status

    class Controller:
        def get_live_trials(self) -> list[Trial]:
            return trials

    assert internals.oldest_waiting(Controller()).trial_id == "b"


def test_search_ends_by_the_word_that_suggestions_return() -> None:
    assert Searcher.FINISHED == "FINISHED"


def test_trainable_runs_without_its_constructor(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("ray.tune.trainable.trainable.DEFAULT_STORAGE_PATH", str(tmp_path / "results"))
    trainable = internals.without_constructor(Counting)
    trainable.setup({"trial": {"seed": 0}})
    assert trainable.step()["epoch"] == 1
    assert not list(tmp_path.iterdir())
