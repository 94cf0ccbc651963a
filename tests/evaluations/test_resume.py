"""A search of every method that was cut off goes on from the store and ends as an uninterrupted one."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from nadlab.evaluations.config import EvaluationConfig
from nadlab.evaluations.store import Ended
from nadlab.evaluations.stored import StoredEvaluations, Train
from nadlab.methods.registry import SEARCHERS
from nadlab.queries.budget import Training
from nadlab.queries.ledger import Query, QueryLedger
from nadlab.queries.opening import answered
from nadlab.spaces import Cells
from tests.oracles import counting
from tests.searchers.shortened import SHORTENED

ORACLE = counting("nasbench201", 300)
BUDGET = 24


class Killed(BaseException):
    """The search ends here, as by a kill."""


@dataclass
class UntilKilled:
    """Trains one cell after the other, in the opposite order, and is killed after some; keeps their keys and epochs."""

    train: Train
    trained: list[tuple[int, int | None]]
    most: int | None = None

    def __call__(self, cells: Cells, fidelity: int | None) -> Iterator[tuple[int, Ended]]:
        for row in reversed(range(len(cells))):
            if len(self.trained) == self.most:
                raise Killed
            self.trained += [(key, fidelity) for key in ORACLE.space.keys(cells[row : row + 1]).tolist()]
            ((_, ended),) = self.train(cells[row : row + 1], fidelity)
            yield row, ended


def searched(
    name: str, place: Path, trained: list[tuple[int, int | None]], most: int | None = None
) -> tuple[tuple[Query, ...], list[Training]]:
    kept = StoredEvaluations.of(ORACLE, EvaluationConfig(store=str(place)))
    oracle = answered(ORACLE, replace(kept, train=UntilKilled(kept.train, trained, most)).evaluate)
    ledger = QueryLedger(oracle, BUDGET)
    SHORTENED[name](ledger, np.random.default_rng(3))
    return ledger.queries, [replace(each, seconds=None) for each in ledger.account.trainings]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SEARCHERS))
def test_a_search_that_was_cut_off_ends_with_the_ledger_of_an_uninterrupted_one(name: str, tmp_path: Path) -> None:
    whole = searched(name, tmp_path / "whole", [])
    trained: list[tuple[int, int | None]] = []
    with pytest.raises(Killed):
        searched(name, tmp_path / "killed", trained, most=9)
    assert len(trained) == 9
    assert searched(name, tmp_path / "killed", trained) == whole
    full = ORACLE.fidelities.epochs[-1]
    assert sorted((key, epochs or full) for key, epochs in trained) == sorted(
        (each.key, each.fidelity or full) for each in whole[1]
    )
