"""Training against a reference that is written another way: torch-geometric, a cell at a time, a DataLoader."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reference import PlainTraining
from nadlab.benchmarks.ledger import QueryLedger
from nadlab.benchmarks.registry import benchmark
from nadlab.searchers.semigan_nad import start
from nadlab.semigan.settings import Settings


@pytest.mark.parametrize("name", ["nasbench201/toy", "nasbench101"])
@pytest.mark.parametrize("saturating", [False, True])
def test_losses_of_the_first_epoch_are_those_of_the_plain_reference(data: Path, name: str, saturating: bool) -> None:  # noqa: ARG001 - it makes the tables
    settings = Settings(
        labels=20, width=16, epochs=60, unlabelled_per_epoch=100, unlabelled_batch=32, saturating=saturating
    )
    model = start(QueryLedger(benchmark(name), settings.budget), settings, np.random.default_rng(0))
    reference = PlainTraining(model)
    assert asdict(model.epoch()) == pytest.approx(asdict(reference.epoch()), rel=1e-4)
    assert model.random.get_state().equal(reference.random.get_state())
