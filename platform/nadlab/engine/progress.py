"""Progress on the terminal: trials, those under way by the share of their epochs, best and mean answer, time left."""

import sys
from collections.abc import Callable
from math import fsum
from types import TracebackType

from tqdm import tqdm

from nadlab.benchmarks.oracle import ACCURACY, Metric
from nadlab.study.records import Record, Trial

BAR = "{percentage:3.0f}%|{bar}| {n:.1f}/{total} trials [{elapsed}<{remaining}{postfix}]"


class Progress:
    """A bar over all trials."""

    def __init__(self, trials: int, metric: Metric = ACCURACY, trainings: Callable[[], str] | None = None) -> None:
        self._metric = metric
        self._trainings = trainings
        self._shares: dict[str, float] = {}
        self._accuracies: list[float] = []
        self._failures = self._stopped = 0
        # seldom in a log file
        pause = 0.2 if sys.stderr.isatty() else 10.0
        self._bar = tqdm(total=trials, bar_format=BAR, mininterval=pause, miniters=0, dynamic_ncols=True, smoothing=0)
        self._describe()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.close()

    def reached(self, trial: Trial, epoch: int) -> None:
        """Move a trial to an epoch; one that resumed from a checkpoint does not move the bar back."""
        if not self._shares:  # the first report: the start of Ray and of the workers is no part of the estimate
            self._bar.unpause()
            self._bar.initial = epoch / trial.epochs
        self._shares[trial.id] = max(epoch / trial.epochs, self._shares.get(trial.id, 0.0))
        self._bar.n = fsum(self._shares.values())  # anew: a sum of steps ends beside a whole number
        self._bar.update(0)

    def ended(self, record: Record) -> None:
        """Count an ended trial."""
        if record.status == "FAILED":
            self._failures += 1
        elif record.status == "KILLED":
            self._stopped += 1
            self.reached(record.trial, record.trial.epochs)
        elif (accuracy := record.metrics.get("best_reported")) is not None:
            self._accuracies.append(accuracy)
        self._describe()

    def refresh(self) -> None:
        """Show what the trainings are at that trials wait for."""
        if self._trainings:
            self._describe()
            self._bar.refresh()

    def _describe(self) -> None:
        counts = {"failed": self._failures, "stopped early": self._stopped}
        words = {name: str(count) for name, count in counts.items() if count}
        if self._accuracies:
            mean = sum(self._accuracies) / len(self._accuracies)
            words |= {
                "best": self._metric.text(max(self._accuracies, key=self._metric.score)),
                "mean": self._metric.text(mean),
            }
        said = [self._trainings()] if self._trainings else []
        self._bar.set_postfix_str(", ".join([*(f"{key}={word}" for key, word in words.items()), *said]), refresh=False)
