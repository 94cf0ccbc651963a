"""Random search as a reference of every study on a table, computed anew: a table's answers cost nothing."""

import numpy as np

from nadlab.analysis.statistics.intervals import Values
from nadlab.benchmarks.oracle import facts_of
from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.plugins import is_plugin
from nadlab.queries.ledger import BudgetSpent, QueryLedger
from nadlab.searchers.random_search import random_search
from nadlab.study.incumbents import curve_of
from nadlab.study.records import StudyRecord


def random_curves(study: StudyRecord, seeds: list[int], queries: int) -> tuple[Values, Values] | None:
    """Return reported and search answer of the incumbent after each query, each (seeds, queries).

    None of a benchmark that is not a stored table, one's own code, not on this machine, or another than the study's.
    """
    if is_plugin(study.benchmark):
        return None
    try:
        oracle = benchmark(study.benchmark, study.preset)
    except UserError:
        return None
    if facts_of(oracle).answers != "stored" or oracle.digest != study.digest:
        return None
    ledgers = [QueryLedger(oracle, queries) for _ in seeds]
    try:
        for ledger, seed in zip(ledgers, seeds, strict=True):
            random_search(ledger, np.random.default_rng(seed))
    except (UserError, BudgetSpent):  # the table has fewer distinct cells than queries
        return None
    reported, searched = (
        np.array([curve_of(ledger.queries, study.search_split, split, study.measured) for ledger in ledgers])
        for split in (study.report_split, study.search_split)
    )
    return reported, searched
