"""A trial that trains nothing, for what surrounds trials."""

from pathlib import Path
from typing import Any

from ray.tune import Trainable


class Counting(Trainable):
    """Counts three steps and keeps their number; what else happens at a step, tests say."""

    def setup(self, config: dict[str, Any]) -> None:
        self.trial, self.epoch = config["trial"], 0

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        self.epoch += 1
        done = self.epoch == 3
        queries = [{"number": 1, "key": 0, "cell": "", "valid": 1.0, "test": 2.0}] if done else []
        numbers = {"best_reported": 2.0, "regret": 1.0, "best_valid": None, "queries": len(queries)}
        return {"epoch": self.epoch, "done": done, "history": [], "ledger": queries, **numbers}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        (Path(checkpoint_dir) / "state.json").write_text(str(self.epoch))

    def load_checkpoint(self, checkpoint: str | None) -> None:
        assert checkpoint
        self.epoch = int((Path(checkpoint) / "state.json").read_text())
