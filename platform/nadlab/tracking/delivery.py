"""Delivery of records from disk to MLflow, in threads of its own: no trial waits for the store."""

import logging
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

from nadlab.study.folder import StudyFolder
from nadlab.study.records import Record, Trial
from nadlab.tracking.store import STORE_ERRORS
from nadlab.tracking.tracker import Tracker

logger = logging.getLogger(__name__)


class Delivery:
    """Delivers in order, several at once where the store can. While the store is down, records wait; `wait` tries once more."""

    def __init__(self, tracker: Tracker, folder: StudyFolder) -> None:
        self.tracker = tracker
        self.folder = folder
        self._queue: deque[Record] = deque()
        self._going: dict[str, tuple[Trial, Mapping[str, Any]]] = {}
        self._is_down = False
        self._asked = False
        """whether a delivery waits for its turn: one is enough, and a store that hangs is not asked once a record"""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mlflow")

    def __enter__(self) -> "Delivery":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._queue.clear()  # empty after `wait`; else the next run delivers the rest from disk
        self._thread.shutdown(wait=True, cancel_futures=True)

    def submit(self, record: Record) -> None:
        """Queue one record."""
        self._queue.append(record)
        self._going.pop(record.trial.id, None)
        if not self._asked:
            self._asked = True
            self._thread.submit(self._drain)

    def going_on(self, trial: Trial, report: Mapping[str, Any]) -> None:
        """Queue the newest report of a trial that goes on."""
        self._going[trial.id] = trial, report
        self._thread.submit(self._show, trial.id)

    def wait(self) -> int:
        """Deliver the queue and clean up the store; return how many records it did not take."""
        self._thread.submit(self._drain).result()
        if not self._queue:
            self._thread.submit(self._clean_up).result()
        return len(self._queue)

    def _drain(self) -> None:
        self._asked = False
        while batch := self._next():
            try:
                self.tracker.deliver([(each, self.folder.trial_path(each.trial) / "checkpoint") for each in batch])
            except STORE_ERRORS as error:
                names = ", ".join(each.trial.id for each in batch)
                logger.warning("MLflow did not take trial %s (%s): it is delivered again later", names, error)
                self._is_down = True
                return
            self._is_down = False
            for _ in batch:
                self._queue.popleft()

    def _show(self, trial_id: str) -> None:
        newest = self._going.pop(trial_id, None)
        if newest is None or self._is_down:  # the next record finds out whether the store is back
            return
        try:
            self.tracker.live.update(*newest)
        except STORE_ERRORS as error:
            logger.info("MLflow does not show how trial %s goes on (%s)", trial_id, error)

    def _next(self) -> list[Record]:
        """Return the first records of the queue, at most one a trial: of several, the last one stays."""
        batch: list[Record] = []
        # by index: the driver appends meanwhile
        for index in range(min(len(self._queue), self.tracker.at_once)):
            record = self._queue[index]
            if record.trial.id in {each.trial.id for each in batch}:
                break
            batch.append(record)
        return batch

    def _clean_up(self) -> None:
        self.tracker.live.ids.clear()  # no trial goes on
        try:
            self.tracker.clean_up()
        except STORE_ERRORS as error:
            logger.warning("MLflow did not answer (%s): the next run of the study deletes incomplete runs", error)
