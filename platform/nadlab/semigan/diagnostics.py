"""Measurements on a benchmark's own answers, outside the ledger: they judge a method and never reach it.

They evaluate cells that no search queried, so they take benchmarks alone whose answers are free.
"""

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.oracle import Oracle, accuracy, facts_of, metric_of
from nadlab.errors import UserError
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.spaces import Cells


def search_accuracies(oracle: Oracle, cells: Cells) -> NDArray[np.float64]:
    """Return the search score of queryable cells, (N,); raise UserError where answers are not free."""
    if not facts_of(oracle).free:
        raise UserError(
            f"{oracle.name} trains a network for each answer, so that only a search may evaluate cells: name a benchmark "
            "whose answers are stored or predicted"
        )
    score = metric_of(oracle).score
    return np.array([score(accuracy(each, oracle.search_split)) for each in oracle.evaluate(cells)], np.float64)


def held_out_tau(model: BiArch2Perf, ledger: QueryLedger, count: int = 1000, seed: int = 0) -> float | None:
    """Return Kendall's tau-b between PP and the search accuracy on queryable cells that were not queried.

    The cells depend on `seed` and the queried cells alone; fewer than `count` are taken where fewer exist. None where the
    benchmark's answers are not free, or where tau is undefined: PP or the accuracies are constant.
    """
    # late: it takes a second, for which neither a command's start nor a trial's first epoch has to wait
    from scipy.stats import kendalltau

    oracle = ledger.oracle
    if not facts_of(oracle).free:
        return None
    pool = oracle.pool()
    unseen = np.flatnonzero(~ledger.known(pool))
    chosen = pool[np.random.default_rng(seed).permutation(unseen)[:count]]
    predicted = model.predict(oracle.space.canonical(chosen))
    tau = float(kendalltau(predicted, search_accuracies(oracle, chosen)).statistic)
    return tau if isfinite(tau) else None
