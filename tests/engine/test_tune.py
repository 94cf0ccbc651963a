"""The engine: a study of many trials plans them one by one, and forgets what their records hold."""

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from ray.tune.execution.tune_controller import TuneController
from ray.tune.search import Searcher

from nadlab.benchmarks.registry import benchmark
from nadlab.cluster.execution import ExecutionConfig
from nadlab.engine.record_writer import RecordWriter
from nadlab.engine.runner import run_study
from nadlab.engine.tune import Suggestions
from nadlab.schedule.packing import UNPACKED, TrialPacks
from nadlab.schedule.trial_schedule import FixedSchedule
from nadlab.study.folder import KEPT_CHECKPOINTS
from nadlab.study.records import Trial
from perf.scale.sleeping import Sleep, SleepingTrainable, study
from tests.conftest import TOY


def test_a_trial_is_planned_when_its_turn_comes() -> None:
    planned: list[int] = []
    schedule = FixedSchedule([Trial("", "", seed, {}, "") for seed in range(3)])

    def resume_together(trials: list[Trial]) -> list[None]:
        planned.extend(trial.seed for trial in trials)
        return [None]

    folder: Any = SimpleNamespace(resume_together=resume_together)
    trials = Suggestions(TrialPacks(schedule, UNPACKED), folder)
    for seed in range(3):
        suggested = trials.suggest("any name")
        assert isinstance(suggested, dict)
        assert suggested["trial"]["seed"] == seed
        assert planned == list(range(seed + 1))
    assert trials.suggest("after the last") == Searcher.FINISHED


@pytest.mark.usefixtures("local_ray")
def test_ledgers_of_ended_trials_do_not_stay_in_memory_nor_their_older_checkpoints_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    kept: list[dict[str, Any]] = []
    folders: list[Path] = []

    def look(writer: RecordWriter, *, trials: list[Any], **_info: Any) -> None:
        writer.on_step_end()
        folders.extend(out.glob("tune/*/*/checkpoint_*"))
        for trial in trials:
            manager = trial.run_metadata.checkpoint_manager
            checkpoints = [*manager.best_checkpoint_results, manager.latest_checkpoint_result]
            kept.extend([trial.last_result, *(checkpoint.metrics for checkpoint in checkpoints)])
            assert not trial.metric_analysis

    monkeypatch.setattr(RecordWriter, "on_experiment_end", look)
    assert run_study(study(Sleep(seconds=0, epochs=4, queries=5), trials=2), benchmark(TOY), ExecutionConfig(out)) == 0
    assert len(kept) == 2 * (1 + 4 + 1)
    assert not any(result.keys() & {"history", "ledger"} for result in kept)
    assert not folders


@pytest.mark.usefixtures("local_ray")
def test_part_done_trial_keeps_its_newest_checkpoints_and_no_checkpoint_costs_a_snapshot_of_all_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    lying: list[int] = []
    snapshots: list[None] = []
    step, save = RecordWriter.on_step_end, TuneController.save_to_dir

    def look(writer: RecordWriter, **info: Any) -> None:
        step(writer, **info)
        lying.append(len(list(out.glob("tune/*/*/checkpoint_*"))))

    def count(controller: TuneController) -> None:
        snapshots.append(None)
        save(controller)

    monkeypatch.setattr(RecordWriter, "on_step_end", look)
    monkeypatch.setattr(TuneController, "save_to_dir", count)
    assert (
        run_study(
            study(Sleep(seconds=0, epochs=10, queries=5), trials=2), benchmark(TOY), ExecutionConfig(out, concurrent=1)
        )
        == 0
    )
    # a checkpoint that the next step will note may lie there already
    assert KEPT_CHECKPOINTS <= max(lying) <= KEPT_CHECKPOINTS + 1
    assert len(snapshots) <= 2


@pytest.mark.usefixtures("local_ray")
def test_trainable_may_stand_in_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = ModuleType("alone")
    alone.__file__ = str(tmp_path / "alone.py")
    monkeypatch.setitem(sys.modules, "alone", alone)
    trainable = type("Alone", (SleepingTrainable,), {"__module__": "alone"})
    asked = replace(study(Sleep(seconds=0, epochs=1, queries=5), trials=2), trainable=trainable)
    assert run_study(asked, benchmark(TOY), ExecutionConfig(tmp_path / "out")) == 0
