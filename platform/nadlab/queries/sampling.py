"""Cells drawn at random from those that can still be queried."""

import numpy as np

from nadlab.errors import UserError
from nadlab.queries.ledger import QueryLedger
from nadlab.spaces import Cells, SearchSpace


def one_of_each(cells: Cells, space: SearchSpace) -> Cells:
    """Return the first cell of each isomorphism class, in order."""
    _, first = np.unique(space.keys(cells), return_index=True)
    return cells[np.sort(first)]


def draw(ledger: QueryLedger, count: int, rng: np.random.Generator) -> Cells:
    """Draw queryable cells, uniform over the pool, no two isomorphic and none known; UserError if there are fewer."""
    pool = ledger.oracle.pool()
    order = rng.permutation(len(pool))
    _, first = np.unique(ledger.oracle.space.keys(pool)[order], return_index=True)
    distinct = pool[order[np.sort(first)]]
    fresh = distinct[~ledger.known(distinct)]
    if len(fresh) < count:
        raise UserError(
            f"{count} queries are asked of {ledger.oracle.name}, which has {len(fresh)} distinct cells left: ask for fewer"
        )
    return fresh[:count]


def first_cells(ledger: QueryLedger, count: int, rng: np.random.Generator) -> Cells:
    """Draw the random cells that a search starts from, no more than the budget; UserError when the pool cannot fill it."""
    # the whole budget is drawn, so that a pool that is too small is refused before anything is spent
    return draw(ledger, ledger.remaining, rng)[:count]


def some_unqueried(ledger: QueryLedger, count: int, rng: np.random.Generator) -> Cells:
    """Draw up to `count` random cells of the pool that are unknown and not isomorphic: `draw` without its full scan."""
    pool = ledger.oracle.pool()
    cells = pool[rng.choice(len(pool), min(count, len(pool)), replace=False)]
    _, first = np.unique(ledger.oracle.space.keys(cells), return_index=True)
    distinct = cells[np.sort(first)]
    return distinct[~ledger.known(distinct)]
