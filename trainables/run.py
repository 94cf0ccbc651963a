"""A trial of SemiGAN-NAD: networks, ledger, progress and reports."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from nadlab.provenance.training import Segment, extended, largest_pack
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.opening import opened
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.checkpoint import Checkpoint, State, random_state
from nadlab.semigan.diagnostics import diagnosis, held_out_tau
from nadlab.semigan.divergence import Diverged, finite
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
            return cls(*Checkpoint.read(Path(trial["resume"])).opened(oracle), watch)
        settings = Settings(**trial["settings"])
        ledger = QueryLedger(oracle, settings.budget)
        model = start(ledger, settings, np.random.default_rng(trial["seed"]))
        return cls(model, ledger, State(oracle.name, oracle.digest, trial["seed"], settings, 0, [], 0.0), watch)

    @property
    def epochs_left(self) -> int:
        """Epochs of training still to come."""
        return 0 if self.ended else self.state.settings.epochs - self.state.epoch

    @property
    def ended(self) -> bool:
        """Whether the trial has its last report; it is trained no more."""
        return self.state.report is not None

    def trained(
        self,
        losses: Sequence[Mapping[str, float]],
        seconds: float,
        pack: Sequence[str] | None = None,
        design: bool = True,
    ) -> dict[str, Any]:
        """Add epochs that the model was trained for in some seconds; after the last one design. Return the report.

        losses: `EpochLosses` by name, a row an epoch. pack: the ids of the trials in the program; None: the model alone.
        design: false leaves the design to a later call, which may be without epochs.
        A trial whose numbers are no longer finite ends; its report says so as `diverged`. One that has ended takes
        nothing and reports what it reported.
        """
        if self.state.report is not None:
            return self._whole(self.state.report)
        began, before = time.perf_counter(), self.state.epoch
        rows: list[dict[str, float | None]] = []
        report: dict[str, Any] = {}
        try:
            for number, row in enumerate(losses, before + 1):
                rows.append(dict(finite(row, f"epoch {number}")))
            report |= self._measured(rows, over=design and before + len(rows) == self.state.settings.epochs)
        except Diverged as error:
            report |= {"done": True, "diverged": str(error)}
        segments = self.state.trained
        if losses:  # up to the epoch that diverged, if one did
            last = before + min(len(rows) + 1, len(losses))
            way = Segment(
                before + 1, last, list(pack) if pack else None, self.model.settings.precision, self.model.backend
            )
            segments = extended(segments, way)
        if packed := largest_pack(segments):
            report["packed"] = packed
        report |= {"epoch": before + len(rows), **self.ledger.outcome()}
        report["train_seconds"] = self.state.seconds + seconds + time.perf_counter() - began
        self.state = replace(
            self.state,
            epoch=report["epoch"],
            history=[*self.state.history, *rows],
            seconds=report["train_seconds"],
            trained=segments,
            report=report if report["done"] else None,
        )
        return self._whole(report) if report["done"] or self.watch else report

    def checkpoint(self) -> Checkpoint:
        """Copy weights, optimizers, random state, losses, ledger and last report."""
        return Checkpoint.of(self.model, self.ledger, self.state)

    def _measured(self, rows: list[dict[str, float | None]], over: bool) -> dict[str, Any]:
        """Return PP's tau as part of the last row where it is watched, and at the end the diagnosis and what the design gave."""
        report: dict[str, Any] = {"done": over}
        ends = over and self.ledger.remaining > 0
        if ends:
            report |= diagnosis(self.model, self.ledger)
        if rows and self.watch:
            tau = report.get("predictor_tau") if ends else held_out_tau(self.model, self.ledger)
            rows[-1]["predictor_tau"] = tau
            if tau is not None:
                report["predictor_tau"] = tau
        if ends:
            self.state = replace(self.state, design_random=random_state(self.model))
            report |= asdict(finish(self.model, self.ledger))
        return report

    def _whole(self, report: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **report,
            "history": self.state.history,
            "ledger": [asdict(query) for query in self.ledger.queries],
            "trained": [asdict(each) for each in self.state.trained],
        }
