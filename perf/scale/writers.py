"""Many processes write to one `nadlab mlflow` server at once, each the trials of a study of its own.

Every writer delivers real records of random search as a study's driver does: run, parameters, metrics by query, ledger.

python perf/scale/writers.py --writers 16 --runs 10
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import click
import numpy as np
from mlflow import MlflowClient

from nadlab.benchmarks.registry import benchmark
from nadlab.cli.command_line import run_command
from nadlab.methods.request import SearchRequest
from nadlab.queries.ledger import QueryLedger
from nadlab.searchers.random_search import random_search
from nadlab.study.records import Record, StudyRecord, Trial
from nadlab.study.study import Study, study_record
from nadlab.tracking.tracker import Tracker
from perf.measuring import as_json, show, spread
from perf.mlflow_server import served
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
    trial = Trial(oracle.name, oracle.digest, seed, asdict(study.settings), study.trainable_name)
    queries = [asdict(query) for query in ledger.queries]
    outcome = ledger.outcome()
    metrics: dict[str, float | None] = {
        "queries": outcome["queries"],
        "best_reported": outcome["best_reported"],
        "regret": outcome["regret"],
    }
    return Record(trial, "FINISHED", metrics, [], queries, began, time.time(), {})


def write(address: str, record: Record, runs: int, study: StudyRecord) -> list[float]:
    """Deliver a record as so many trials of a study; return the seconds of each delivery."""
    tracker, seconds = Tracker.connect(address, study, None), []
    for seed in range(runs):
        began = time.perf_counter()
        tracker.deliver([(replace(record, trial=replace(record.trial, seed=seed)), Path("no checkpoint"))])
        seconds.append(time.perf_counter() - began)
    tracker.close("FINISHED")
    return seconds


def write_at_once(executor: Executor, address: str, name: str, writers: int, runs: int) -> list[float]:
    """Let all writers deliver at once; return the seconds of each delivery. Raises what a writer raises."""
    study = search_study(name)
    studies = [study_record(study, benchmark(name), f"writer-{number}") for number in range(writers)]
    found: Sequence[list[float]] = list(executor.map(partial(write, address, record_of(study, 0), runs), studies))
    return [each for seconds in found for each in seconds]


def finished(address: str) -> int:
    """Return how many complete trials the server holds."""
    client = MlflowClient(tracking_uri=address)
    (experiment,) = [each.experiment_id for each in client.search_experiments() if each.name == "writers"]
    runs = client.search_runs([experiment], "tags.kind = 'trial'", max_results=10_000)
    return sum(run.info.status == "FINISHED" and run.data.metrics["queries"] == QUERIES for run in runs)


@click.command(help=__doc__)
@click.option("--benchmark", "name", default="mnist1d-201", show_default=True, help="see `nadlab benchmarks`")
@click.option("--writers", default=16, show_default=True, type=click.IntRange(1))
@click.option("--runs", default=10, show_default=True, type=click.IntRange(1), help="of each writer")
@as_json
def command(name: str, writers: int, runs: int, as_json: bool) -> int:
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(writers, get_context("spawn")) as processes,
        served(Path(folder)) as server,
    ):
        list(processes.map(search_study, [name] * writers))  # imports
        began = time.perf_counter()
        seconds = write_at_once(processes, server.address, name, writers, runs)
        passed = time.perf_counter() - began
        complete = finished(server.address)
    figures = {
        "writers": writers,
        "trials sent": writers * runs,
        "trials complete on the server": complete,
        "trials a second": writers * runs / passed,
        "s a delivery": spread(seconds),
    }
    show(figures, as_json)
    return 0 if complete == writers * runs else 1


if __name__ == "__main__":
    sys.exit(run_command(command))
