"""Train Bi-Arch2Perf once for all trials that differ in NACG's settings alone, and design with each: one Tune trial, one step."""

import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from ray.tune import Trainable

from nadlab.queries.opening import opened
from nadlab.semigan.checkpoint import load, training_of
from nadlab.semigan.settings import Settings
from trainables.run import Run


class NACGTrainable(Trainable):
    """config["trial"] as for `BiArch2PerfTrainable`, whose results it gives, bit for bit.

    Trials of a seed that a process takes one after the other share a training where they differ in `DESIGN` alone, such
    as K. One that was stopped begins anew.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Note what to design, and make room for the networks."""
        torch.set_num_threads(1)
        self.trial, self.shared = config["trial"], TemporaryDirectory()
        self.trained_as: list[Any] = []

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in the same process, and keep the networks."""
        self.trial = new_config["trial"]
        return True

    def step(self) -> dict[str, Any]:
        """Train, unless the networks are there; generate, predict, query K cells and report; an ended trial reports again."""
        self.run = Run.opened(self.trial) if self.trial["resume"] else self._before_design()
        return self.run.trained([], 0.0)

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write weights, optimizers, random state, losses and ledger."""
        self.run.save(Path(checkpoint_dir))

    def load_checkpoint(self, checkpoint: str | None) -> None:
        """Take an ended trial, which reports again."""
        self.trial = self.trial | {"resume": checkpoint}

    def cleanup(self) -> None:
        """Delete the shared networks."""
        self.shared.cleanup()

    def _before_design(self) -> Run:
        """Return a run whose networks are trained and that has its K queries left, or one that diverged in training."""
        trial, folder = self.trial, Path(self.shared.name)
        settings = Settings(**trial["settings"])
        trained_as = [trial["benchmark"], trial.get("protocol"), trial["seed"], training_of(settings)]
        if trained_as != self.trained_as:
            run, started = Run.opened(trial), time.perf_counter()
            losses = [asdict(run.model.epoch()) for _ in range(run.epochs_left)]
            run.trained(losses, time.perf_counter() - started, design=False)
            if run.ended:
                return run
            run.save(folder)
            self.trained_as = trained_as
        return Run(*load(folder, opened(trial), settings), bool(trial.get("watch")))
