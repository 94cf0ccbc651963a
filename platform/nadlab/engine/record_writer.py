"""From the events of Ray Tune to records in the study's folder."""

import shutil
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ray import tune

from nadlab.cluster.connection import check_nodes
from nadlab.cluster.nodes import cluster_resources_text, hardware_at
from nadlab.cluster.tasks import LOSSES
from nadlab.engine import tune_internals as internals
from nadlab.engine.progress import Progress
from nadlab.engine.request import is_pack, name_of, requests, trials_of
from nadlab.provenance.code import provenance
from nadlab.schedule.packing import TrialPacks
from nadlab.study.folder import StudyFolder
from nadlab.study.records import Record, Status, Trial

ERRORS = 1
"""errors of its own code that a trial survives in one launch"""
SHOWN_EVERY = 10.0
"""seconds between two reports of a trial that goes on"""
NODES_CHECKED_EVERY = 5.0
"""seconds"""


class RecordWriter(tune.Callback):
    """Writes a record of every trial that ended, and passes it to the schedule and to `deliver`.

    Tune logs and drops what a callback raises on a result or checkpoint. Events are therefore queued and handled in
    `on_step_end`, where an error ends the run.
    """

    def __init__(
        self,
        packs: TrialPacks,
        folder: StudyFolder,
        deliver: Callable[[Record], None],
        check: Callable[[], None],
        progress: Progress,
        going_on: Callable[[Trial, Mapping[str, Any]], None] = lambda *_: None,
    ) -> None:
        self.packs = packs
        self.folder = folder
        self.deliver = deliver
        self.check = check
        self.progress = progress
        self.going_on = going_on
        self.shown: dict[str, float] = {}
        """trial id -> when a report of it was last passed to `going_on`"""
        made_by = provenance(folder.study.origin, folder.study.sources)
        folder.attach(made_by.files)
        self.provenance = made_by.values | {"cluster": cluster_resources_text()}
        self.pruned: dict[str, int] = {}
        """trial id -> its last epoch"""
        self.errors: Counter[str] = Counter()
        self.losses: Counter[str] = Counter()
        self.failed: set[str] = set()
        self.started: dict[str, float] = {}
        self.checkpoints: dict[str, Path] = {}
        self.written: dict[str, Path] = {}
        """process -> the folder of its checkpoints"""
        self.events: deque[Callable[[], None]] = deque()
        self.nodes_checked = time.monotonic()

    def __getstate__(self) -> dict[str, Any]:
        """Leave Tune's own snapshot empty: this object stays with the driver."""
        return {}

    def prunes(self, trial: Any, result: dict[str, Any]) -> bool:
        """Return whether the schedule stops a trial, and keep its last epoch."""
        if not self.packs.schedule.prunes:
            return False
        (ours,) = trials_of(trial.config)
        epoch = self.packs.schedule.pruned_at(ours, result["history"])
        if epoch is not None:
            self.pruned[ours.id] = epoch
        return epoch is not None

    def fails_for_good(self, trial: Any) -> bool:
        """Count a failure; return whether the trial has no attempt left."""
        name = name_of(trial.config)
        count, most = (self.losses, LOSSES) if internals.lost_its_process(trial) else (self.errors, ERRORS)
        count[name] += 1
        if count[name] > most:
            self.failed.add(name)
        return name in self.failed

    def on_trial_start(self, *, trial: Any, **_info: Any) -> None:
        """Keep the time."""
        for each in requests(trial.config):
            self.started.setdefault(each["id"], time.time())

    def on_trial_result(self, *, trial: Any, result: dict[str, Any], **_info: Any) -> None:
        """Show the epoch of every trial of the process."""
        for each, report in _reports(trial, result):
            self.progress.reached(each, int(report["epoch"]))
            now = time.time()
            # a trial of seconds is not worth the store's time
            if (
                not report.get("done")
                and now - self.shown.setdefault(each.id, self.started.get(each.id, now)) > SHOWN_EVERY
            ):
                self.shown[each.id] = now
                self.going_on(each, report)

    def on_checkpoint(self, *, trial: Any, checkpoint: Any, **_info: Any) -> None:
        """Note a complete checkpoint."""
        self.written[name_of(trial.config)] = Path(checkpoint.path).parent
        for each in trials_of(trial.config):
            path = Path(checkpoint.path) / (each.id if is_pack(trial.config) else "")
            self.checkpoints[each.id] = path
            self.events.append(partial(self.folder.note_checkpoint, each, path))

    def on_trial_complete(self, *, trial: Any, **_info: Any) -> None:
        """Queue the records of a process that ended; its last checkpoint came before."""
        name = name_of(trial.config)
        if name in self.failed:
            self.on_trial_error(trial=trial)
            return
        status: Status = "KILLED" if name in self.pruned else "FINISHED"
        reports = _reports(trial, internals.take_result(trial))
        for each, report in reports:
            diverged = report.get("diverged")
            self.events.append(partial(self._finish, each, "FAILED" if diverged else status, report, diverged))
        if len(reports) > 1:
            self.packs.ended()
        if status == "FINISHED" and (written := self.written.get(name)):
            self.events.append(partial(shutil.rmtree, written, ignore_errors=True))

    def on_trial_error(self, *, trial: Any, **_info: Any) -> None:
        """Queue the record of a trial that failed for good; the trials of a pack are run one by one."""
        trials, result, error = trials_of(trial.config), internals.take_result(trial), internals.traceback_of(trial)
        if len(trials) > 1:
            self.packs.failed(trials)
            return
        reports = [report for _, report in _reports(trial, result)]
        self.events.append(partial(self._finish, trials[0], "FAILED", reports[0] if reports else {}, error))

    def on_step_end(self, **_info: Any) -> None:
        """Handle the queued events."""
        while self.events:
            self.events.popleft()()
        self.check()
        if time.monotonic() > self.nodes_checked + NODES_CHECKED_EVERY:
            check_nodes()
            self.progress.refresh()
            self.nodes_checked = time.monotonic()

    def on_experiment_end(self, **_info: Any) -> None:
        """Handle the events of the last step."""
        self.on_step_end()

    def _finish(self, trial: Trial, status: Status, result: dict[str, Any], error: str | None) -> None:
        own = result.keys() - internals.added_by_tune(result).keys()
        trained = result.get("trained", [])
        # a trial without a GPU is not computed by its node's
        computed = {"backend": trained[-1]["backend"]} if trained else {}
        record = Record(
            trial=trial,
            status=status,
            metrics={key: result[key] for key in result if key in own and isinstance(result[key], int | float | None)},
            # a trial that resumed from a checkpoint may be pruned at an epoch before it
            history=result.get("history", [])[: self.pruned.get(trial.id)],
            ledger=result.get("ledger", []),
            started=self.started.get(trial.id, time.time()),
            ended=time.time(),
            provenance=self.provenance | hardware_at(result.get("node_ip", "")) | computed,
            error=error,
            trained=trained,
            diverged="diverged" in result,
        )
        self.folder.finish(record, self.checkpoints.get(trial.id) if status == "FINISHED" else None)
        self.progress.ended(record)
        self.packs.schedule.ended(record)
        self.deliver(record)


def _reports(trial: Any, result: dict[str, Any]) -> list[tuple[Trial, dict[str, Any]]]:
    """Return each trial of a process with its part of a result; what Tune adds belongs to every part."""
    trials = trials_of(trial.config)
    if not is_pack(trial.config):
        return [(trials[0], result)]
    parts, added = result.get("trials", {}), internals.added_by_tune(result)
    return [(each, added | parts[each.id]) for each in trials if each.id in parts]
