"""Random search: distinct architectures drawn uniformly from those that can be queried (RS of Tables 1-3)."""

import numpy as np

from nadlab.queries.ledger import QueryLedger
from nadlab.queries.sampling import draw


def random_search(ledger: QueryLedger, rng: np.random.Generator) -> None:
    """Random search: the whole budget goes to random cells."""
    while ledger.remaining:  # of a budget in seconds cheap cells leave more than was expected
        ledger.query(draw(ledger, ledger.remaining, rng))
