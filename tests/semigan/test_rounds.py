"""SemiGAN-NAD in rounds."""

from dataclasses import replace

import numpy as np

from nadlab.benchmarks.registry import benchmark
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.method import SemiGANNAD
from nadlab.semigan.settings import SEQUENTIAL

SETTINGS = replace(
    SEQUENTIAL, labels=10, final_k=50, per_round=5, epochs=1, round_epochs=1, width=16, unlabelled_per_epoch=512,
    generated=300, candidates=20, neighbours_of=0, local_queries=3,
)  # fmt: skip


def test_after_a_round_in_vain_some_queries_go_to_the_best_cells_neighbours() -> None:
    ledger = QueryLedger(benchmark("mnist1d-201"), SETTINGS.budget)
    SemiGANNAD(SETTINGS)(ledger, np.random.default_rng(0))
    space, answers = ledger.oracle.space, [ledger.answer(query) for query in ledger.queries]
    keys = [int(space.keys(space.parse(query.cell))[0]) for query in ledger.queries]
    vain = 0
    for start in range(15, 60, 5):
        best = int(np.argmax(answers[:start]))
        near = set(space.keys(space.neighbours(space.parse(ledger.queries[best].cell))).tolist())
        if best < start - 5 and len(near - set(keys[:start])) >= 3:
            vain += 1
            assert set(keys[start : start + 3]) <= near
    assert vain >= 3
