"""Train several trials of Bi-Arch2Perf in one program (`nadlab.semigan.pack`): one Ray Tune trial for all of them."""

import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from ray.tune import Trainable

from nadlab.semigan.pack import Pack, alike, packable
from nadlab.semigan.settings import Settings
from trainables.run import Run


class PackTrainable(Trainable):
    """config["trials"]: what `BiArch2PerfTrainable` takes, several times over, with settings that agree.

    Trials that differ in their epoch (some resume from a checkpoint) or in the number of unlabelled cells are trained
    in packs of their own, one after the other. One that has ended, or diverges, leaves its pack and reports what it
    reported. A checkpoint has a folder for each trial, by its id.
    """

    @staticmethod
    def agreement(settings: dict[str, Any]) -> Hashable:
        """Return what the settings of trials must agree on to be in one pack."""
        return packable(Settings(**settings))

    def setup(self, config: dict[str, Any]) -> None:
        """Open every trial, each anew or from its own checkpoint."""
        torch.set_num_threads(1)
        trials = config["trials"]
        self.epochs_per_step = int(trials[0]["epochs_per_step"])
        self.runs = {trial["id"]: Run.opened(trial) for trial in trials}
        self.reports = {name: run.trained([], 0.0) for name, run in self.runs.items() if run.ended}
        self.packs: list[list[str]] = []
        self.programs: list[Pack] = []

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trials in the same process."""
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train every trial a few epochs; those that come to their end generate, predict, query K cells and report."""
        # the same after a kill: trials leave their pack between checkpoints alone
        if self.packs != (groups := self._groups()):
            self.packs, self.programs = groups, [Pack([self.runs[each].model for each in ids]) for ids in groups]
        for ids, pack in zip(self.packs, self.programs, strict=True):
            started = time.perf_counter()
            count = min(self.epochs_per_step, self.runs[ids[0]].epochs_left)
            losses = [[asdict(row) for row in pack.epoch()] for _ in range(count)]
            self._report(ids, losses, time.perf_counter() - started)
        return {
            "done": all(report["done"] for report in self.reports.values()),
            "epoch": min(report["epoch"] for report in self.reports.values()),
            "trials": dict(self.reports),
        }

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write every trial into a folder of its own."""
        for name, run in self.runs.items():
            folder = Path(checkpoint_dir) / name
            folder.mkdir()
            run.checkpoint().write(folder)

    def load_checkpoint(self, checkpoint: str | None) -> None:
        """Resume from a checkpoint of the same trials."""
        assert checkpoint is not None
        trials = self.config["trials"]
        self.setup({"trials": [trial | {"resume": str(Path(checkpoint) / trial["id"])} for trial in trials]})

    def _groups(self) -> list[list[str]]:
        groups: dict[Hashable, list[str]] = {}
        for name, run in self.runs.items():
            if not run.ended:
                groups.setdefault(alike(run.model), []).append(name)
        return list(groups.values())

    def _report(self, ids: list[str], losses: Sequence[Sequence[Mapping[str, float]]], trained: float) -> None:
        for name, rows in zip(ids, zip(*losses, strict=True) if losses else [()] * len(ids), strict=True):
            # its share of the pack's time, to which its own design is added
            self.reports[name] = self.runs[name].trained(rows, trained / len(ids), ids)
