"""Searches of a benchmark that declares its cost: tasks that wait for trainings on the same cluster."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from nadlab.benchmarks.oracle import Oracle, cost_of
from nadlab.cluster.connection import check_address, connected
from nadlab.cluster.resources import check_room, cluster_resources
from nadlab.cluster.tasks import side_by_side_on_ray
from nadlab.engine.worker import check_tables
from nadlab.evaluations.config import EvaluationConfig
from nadlab.evaluations.store import EvaluationStore
from nadlab.interrupts import Stopping

Request = TypeVar("Request")
Result = TypeVar("Result")


def on_ray(
    search: Callable[[Request], Result],
    requests: Sequence[Request],
    oracle: Oracle,
    config: EvaluationConfig,
    concurrent: int | None,
    address: str | None,
    plugins: Sequence[str],
) -> Iterator[Result]:
    """Run searches, `concurrent` at a time (None: one a CPU), and give the results in order.

    address: the cluster; None: one of this process. plugins: loaded modules that the searches need. Raises UserError when no
    node has room for a training, or one has another version of the benchmark.
    """
    if address:
        check_address(address)
    cost, store = cost_of(oracle), EvaluationStore.opened(str(config.store), oracle)
    assert cost
    stopping = Stopping("Stopped: the same command goes on from the evaluations that are kept.")
    with stopping.caught(), stopping.deferred(), connected(address, None, EvaluationStore, plugins):
        stopping.install()  # again: Ray replaced the handlers
        check_room(config.granted(cost))
        if address:
            check_tables(oracle.name, oracle.digest, oracle.preset)
        at_once = concurrent or max(1, int(cluster_resources().cpus))
        yield from side_by_side_on_ray(search, requests, "search", at_once, stopping.check, store.progress)
