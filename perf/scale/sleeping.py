"""A trial that sleeps where another trains; its results, checkpoints and record are as large as a real one's."""

import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.tune import Trainable

from nadlab.errors import UserError
from nadlab.study.study import Study

COLUMNS = ("discriminator", "generator", "predictor", "labelled_error", "generated_error", "coverage")
"""what a trial of SemiGAN-NAD reports every epoch"""


@dataclass(frozen=True)
class Sleep:
    """Settings of a sleeping trial; raises UserError when they are none."""

    seconds: float = 1.0
    """slept in a trial"""
    epochs: int = 10
    """rows of its history; up to ten steps, each with a checkpoint, share them"""
    queries: int = 20
    """rows of its ledger"""
    checkpoint_bytes: int = 100_000
    """of each checkpoint; one of SemiGAN-NAD at width 64 has 2.5 million"""
    level: int = 0
    """the factor"""

    def __post_init__(self) -> None:
        if self.seconds < 0 or self.epochs < 1 or self.queries < 1:
            raise UserError("seconds must be 0 or more, epochs and queries 1 or more")

    @property
    def budget(self) -> int:
        return self.queries


class SleepingTrainable(Trainable):
    """config["trial"]: seed, settings (fields of Sleep), epochs_per_step."""

    def setup(self, config: dict[str, Any]) -> None:
        """Draw the answers."""
        trial = config["trial"]
        self.settings, self.epochs_per_step, self.epoch = Sleep(**trial["settings"]), int(trial["epochs_per_step"]), 0
        rng = random.Random(trial["seed"])  # noqa: S311 - answers, no secrets
        self.answers = [rng.uniform(80.0, 95.0) for _ in range(self.settings.queries)]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in the same process."""
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Sleep for a step's share of the trial."""
        last = min(self.epoch + self.epochs_per_step, self.settings.epochs)
        time.sleep(self.settings.seconds * (last - self.epoch) / self.settings.epochs)
        self.epoch, best = last, max(self.answers)
        numbers = {"best_valid": best, "best_test": best, "best_reported": best, "regret": 95.0 - best}
        report: dict[str, Any] = {
            "done": last == self.settings.epochs,
            "epoch": last,
            "queries": len(self.answers),
            **numbers,
        }
        if report["done"]:
            report["history"] = [dict.fromkeys(COLUMNS, 1.0 / epoch) for epoch in range(1, last + 1)]
            report["ledger"] = [
                {"number": number, "key": number, "cell": "|" * 88, "valid": answer, "test": answer}
                for number, answer in enumerate(self.answers, 1)
            ]
        return report

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write as many bytes as weights and optimizers take."""
        Path(checkpoint_dir, "weights").write_bytes(bytes(self.settings.checkpoint_bytes))

    def load_checkpoint(self, checkpoint: str | None) -> None:
        """Hold nothing: a sleep has no state."""


def study(settings: Sleep, trials: int) -> Study:
    """Return a study of so many sleeping trials, an even number, over two levels."""
    return Study(
        name="simulated_cluster",
        question="What does a study cost besides its trials?",
        expectation="As much for each trial, however many there are.",
        trainable=SleepingTrainable,
        vary={"level": (0, 1)},
        settings=settings,
        seeds=range(trials // 2),
    )
