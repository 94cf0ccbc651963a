"""Train Bi-Arch2Perf once for all trials that differ in NACG's settings alone, and design with each: one Tune trial, one step."""

import time
from collections.abc import Hashable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from ray.tune import Trainable

from nadlab.queries.opening import opened
from nadlab.semigan.checkpoint import Checkpoint, training_of
from nadlab.semigan.settings import Settings
from trainables.run import Run


class NACGTrainable(Trainable):
    """config["trial"] as for `BiArch2PerfTrainable`, whose results it gives, bit for bit, the training's seconds too.

    Trials of a seed that a process takes one after the other share a training where they differ in `DESIGN` alone, such
    as K. One that was stopped begins anew.
    """

    @staticmethod
    def agreement(settings: dict[str, Any]) -> Hashable:
        """Return what the settings of a seed's trials must agree on to share a training."""
        return tuple(training_of(Settings(**settings)).items())

    def setup(self, config: dict[str, Any]) -> None:
        """Note what to design; nothing is trained yet."""
        torch.set_num_threads(1)
        self.trial = config["trial"]
        self.trained_as: Any = None
        self.networks: Checkpoint | None = None

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
        self.run.checkpoint().write(Path(checkpoint_dir))

    def load_checkpoint(self, checkpoint: str | None) -> None:
        """Take an ended trial, which reports again."""
        self.trial = self.trial | {"resume": checkpoint}

    def _before_design(self) -> Run:
        """Return a run whose networks are trained and that has its K queries left, or one that diverged in training."""
        trial = self.trial
        trained_as = (trial["benchmark"], trial.get("protocol"), trial["seed"], self.agreement(trial["settings"]))
        if self.networks is None or trained_as != self.trained_as:
            run, started = Run.opened(trial), time.perf_counter()
            losses = [asdict(run.model.epoch()) for _ in range(run.epochs_left)]
            run.trained(losses, time.perf_counter() - started, design=False)
            if run.ended:
                return run
            self.networks, self.trained_as = run.checkpoint(), trained_as
        return Run(*self.networks.opened(opened(trial), Settings(**trial["settings"])), bool(trial.get("watch")))
