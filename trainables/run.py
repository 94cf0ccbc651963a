"""A trial of SemiGAN-NAD: networks, ledger, progress and reports."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from nadlab.queries.ledger import QueryLedger
from nadlab.queries.opening import opened
from nadlab.semigan.biarch2perf import BiArch2Perf, EpochLosses
from nadlab.semigan.checkpoint import State, load, random_state, save
from nadlab.semigan.diagnostics import held_out_tau
from nadlab.semigan.method import finish, start
from nadlab.semigan.settings import Settings


class Run:
    """The state of one trial; the trainable trains it."""

    def __init__(self, model: BiArch2Perf, ledger: QueryLedger, state: State, watch: bool) -> None:
        self.model, self.ledger, self.state, self.watch = model, ledger, state, watch

    @classmethod
    def opened(cls, trial: Mapping[str, Any]) -> "Run":
        """Query the labels and build the networks, or resume from the checkpoint of the request, bit for bit."""
        oracle, watch = opened(trial), bool(trial.get("watch"))
        if trial["resume"]:
            return cls(*load(Path(trial["resume"]), oracle), watch)
        settings = Settings(**trial["settings"])
        ledger = QueryLedger(oracle, settings.budget)
        model = start(ledger, settings, np.random.default_rng(trial["seed"]))
        return cls(model, ledger, State(oracle.name, oracle.digest, trial["seed"], settings, 0, [], 0.0), watch)

    @property
    def epochs_left(self) -> int:
        """Epochs of training still to come."""
        return self.state.settings.epochs - self.state.epoch

    def trained(self, losses: Sequence[EpochLosses]) -> dict[str, Any]:
        """Add epochs that the model was trained for; after the last one design. Return the report."""
        rows = [asdict(row) for row in losses]
        last = self.state.epoch + len(rows)
        over = last == self.state.settings.epochs
        report: dict[str, Any] = {"done": over and self.ledger.remaining == 0}
        ends = over and self.ledger.remaining > 0
        if ends or (rows and self.watch):
            tau = held_out_tau(self.model, self.ledger)
            if tau is not None:
                report["predictor_tau"] = tau
                if rows and self.watch:
                    rows[-1]["predictor_tau"] = tau
        if ends:
            self.state = replace(self.state, design_random=random_state(self.model))
            generation = finish(self.model, self.ledger)
            report |= {"done": True, **asdict(generation)}
        self.state = replace(self.state, epoch=last, history=[*self.state.history, *rows])
        if report["done"] or self.watch:
            report |= {
                "history": self.state.history,
                "ledger": [asdict(query) for query in self.ledger.queries],
            }
        return {**report, "epoch": last, **self.ledger.outcome()}

    def took(self, seconds: float) -> float:
        """Add to the seconds that the trial has taken, and return their sum."""
        self.state = replace(self.state, seconds=self.state.seconds + seconds)
        return self.state.seconds

    def save(self, folder: Path) -> None:
        """Write weights, optimizers, random state, losses and ledger into an existing folder."""
        save(folder, self.model, self.ledger, self.state)
