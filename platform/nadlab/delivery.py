"""Records on their way from disk to MLflow, on a thread of their own so that no trial waits for the store."""

import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from nadlab.folder import StudyFolder
from nadlab.records import Record
from nadlab.tracking import STORE_ERRORS, Tracker

logger = logging.getLogger(__name__)


class Delivery:
    """Delivers in order; a store that is down keeps the queue until it answers again, at the latest in `wait`."""

    def __init__(self, tracker: Tracker, folder: StudyFolder) -> None:
        self.tracker = tracker
        self.folder = folder
        self._queue: deque[Record] = deque()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mlflow")

    def __enter__(self) -> "Delivery":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._queue.clear()  # empty after `wait`; else what is left lies on disk for the next run
        self._thread.shutdown(wait=True, cancel_futures=True)

    def hand_in(self, record: Record) -> None:
        """Queue one record."""
        self._queue.append(record)
        self._thread.submit(self._drain)

    def wait(self) -> int:
        """Deliver all that is queued and settle the store; return how many records it did not take."""
        self._thread.submit(self._drain).result()
        if not self._queue:
            self._thread.submit(self._settle).result()
        return len(self._queue)

    def _drain(self) -> None:
        while self._queue:
            record = self._queue[0]
            try:
                self.tracker.deliver(record, self.folder.trial_path(record.trial) / "checkpoint")
            except STORE_ERRORS as error:
                logger.warning("MLflow did not take trial %s (%s): it is kept and tried again", record.trial.id, error)
                return
            self._queue.popleft()

    def _settle(self) -> None:
        try:
            self.tracker.settle()
        except STORE_ERRORS as error:
            logger.warning("MLflow did not answer (%s): torn runs are deleted by the next run of the study", error)
