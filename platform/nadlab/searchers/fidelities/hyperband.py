"""Hyperband and successive halving over architectures: many short trainings, of which the best go on to longer ones.

Li et al., Hyperband, JMLR 2018, Algorithm 1; the resource is epochs. A bracket s = s_max, ..., 0 draws
n = ceil((s_max + 1) / (s + 1) eta^s) random cells, trains them for R eta^-s epochs, keeps the best n eta^-(i + 1) of them
after each rung i, and trains those for eta times as many epochs, up to the full R. Successive halving (Jamieson and
Talwalkar, AISTATS 2016) is the first bracket alone, again and again. NAS-Bench-101 was trained for 4, 12, 36 and 108 epochs
so that eta = 3 fits it.

Choices: a rung whose epochs the benchmark does not have takes the next shorter length that it has, so that on NAS-Bench-201
(12 and 200 epochs) those of 22 and 66 epochs are one; iterations are repeated until the budget ends; a bracket that what is
left does not pay gives way to a smaller one, at last to full trainings of random cells, so that the budget is spent. The
answer is the best cell of those that were trained in full.
"""

from dataclasses import dataclass, field
from math import ceil, log

import numpy as np

from nadlab.benchmarks.fidelity import lower_fidelities
from nadlab.errors import UserError
from nadlab.parameters.hyperparameters import at_least, tunable
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.sampling import draw, first_cells, some_unqueried


@dataclass(frozen=True, slots=True)
class Hyperband:
    """Hyperband (Li et al., JMLR 2018), of which successive halving is the first bracket."""

    eta: int = field(default=3, metadata=tunable(2, 5))
    """the share of cells that a rung keeps is 1 / eta, and it trains them eta times as long; published"""
    brackets: int | None = None
    """of an iteration, from the one with the most cells on; none takes all, as published, and 1 is successive halving"""

    def __post_init__(self) -> None:
        at_least(2, self, "eta")
        if self.brackets is not None and self.brackets < 1:
            raise UserError(f"brackets must be at least 1, or none for all, not {self.brackets}")

    def __call__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        """Spend the whole budget; raise UserError where the benchmark has one fidelity, or fewer cells than the budget."""
        epochs = (*lower_fidelities(ledger.oracle), ledger.account.fidelities.epochs[-1])
        first_cells(ledger, 1, rng)  # raises where the pool is too small
        most = int(log(epochs[-1] / epochs[0], self.eta) + 1e-9)
        last = 0 if self.brackets is None else max(0, most + 1 - self.brackets)
        while ledger.remaining:
            for number in range(most, last - 1, -1):
                count = ceil((most + 1) / (number + 1) * self.eta**number)
                self._bracket(ledger, epochs, number, count, rng)

    def _bracket(
        self, ledger: QueryLedger, epochs: tuple[int, ...], number: int, count: int, rng: np.random.Generator
    ) -> None:
        """Run bracket `number` with `count` cells, or as many rungs of it as what is left pays."""
        lengths = [max(epochs[0], epochs[-1] * self.eta ** (rung - number)) for rung in range(number + 1)]
        rungs = [max(each for each in epochs if each <= length + 1e-9) for length in lengths]
        kept = [count // self.eta**rung for rung in range(number + 1)]
        # of rungs of one length only the first costs
        paid = dict(reversed(list(zip(rungs, kept, strict=True))))
        price = sum(length * many for length, many in paid.items()) / epochs[-1]
        if not ledger.remaining:
            return
        if price > ledger.remaining and number:
            self._bracket(ledger, epochs, number - 1, ceil(count / self.eta), rng)
            return
        if not number:
            ledger.query(draw(ledger, min(count, ledger.remaining), rng))
            return
        cells = some_unqueried(ledger, count, rng)
        for length, many in zip(rungs, kept, strict=True):
            cells = cells[:many]
            scores = ledger.query(cells, fidelity=length)
            cells = cells[np.argsort(-scores, kind="stable")]
