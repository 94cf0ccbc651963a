"""Local search: move to the first better neighbour, restart at a local optimum.

White et al., Exploring the Loss Landscape in Neural Architecture Search, UAI 2021, with the defaults of their code:
ten random cells, then ascent from the best of them; neighbours are queried in random order, and the search moves as
soon as one is better. A neighbour that was queried before is skipped.

Choices: where the benchmark lacks a neighbour, a near cell replaces it (`Neighbourhood`); a start without unqueried
neighbours ends at once.

Published: as good as the best methods of its time on NAS-Bench-101 and 201. Here it finds NAS-Bench-201's optimum within
160 queries with each of 20 seeds, by the test accuracy that Table 2 searches by; tests/searchers/test_rivals_on_tables.py.
"""

from dataclasses import dataclass, field

import numpy as np

from nadlab.parameters.hyperparameters import at_least, tunable
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.neighbourhood import Neighbourhood
from nadlab.queries.sampling import draw, first_cells
from nadlab.spaces import Cells


@dataclass(frozen=True, slots=True)
class LocalSearch:
    """Local search (White et al., UAI 2021; the code of its authors)."""

    starts: int = field(default=10, metadata=tunable(1, 30))
    """random cells, of which the best starts an ascent; published"""

    def __post_init__(self) -> None:
        at_least(1, self, "starts")

    def __call__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        """Spend the whole budget."""
        neighbourhood = Neighbourhood(ledger, rng)
        starts = first_cells(ledger, self.starts, rng)
        while True:
            answers = ledger.query(starts)
            best = int(np.argmax(answers))
            self._ascend(neighbourhood, starts[best : best + 1], float(answers[best]))
            if not ledger.remaining:
                return
            starts = draw(ledger, min(self.starts, ledger.remaining), rng)

    @staticmethod
    def _ascend(neighbourhood: Neighbourhood, cell: Cells, accuracy: float) -> None:
        ledger, around = neighbourhood.ledger, neighbourhood.around(cell)
        while ledger.remaining and (neighbour := next(around, None)) is not None:
            answer = float(ledger.query(neighbour)[0])
            if answer > accuracy:
                accuracy, around = answer, neighbourhood.around(neighbour)
