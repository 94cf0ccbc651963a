"""SemiGAN-NAD: label at random, train Bi-Arch2Perf, design by NACG."""

from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from nadlab.benchmarks.ledger import QueryLedger
from nadlab.errors import UserError
from nadlab.searchers.unqueried import first_cells
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.nacg import Generation, design
from nadlab.semigan.settings import Settings
from nadlab.spaces import SPACES, Cells
from nadlab.spaces.cells import Keys

SAMPLED_CELLS = 600_000
"""cells drawn from a space that is too large to enumerate (Section 4.2)"""


def start(ledger: QueryLedger, settings: Settings, rng: np.random.Generator) -> BiArch2Perf:
    """Query the labelled cells and build the untrained networks; the rest of the space is the unlabelled set.

    Raises UserError when the benchmark has fewer cells than the budget.
    """
    labelled = first_cells(ledger, settings.labels, rng)
    return build(ledger, settings, labelled, int(rng.integers(2**31)))


def build(ledger: QueryLedger, settings: Settings, labelled: Cells, seed: int) -> BiArch2Perf:
    """Query cells, or look up those that are paid for, and build the untrained networks on them."""
    space = ledger.oracle.space
    y = ledger.query(labelled)
    cells, keys = classes(space.name)
    unlabelled = cells[np.flatnonzero(~np.isin(keys, space.keys(labelled)))]
    return BiArch2Perf(space.canonical(labelled), y, unlabelled, len(space.operations), settings, seed)


def finish(model: BiArch2Perf, ledger: QueryLedger) -> Generation:
    """Spend what is left of the budget on generated cells."""
    return design(model, ledger, ledger.remaining, model.settings.generated)


@dataclass(frozen=True)
class SemiGANNAD:
    """The method as a searcher: all queries but the last K are labels, so `settings.labels` follows the budget."""

    settings: Settings = field(default_factory=Settings)

    def __call__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        """Spend the whole budget; raise UserError when it is less than K + 2."""
        final_k = self.settings.final_k
        if ledger.budget < final_k + 2:
            raise UserError(f"semigan-nad needs a budget of at least {final_k + 2} queries, not {ledger.budget}")
        model = start(ledger, replace(self.settings, labels=ledger.budget - final_k), rng)
        for _ in range(self.settings.epochs):
            model.epoch()
        finish(model, ledger)


@cache
def classes(name: str) -> tuple[Cells, Keys]:
    """Return one cell of every isomorphism class of a space, or of a fixed sample of it, and their keys."""
    space = SPACES[name]
    if space.size <= SAMPLED_CELLS:
        keys = space.all_keys()
        first = np.unique(keys, return_index=True)[1]
        return space.enumerate()[first], keys[first]
    cells = space.unlabelled(SAMPLED_CELLS, np.random.default_rng(0))
    return cells, space.keys(cells)
