"""From proposed cells to queries, where a proposal may be invalid, known or not in the benchmark."""

import numpy as np
from numpy.typing import NDArray

from nadlab.queries.ledger import QueryLedger
from nadlab.queries.sampling import draw, one_of_each
from nadlab.spaces import Cells
from nadlab.spaces.cells import concatenate


def unseen(ledger: QueryLedger, proposed: Cells) -> Cells:
    """Return, in order, the valid cells that can be queried and are new, one of each isomorphism class."""
    space = ledger.oracle.space
    if not len(proposed):
        return proposed
    valid = proposed[np.array([reason is None for reason in space.invalid_reasons(proposed)])]
    held = valid[ledger.oracle.queryable(valid)]
    unique = one_of_each(held, space)
    return unique[~ledger.known(unique)]


def query_first(
    ledger: QueryLedger, proposed: Cells, count: int, rng: np.random.Generator
) -> tuple[Cells, NDArray[np.float64]]:
    """Query the first `count` unseen proposals, fewer where the budget ends, and return them with their accuracies.

    Where the proposals are too few, random cells take their place: a search always goes on.
    """
    count = min(count, ledger.remaining)
    chosen = unseen(ledger, proposed)[:count]
    y = ledger.query(chosen)
    if len(chosen) < count:
        drawn = draw(ledger, count - len(chosen), rng)
        chosen, y = concatenate([chosen, drawn]), np.concatenate([y, ledger.query(drawn)])
    return chosen, y
