"""Training against a reference that is written another way: torch-geometric, a cell at a time, a DataLoader."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nadlab.benchmarks.registry import benchmark
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.biarch2perf import adam, descend
from nadlab.semigan.method import start
from nadlab.semigan.settings import Settings
from perf.training.reference import PlainTraining
from perf.training.training import unqueried


@pytest.mark.parametrize("name", ["nasbench201/toy", "nasbench101"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"saturating": True, "coverage": 0.0, "pseudo_real": 0},
        {"generator_adversarial": False, "predictor_adversarial": False},
        {"generated_labels": False},
    ],
    ids=["defaults", "as printed", "no adversarial terms", "no generated labels"],
)
def test_losses_of_the_first_epoch_are_those_of_the_plain_reference(
    data: Path,  # noqa: ARG001 - it makes the tables
    name: str,
    changes: dict[str, Any],
) -> None:
    small = Settings(labels=20, width=16, epochs=60, unlabelled_per_epoch=100, unlabelled_batch=32)
    settings = replace(small, **changes)
    model = start(QueryLedger(benchmark(name), settings.budget), settings, np.random.default_rng(0))
    reference = PlainTraining(model)
    assert asdict(model.epoch()) == pytest.approx(asdict(reference.epoch()), rel=1e-4)
    assert model.random.get_state().equal(reference.random.get_state())


def test_reference_without_isomorphism_takes_every_cell_but_the_queried_ones(data: Path) -> None:  # noqa: ARG001
    oracle = benchmark("nasbench201/toy")
    ledger = QueryLedger(oracle, 20)
    ledger.query(oracle.pool()[:20])
    cells = unqueried(ledger)
    assert len(cells) == oracle.space.size - len(ledger.queries)
    texts = {oracle.space.format(cell) for cell in cells}
    assert not texts & {query.cell for query in ledger.queries}
    assert ledger.known(cells).any(), "cells that are isomorphic to a queried one"


def test_steps_are_those_of_adam_written_out_also_for_weights_used_transposed() -> None:
    torch.manual_seed(0)
    weights = [torch.randn(shape).requires_grad_() for shape in ((64, 15), (5, 7), (3,))]
    numbers = [weight.detach().double().clone() for weight in weights]
    moments = [(torch.zeros_like(number), torch.zeros_like(number)) for number in numbers]
    optimizer = adam(weights, "AG", Settings(beta_1=0.5))
    for step in range(1, 11):
        targets = [torch.randn(weight.T.shape if weight.dim() > 1 else weight.shape) for weight in weights]
        # a gradient that autograd computes transposed lies transposed in memory
        uses = [weight.T if weight.dim() > 1 else weight for weight in weights]
        pairs = list(zip(uses, targets, strict=True))
        descend(optimizer, torch.stack([((use - target) ** 2).sum() for use, target in pairs]).sum(), 0.01)
        for number, (mean, square), target in zip(numbers, moments, targets, strict=True):
            gradient = 2 * (number - (target.T if number.dim() > 1 else target).double())
            mean.mul_(0.5).add_(0.5 * gradient)
            square.mul_(0.999).add_(0.001 * gradient**2)
            number -= 0.01 * (mean / (1 - 0.5**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
    for weight, number in zip(weights, numbers, strict=True):
        torch.testing.assert_close(weight.double(), number, rtol=1e-5, atol=1e-6)
