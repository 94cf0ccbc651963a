"""Train Bi-Arch2Perf and design with it: one Ray Tune trial, one step a few epochs, the last step NACG."""

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ray.tune import Trainable

from nadlab.benchmarks.ledger import QueryLedger
from nadlab.benchmarks.registry import benchmark
from nadlab.checkpoint import State, load, random_state, save
from nadlab.diagnostics import held_out_tau
from nadlab.searchers.semigan_nad import finish, start
from nadlab.semigan.settings import Settings


class BiArch2PerfTrainable(Trainable):
    """config["trial"]: benchmark, seed, settings (fields of Settings), epochs_per_step, resume (a folder or None), watch.

    watch: report history and ledger at every step, with PP's tau after its last epoch, as a pruner needs.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Query the labels and build the networks, or go on from a checkpoint."""
        torch.set_num_threads(1)
        trial = config["trial"]
        self.epochs_per_step = int(trial["epochs_per_step"])
        self.watch = bool(trial.get("watch"))
        oracle = benchmark(trial["benchmark"])
        if trial["resume"]:
            self.load_checkpoint(trial["resume"])
            return
        settings = Settings(**trial["settings"])
        self.ledger = QueryLedger(oracle, settings.budget)
        self.model = start(self.ledger, settings, np.random.default_rng(trial["seed"]))
        self.state = State(oracle.name, oracle.digest, trial["seed"], settings, 0, [], 0.0)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in the same process."""
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train a few epochs; after the last one generate, predict, query K cells and report."""
        started = time.perf_counter()
        total = self.state.settings.epochs
        last = min(self.state.epoch + self.epochs_per_step, total)
        rows = [asdict(self.model.epoch()) for _ in range(self.state.epoch, last)]
        report: dict[str, Any] = {"done": last == total and self.ledger.remaining == 0}
        ends = last == total and self.ledger.remaining > 0
        if ends or (rows and self.watch):
            report["predictor_tau"] = held_out_tau(self.model, self.ledger)
        if rows and self.watch:
            rows[-1]["predictor_tau"] = report["predictor_tau"]
        if ends:
            self.state = replace(self.state, design_random=random_state(self.model))
            generation = finish(self.model, self.ledger)
            report |= {"done": True, **asdict(generation)}
        if report["done"] or self.watch:
            report |= {
                "history": [*self.state.history, *rows],
                "ledger": [asdict(query) for query in self.ledger.queries],
            }
        seconds = self.state.seconds + time.perf_counter() - started
        self.state = replace(self.state, epoch=last, history=[*self.state.history, *rows], seconds=seconds)
        return {
            **report,
            "epoch": last,
            **self.ledger.outcome(),
            "train_seconds": seconds,
        }

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write weights, optimizers, random state, losses and ledger."""
        save(Path(checkpoint_dir), self.model, self.ledger, self.state)

    def load_checkpoint(self, checkpoint: str | None) -> None:
        """Go on from a checkpoint, bit for bit."""
        assert checkpoint is not None
        name = self.config["trial"]["benchmark"]
        self.model, self.ledger, self.state = load(Path(checkpoint), benchmark(name))
