"""Run one search method by name: one Ray Tune trial, one step."""

import time
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from ray.tune import Trainable

from nadlab.methods.registry import run_search
from nadlab.methods.request import SearchRequest
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.opening import opened
from nadlab.semigan.divergence import Diverged


class SearcherTrainable(Trainable):
    """config["trial"]: benchmark, seed, settings (`SearchRequest.flat`).

    A search takes seconds, so it has no checkpoint: after a kill it starts anew and, by its seed, queries the same
    cells.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Note what to run."""
        torch.set_num_threads(1)
        self.trial = config["trial"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in the same process."""
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Spend the budget and report."""
        request = SearchRequest.of(self.trial["settings"])
        ledger = QueryLedger(opened(self.trial), request.queries, request.goals)
        started = time.perf_counter()
        ended: dict[str, Any] = {"done": True}
        try:
            run_search(request.searcher, ledger, np.random.default_rng(self.trial["seed"]))
        except Diverged as error:
            ended["diverged"] = str(error)
        return {
            **ended,
            "history": [],
            "ledger": [asdict(query) for query in ledger.queries],
            "epoch": 1,
            **ledger.outcome(),
            "search_seconds": time.perf_counter() - started,
        }

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Hold nothing: one step is the whole trial."""

    def load_checkpoint(self, checkpoint: str | None) -> None:
        """Hold nothing: one step is the whole trial."""
