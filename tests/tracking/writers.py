"""Many processes write to one `nadlab mlflow` server at once, each the trials of a study of its own.

Every writer delivers real records of random search as a study's driver does: run, parameters, metrics by query, ledger.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
from mlflow import MlflowClient

from nadlab.benchmarks.registry import benchmark
from nadlab.methods.request import SearchRequest
from nadlab.queries.ledger import QueryLedger
from nadlab.searchers.random_search import random_search
from nadlab.study.levels import flat
from nadlab.study.records import Record, StudyRecord, Trial
from nadlab.study.study import Study, study_record
from nadlab.tracking.tracker import Tracker
from trainables.searcher import SearcherTrainable

QUERIES = 160


def search_study(name: str) -> Study:
    """Return a study of random search alone."""
    return Study(
        name="writers",
        question="Does the server take all writers at once?",
        expectation="yes",
        trainable=SearcherTrainable,
        vary={"method": ("random-search",)},
        settings=SearchRequest(method="random-search", queries=QUERIES),
        benchmark=name,
    )


def record_of(study: Study, seed: int) -> Record:
    """Run one search and return its record."""
    oracle, began = benchmark(study.benchmark), time.time()
    ledger = QueryLedger(oracle, QUERIES)
    random_search(ledger, np.random.default_rng(seed))
    trial = Trial(oracle.name, oracle.digest, seed, flat(study.settings), study.trainable_name)
    queries = [asdict(query) for query in ledger.queries]
    outcome = ledger.outcome()
    metrics: dict[str, float | None] = {
        "queries": outcome["queries"],
        "best_reported": outcome["best_reported"],
        "regret": outcome["regret"],
    }
    return Record(trial, "FINISHED", metrics, [], queries, began, time.time(), {})


def write(address: str, record: Record, runs: int, study: StudyRecord) -> None:
    """Deliver a record as so many trials of a study."""
    tracker = Tracker.connect(address, study, None)
    for seed in range(runs):
        tracker.deliver([(replace(record, trial=replace(record.trial, seed=seed)), Path("no checkpoint"))])
    tracker.close("FINISHED")


def write_at_once(address: str, name: str, writers: int, runs: int) -> None:
    """Let all writers deliver at once, each in a thread. Raises what a writer raises."""
    study = search_study(name)
    studies = [study_record(study, benchmark(name), f"writer-{number}") for number in range(writers)]
    with ThreadPoolExecutor(writers) as threads:
        list(threads.map(partial(write, address, record_of(study, 0), runs), studies))


def finished(address: str) -> int:
    """Return how many complete trials the server holds."""
    client = MlflowClient(tracking_uri=address)
    (experiment,) = [each.experiment_id for each in client.search_experiments() if each.name == "writers"]
    runs = client.search_runs([experiment], "tags.kind = 'trial'", max_results=10_000)
    return sum(run.info.status == "FINISHED" and run.data.tags["queries"] == str(QUERIES) for run in runs)
