"""All that nadlab uses of Ray Tune beyond its documented interface; tests/test_tune_internals.py fails when it changes."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray import cloudpickle
from ray.exceptions import RayActorError
from ray.tune import Trainable
from ray.tune.experiment import Trial
from ray.tune.result import AUTO_RESULT_KEYS

SWITCHES = {
    # Tune's own loggers, snapshots and tables cost time in every trial; the records hold all of it
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",
    "TUNE_ONLY_STORE_CHECKPOINT_SCORE_ATTRIBUTE": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
os.environ |= SWITCHES

LOGGER = "ray.tune.tune"
logging.getLogger(LOGGER).setLevel(logging.CRITICAL)  # it lists the failures that nadlab reports itself

BULKY = ("history", "ledger", "trained", "trials")
"""keys of a result that Tune must not keep"""


def added_by_tune(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a result that Tune adds to what a trainable reports."""
    return {key: value for key, value in result.items() if key in AUTO_RESULT_KEYS or key == "done"}


def take_result(trial: Any) -> dict[str, Any]:
    """Return a trial's last result, and delete its history and ledger in Tune, which keeps every result until the end."""
    result, metadata = dict(trial.last_result or {}), trial.run_metadata
    latest = metadata.checkpoint_manager.latest_checkpoint_result
    for kept in (trial.last_result or {}, latest.metrics if latest else {}):
        for name in BULKY:
            kept.pop(name, None)
    metadata.metric_analysis.clear()
    metadata.metric_n_steps.clear()
    return result


def has_failed(trial: Any) -> bool:
    """Return whether a trial has failed before."""
    return bool(trial.run_metadata.error_filename)


def traceback_of(trial: Any) -> str:
    """Return the traceback of a failed trial."""
    return Path(trial.error_file).read_text(encoding="utf-8", errors="replace")


def lost_its_process(trial: Any) -> bool:
    """Return whether a trial failed because its process or node was lost, and not by its own code."""
    pickled = Path(trial.pickled_error_file or "")
    if not pickled.is_file():  # Tune pickles errors of these two kinds alone
        return False
    error = cloudpickle.loads(pickled.read_bytes())
    pickled.unlink()  # else it would be read again after an error that Tune does not pickle
    return isinstance(error, RayActorError) and not error.actor_init_failed


def oldest_waiting(controller: Any) -> Any:
    """Return the oldest trial that waits, new ones first; None without one.

    Tune's own search walks through all trials of the study at every event.
    """
    waiting = [trial for trial in controller.get_live_trials() if trial.status in (Trial.PENDING, Trial.PAUSED)]
    return min(waiting, key=lambda trial: (trial.status != Trial.PENDING, trial.trial_id), default=None)


def without_constructor(trainable: type[Trainable]) -> Any:
    """Return a trainable for `setup` and `step` in this process: Tune's constructor makes a folder in ~/ray_results."""
    return object.__new__(trainable)
