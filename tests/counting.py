"""Trials that train nothing, for what surrounds trials: a module that workers import at once."""

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


class CountingTogether(Counting):
    """Three steps for each of several trials; seed 1 always fails."""

    def setup(self, config: dict[str, Any]) -> None:
        self.trials, self.epoch = config["trials"], 0

    @staticmethod
    def agreement(settings: dict[str, Any]) -> object:
        return settings["labels"]

    def step(self) -> dict[str, Any]:
        if self.epoch == 1 and any(trial["seed"] == 1 for trial in self.trials):
            raise RuntimeError("seed 1 breaks")
        report = super().step()
        return {"done": report["done"], "epoch": self.epoch, "trials": {each["id"]: report for each in self.trials}}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        for each in self.trials:
            (Path(checkpoint_dir) / each["id"]).mkdir()
            super().save_checkpoint(str(Path(checkpoint_dir) / each["id"]))

    def load_checkpoint(self, checkpoint: str | None) -> None:
        assert checkpoint
        super().load_checkpoint(str(Path(checkpoint) / self.trials[0]["id"]))


class CountingOne(Counting):
    packed = CountingTogether
