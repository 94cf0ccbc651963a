"""Random search: distinct architectures drawn uniformly from those that can be queried (RS of Tables 1-3)."""

import numpy as np

from nadlab.benchmarks.ledger import QueryLedger
from nadlab.errors import UserError
from nadlab.spaces import Cells


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


def random_search(ledger: QueryLedger, rng: np.random.Generator) -> None:
    """Spend the whole budget on random cells."""
    ledger.query(draw(ledger, ledger.remaining, rng))
