"""Train Bi-Arch2Perf and design with it: one Ray Tune trial, one step a few epochs, the last step NACG."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from ray.tune import Trainable

from trainables.pack import PackTrainable
from trainables.run import Run


class BiArch2PerfTrainable(Trainable):
    """config["trial"]: benchmark, seed, settings (fields of Settings), epochs_per_step, resume (a folder or None), watch.

    watch: report history and ledger at every step, with PP's tau after its last epoch, as a pruner needs.
    """

    packed = PackTrainable
    """trains several of these trials at once"""

    def setup(self, config: dict[str, Any]) -> None:
        """Query the labels and build the networks, or resume from a checkpoint."""
        torch.set_num_threads(1)
        trial = config["trial"]
        self.epochs_per_step = int(trial["epochs_per_step"])
        self.run = Run.opened(trial)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in the same process."""
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train a few epochs; after the last one generate, predict, query K cells and report; an ended trial reports again."""
        started = time.perf_counter()
        losses = [asdict(self.run.model.epoch()) for _ in range(min(self.epochs_per_step, self.run.epochs_left))]
        return self.run.trained(losses, time.perf_counter() - started)

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write weights, optimizers, random state, losses and ledger."""
        self.run.checkpoint().write(Path(checkpoint_dir))

    def load_checkpoint(self, checkpoint: str | None) -> None:
        """Resume from a checkpoint, bit for bit."""
        self.run = Run.opened(self.config["trial"] | {"resume": checkpoint})
