"""Search methods on a benchmark, each with the same budget and seeds; what a folder keeps is not searched again."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np

from nadlab.benchmarks.oracle import Oracle, cost_of
from nadlab.benchmarks.presets import PAPER
from nadlab.benchmarks.registry import benchmark
from nadlab.engine.searches.kept import Asked, KeptSearches
from nadlab.engine.searches.result import Search
from nadlab.errors import UserError
from nadlab.evaluations.config import EvaluationConfig
from nadlab.methods.registry import own_values, run_search, split_name
from nadlab.methods.request import SearchRequest
from nadlab.parameters.values import Value
from nadlab.plugins import plugin_names
from nadlab.processes import side_by_side
from nadlab.provenance.code import own_code_of
from nadlab.queries.budget import Account, Budget
from nadlab.queries.goals import Goals
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.opening import opened
from nadlab.queries.pools import distinct_cells
from nadlab.study.search_file import code_of

EVALUATIONS = Path("runs/evaluations")
"""the store of a search's evaluations where no other is named"""


def searches(
    methods: Sequence[str],
    benchmark_name: str,
    budget: int | Budget,
    seeds: Sequence[int],
    concurrent: int | None,
    hyperparameters: Mapping[str, Value] = MappingProxyType({}),
    protocol: str = PAPER,
    objectives: str | None = None,
    at_most: str | None = None,
    evaluation: EvaluationConfig = EvaluationConfig(),  # noqa: B008 - it is frozen
    address: str | None = None,
    kept: KeptSearches | None = None,
) -> Iterator[Search]:
    """Run every method once a seed, `concurrent` at a time, and give the results in order.

    budget: queries, epochs or seconds of training. hyperparameters: `method.hyperparameter` -> value, where it is not the
    published one. protocol: by which the benchmark is searched and judged. objectives, at_most: as `SearchRequest`.
    evaluation: of a benchmark that is not free; each cell is evaluated once, and never again while the store is kept, so
    that the same searches go on after a kill. address: the Ray cluster on which a benchmark that declares its cost is
    trained; None: one of this process. kept: what it holds of these searches is not run again, the others are added.

    Raises UserError at once for an unknown method, hyperparameter, benchmark or protocol, for a hyperparameter of another method,
    and for a budget that the benchmark or a method can't meet.
    """
    if others := [name for name in hyperparameters if split_name(name)[0] not in methods]:
        raise UserError(f"{others[0]} changes nothing: the search runs {', '.join(methods)}")
    if twice := next((name for name in methods if list(methods).count(name) > 1), None):
        raise UserError(f"the method {twice!r} is named twice: leave one out")
    # here, so that the error is raised once and not in every process
    oracle = benchmark(benchmark_name, protocol)
    if address and cost_of(oracle) is None:
        raise UserError(
            f"--address is for benchmarks that train on a cluster, and {benchmark_name} declares no cost: leave it out"
        )
    evaluation.check(oracle)
    budget = Budget(budget) if isinstance(budget, int) and budget > 0 else budget
    queries = Account(oracle, budget).remaining if isinstance(budget, Budget) else budget
    requests = [
        SearchRequest(
            method=method, queries=queries, hyperparameters=hyperparameters, objectives=objectives, at_most=at_most
        )
        for method in methods
    ]
    for name, reason in ((name, reason) for each in requests for name, reason in each.inert().items()):
        if any(name in each.hyperparameters for each in requests):
            raise UserError(f"{name} changes nothing: {reason}; leave it out")
    Goals.of(objectives, at_most).check(oracle)
    if wrong := [reason for request in requests for reason in request.misfits(oracle, None).values()]:
        raise UserError(wrong[0])
    distinct = distinct_cells(oracle, queries)
    if queries > distinct:
        raise UserError(f"{queries} queries are more than the {distinct} distinct cells of {benchmark_name}")
    config = replace(evaluation, store=evaluation.store or str(EVALUATIONS.absolute()))
    own = own_code_of(benchmark_name) if kept else None
    named = [(request, _asked(oracle, own, budget, request) if kept else {}) for request in requests]
    tasks = [_Task(request, seed, {**asked, "seed": seed}) for request, asked in named for seed in seeds]
    found = [kept.read(task.asked) if kept else None for task in tasks]
    missing = [task for task, search in zip(tasks, found, strict=True) if search is None]
    # where it ends, since others that began before it may take hours; on a cluster trainings are kept, so here suffices
    here = cost_of(oracle) is None
    search = partial(_search, benchmark_name, protocol, config, budget, kept if here else None)
    if here:
        fresh = side_by_side(search, missing, "search", concurrent) if missing else iter(())
    else:
        from nadlab.engine.searches.on_ray import on_ray  # late: a search of a table does without Ray

        plugins = plugin_names([benchmark_name, *methods])
        fresh = on_ray(search, missing, oracle, config, concurrent, address, plugins) if missing else iter(())
    for task, done in zip(tasks, found, strict=True):
        if done is None:
            done = next(fresh)
            if kept and not here:
                kept.write(task.asked, done)
        yield done
    yield from fresh  # nothing: it closes the progress bar


@dataclass(frozen=True, slots=True)
class _Task:
    request: SearchRequest
    seed: int
    asked: Asked


def _asked(oracle: Oracle, own: str | None, budget: int | Budget, request: SearchRequest) -> Asked:
    """Return all that decides the searches of a request but their seeds; the digest of its code takes a part of a second.

    own: the digest of the benchmark's code, where that is the user's.
    """
    spent = budget if isinstance(budget, Budget) else Budget(budget)
    return {
        "settings": request.flat(),
        "budget": [float(spent.amount), spent.unit],
        "benchmark": oracle.name,
        "digest": oracle.digest,
        **({"benchmark's code": own} if own else {}),
        "protocol": oracle.preset,
        "code": code_of(request.searcher),
    }


def _search(
    benchmark_name: str,
    protocol: str,
    config: EvaluationConfig,
    budget: int | Budget,
    kept: KeptSearches | None,
    task: _Task,
) -> Search:
    request, seed = task.request, task.seed
    trial = {"benchmark": benchmark_name, "protocol": protocol, "evaluations": asdict(config)}
    ledger = QueryLedger(opened(trial), budget, request.goals)
    started = time.perf_counter()
    run_search(request.searcher, ledger, np.random.default_rng(seed))
    seconds = time.perf_counter() - started
    outcome = ledger.outcome()
    spent, own = ledger.account, own_values(request.method, request.hyperparameters)
    found = Search(
        request.method, benchmark_name, protocol, seed, outcome["queries"], outcome["best_valid"], outcome["best_test"],
        outcome.get("regret"), seconds, outcome.get("feasible"), ledger.queries,
        settings=", ".join(f"{name} = {value}" for name, value in own.items()) or None,
    )  # fmt: skip
    if spent.budget.unit != "queries":
        found = replace(found, trainings=len(spent.trainings), epochs=spent.epochs, training_seconds=spent.seconds)
    if kept:
        kept.write(task.asked, found)
    return found
