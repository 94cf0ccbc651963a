"""Local search: climb to the first better neighbour, start anew at a local optimum.

White et al., Exploring the Loss Landscape in Neural Architecture Search, UAI 2021, with the defaults of their code:
ten random cells, then up from the best of them; neighbours are queried in random order, and the climb moves as soon as
one is better. A neighbour that is known already is not asked again and not moved to.

Choices: where the benchmark lacks a neighbour, a near cell stands in (`Neighbourhood`); a start
that has nothing left around it ends at once.

Published: as good as the best methods of its time on NAS-Bench-101 and 201. Here it has NAS-Bench-201's optimum after
160 queries with every one of 20 seeds, by the test accuracy that Table 2 searches by; tests/searchers/test_rivals_on_tables.py.
"""

from dataclasses import dataclass

import numpy as np

from nadlab.queries.ledger import QueryLedger
from nadlab.queries.neighbourhood import Neighbourhood
from nadlab.queries.sampling import draw, first_cells
from nadlab.spaces import Cells


@dataclass(frozen=True, slots=True)
class LocalSearch:
    """The method as a searcher."""

    starts: int = 10
    """random cells, from the best of which a climb starts"""

    def __call__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        """Spend the whole budget."""
        neighbourhood = Neighbourhood(ledger, rng)
        starts = first_cells(ledger, self.starts, rng)
        while True:
            answers = ledger.query(starts)
            best = int(np.argmax(answers))
            self._climb(neighbourhood, starts[best : best + 1], float(answers[best]))
            if not ledger.remaining:
                return
            starts = draw(ledger, min(self.starts, ledger.remaining), rng)

    @staticmethod
    def _climb(neighbourhood: Neighbourhood, cell: Cells, accuracy: float) -> None:
        ledger = neighbourhood.ledger
        better = True
        while better:
            better = False
            for neighbour in neighbourhood.around(cell):
                if not ledger.remaining:
                    return
                answer = float(ledger.query(neighbour)[0])
                if answer > accuracy:
                    cell, accuracy, better = neighbour, answer, True
                    break
