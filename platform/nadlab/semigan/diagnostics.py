"""Measurements on a benchmark's own answers, outside the ledger: they judge a method and never reach it."""

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.oracle import Oracle, accuracy, metric_of
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.spaces import Cells


def search_accuracies(oracle: Oracle, cells: Cells) -> NDArray[np.float64]:
    """Return the search score of queryable cells, (N,)."""
    score = metric_of(oracle).score
    return np.array([score(accuracy(each, oracle.search_split)) for each in oracle.evaluate(cells)], np.float64)


def held_out_tau(model: BiArch2Perf, ledger: QueryLedger, count: int = 1000, seed: int = 0) -> float:
    """Return Kendall's tau-b between PP and the search accuracy on queryable cells that were not queried.

    The cells depend on `seed` and the queried cells alone; fewer than `count` are taken where fewer exist.
    """
    # late: it takes a second, for which neither a command's start nor a trial's first epoch has to wait
    from scipy.stats import kendalltau

    oracle = ledger.oracle
    pool = oracle.pool()
    unseen = np.flatnonzero(~ledger.known(pool))
    chosen = pool[np.random.default_rng(seed).permutation(unseen)[:count]]
    predicted = model.predict(oracle.space.canonical(chosen))
    return float(kendalltau(predicted, search_accuracies(oracle, chosen)).statistic)
