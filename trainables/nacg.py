"""Evaluate a trained checkpoint by NACG with another K or number of generated cells; nothing is retrained."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from ray.tune import Trainable

from nadlab.queries.opening import opened
from nadlab.semigan.checkpoint import load
from nadlab.semigan.divergence import Diverged
from nadlab.semigan.nacg import design


class NACGTrainable(Trainable):
    """config["trial"]: checkpoint (a folder), benchmark, final_k, generated."""

    def setup(self, config: dict[str, Any]) -> None:
        """Note what to evaluate."""
        torch.set_num_threads(1)
        self.trial = config["trial"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in the same process."""
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Keep the labels' queries, design anew with K queries, and report."""
        folder, oracle = Path(self.trial["checkpoint"]), opened(self.trial)
        model, ledger, _ = load(folder, oracle, final_k=self.trial["final_k"])
        try:
            found = asdict(design(model, ledger, self.trial["final_k"], self.trial["generated"]))
        except Diverged as error:
            found = {"diverged": str(error)}
        return {"done": True, **found, **ledger.outcome()}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Hold nothing: one step is the whole trial."""

    def load_checkpoint(self, checkpoint: str | None) -> None:
        """Hold nothing: one step is the whole trial."""
