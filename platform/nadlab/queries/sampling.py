"""Cells to query: random ones, and proposals that may be invalid, queried already or not in the benchmark."""

from collections.abc import Callable

import numpy as np

from nadlab.errors import UserError
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.pools import enough_of, one_of_each
from nadlab.spaces import Cells
from nadlab.spaces.cells import concatenate, is_valid


def unqueried(ledger: QueryLedger, cells: Cells) -> Cells:
    """Return, in order, the cells that were not queried, one of each isomorphism class."""
    unique = one_of_each(cells, ledger.oracle.space)
    return unique[~ledger.known(unique)]


def draw(ledger: QueryLedger, count: int, rng: np.random.Generator) -> Cells:
    """Draw unqueried cells, uniform over the pool, no two isomorphic; raise UserError if there are fewer."""
    pool = ledger.oracle.pool()
    fresh = enough_of(pool, rng.permutation(len(pool)), count, lambda cells: unqueried(ledger, cells))
    if len(fresh) < count:
        raise UserError(
            f"{count} queries were requested of {ledger.oracle.name}, which has {len(fresh)} distinct cells left: request fewer"
        )
    return fresh[:count]


def first_cells(ledger: QueryLedger, count: int, rng: np.random.Generator) -> Cells:
    """Draw a search's initial random cells, no more than the budget; raise UserError when the pool cannot fill it."""
    # the whole budget is drawn, so that a pool that is too small is refused before anything is spent
    return draw(ledger, ledger.remaining, rng)[:count]


def some_unqueried(ledger: QueryLedger, count: int, rng: np.random.Generator) -> Cells:
    """Draw up to `count` unqueried cells of the pool, no two isomorphic: fewer where the draw has twins or queried ones."""
    pool = ledger.oracle.pool()
    return unqueried(ledger, pool[rng.choice(len(pool), min(count, len(pool)), replace=False)])


def new_proposals(ledger: QueryLedger, proposed: Cells) -> Cells:
    """Return, in order, the proposals that are valid, in the benchmark and not queried, one of each class."""
    valid = proposed[is_valid(proposed, ledger.oracle.space)]
    return unqueried(ledger, valid[ledger.oracle.queryable(valid)])


def generate_new(ledger: QueryLedger, generate: Callable[[], Cells], count: int, rounds: int) -> Cells:
    """Return the new proposals of batches that `generate` makes: at most `rounds`, until there are `count`."""
    found = ledger.oracle.pool()[:0]
    for _ in range(rounds):
        found = new_proposals(ledger, concatenate([found, generate()]))
        if len(found) >= count:
            break
    return found


def query_first(ledger: QueryLedger, proposed: Cells, count: int, rng: np.random.Generator) -> None:
    """Query the first `count` new proposals, fewer where the budget ends; random cells replace missing proposals."""
    count = min(count, ledger.remaining)
    chosen = new_proposals(ledger, proposed)[:count]
    ledger.query(chosen)
    if len(chosen) < count:
        ledger.query(draw(ledger, count - len(chosen), rng))
