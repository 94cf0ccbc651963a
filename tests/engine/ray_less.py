"""The engine without Ray: Tune's part is played in this process, so that a kill at each write takes no second."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nadlab.engine import record_writer
from nadlab.engine.record_writer import RecordWriter
from nadlab.engine.request import name_of
from nadlab.engine.tune import Suggestions
from nadlab.json_text import write_json
from nadlab.provenance.code import Provenance
from nadlab.schedule.packing import TrialPacks, packed
from nadlab.schedule.trial_schedule import FixedSchedule
from nadlab.study import folder as folders
from nadlab.study.checkpoints import processes
from nadlab.study.folder import StudyFolder
from nadlab.study.records import Record, StudyRecord, Trial
from trainables.biarch2perf import BiArch2PerfTrainable


class Killed(BaseException):
    """As SIGKILL, no `except Exception` holds it."""


class Writes:
    """Counts the writes of a driver, and kills it before one of them."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        self.names: list[str] = []
        patch.setattr(folders, "write_json", self.counted("json", write_json))
        patch.setattr(shutil, "rmtree", self.counted("rmtree", shutil.rmtree))
        patch.setattr(Path, "replace", self.counted("replace", Path.replace))
        patch.setattr(Path, "unlink", self.counted("unlink", Path.unlink))

    def counted(self, name: str, write: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **options: Any) -> Any:
            self.note(name)
            return write(*arguments, **options)

        return counting

    def note(self, name: str) -> None:
        if self.left == 0:
            raise Killed(name)
        self.names.append(name)
        self.left = None if self.left is None else self.left - 1


class Engine:
    """Runs the trials of a study in its folder, one process after the other, and delivers their records."""

    def __init__(self, path: Path, study: StudyRecord, trials: list[Trial], writes: Writes) -> None:
        self.folder, self.trials, self.writes = StudyFolder(path, study), trials, writes
        self.delivered: dict[str, Record] = {}
        self.launches = 0

    def deliver(self, record: Record) -> None:
        self.writes.note("deliver")
        self.delivered[record.trial.id] = record

    def run(self, pack: int) -> None:
        """Run what is missing, as `nadlab.engine.runner` does; raise Killed when it is killed."""
        self.launches += 1
        for record in self.folder.records():
            self.deliver(record)
        ended = {record.trial.id for record in self.folder.records() if record.is_final}
        trainable, packing = packed(BiArch2PerfTrainable, pack)
        packs = TrialPacks(FixedSchedule(self.trials, ended), packing, processes(self.folder.path))
        progress: Any = SimpleNamespace(reached=lambda *_: None, ended=lambda _: None, refresh=lambda: None)
        writer = RecordWriter(packs, self.folder, self.deliver, lambda: None, progress)
        suggestions = Suggestions(packs, self.folder)
        while not packs.over:
            config = suggestions.suggest("")
            if not isinstance(config, dict):
                break
            self.process(trainable, config, writer)
        self.folder.clear_engine()

    def process(self, trainable: Any, config: dict[str, Any], writer: RecordWriter) -> None:
        running = object.__new__(trainable)
        running.config = config
        running.setup(config)
        manager = SimpleNamespace(latest_checkpoint_result=None)
        metadata = SimpleNamespace(checkpoint_manager=manager, metric_analysis={}, metric_n_steps={})
        trial = SimpleNamespace(config=config, last_result={}, run_metadata=metadata)
        writer.on_trial_start(trial=trial)
        number = 0
        while not trial.last_result.get("done"):
            trial.last_result = running.step()
            writer.on_trial_result(trial=trial, result=trial.last_result)
            checkpoint = (
                self.folder.path / "tune" / f"launch-{self.launches}" / name_of(config) / f"checkpoint_{number:06d}"
            )
            checkpoint.mkdir(parents=True)
            running.save_checkpoint(str(checkpoint))
            number += 1
            writer.on_checkpoint(trial=trial, checkpoint=SimpleNamespace(path=str(checkpoint)))
            if trial.last_result["done"]:
                writer.on_trial_complete(trial=trial)
            writer.on_step_end()


def without_ray(patch: pytest.MonkeyPatch) -> None:
    """Let the record writer ask no Ray, and find no provenance anew at every start."""
    patch.setattr(record_writer, "provenance", lambda _origin, _sources: Provenance({"code": "1"}, {}))
    patch.setattr(record_writer, "cluster_resources_text", lambda: "")
    patch.setattr(record_writer, "hardware_at", lambda _address: {"host": tempfile.gettempdir()})
    patch.setattr(record_writer, "check_nodes", lambda: None)
