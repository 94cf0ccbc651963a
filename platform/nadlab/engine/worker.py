"""What a worker does before each trial of any trainable: check its table, and share the driver's listing of the space."""

import logging
import socket
from typing import Any

import ray
from ray.exceptions import RayError
from ray.tune import Trainable
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from nadlab.benchmarks.files import short_digest
from nadlab.benchmarks.presets import PAPER
from nadlab.benchmarks.registry import benchmark
from nadlab.engine.request import requests
from nadlab.errors import UserError
from nadlab.spaces import SPACES, SearchSpace
from nadlab.spaces.classes import classes
from nadlab.spaces.listings import hand, take

logger = logging.getLogger(__name__)

LARGE = 100_000
"""cells of a space that takes seconds and tens of MiB to list"""


def prepared(trainable: type[Trainable], space: SearchSpace) -> type[Trainable]:
    """Return the trainable for workers of the connected cluster.

    A large space is listed here, once, and put into Ray's object store, where the workers of a node share one copy.
    """
    name, shared = space.name, None
    if space.size >= LARGE and space is SPACES.get(name):  # each worker lists a plugin's
        classes(space)
        shared = ray.put(take(name))

    class Prepared(trainable):  # type: ignore[misc]
        def setup(self, config: dict[str, Any]) -> None:
            if shared is not None:
                hand(name, ray.get(shared))
            check_table(requests(config)[0])
            super().setup(config)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            check_table(requests(new_config)[0])
            return bool(super().reset_config(new_config))

    return Prepared


def check_tables(benchmark_name: str, digest: str, protocol: str = PAPER) -> None:
    """Raise UserError that names the nodes of the connected cluster whose table is missing or another one.

    A node that joins later is checked by its first trial.
    """
    alive = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    table = {"benchmark": benchmark_name, "digest": digest, "protocol": protocol}
    check = ray.remote(num_cpus=0)(_error_of_table)
    checks = [
        check.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(table)
        for node in alive
    ]
    errors = []
    for each in checks:
        try:
            errors.append(ray.get(each))
        except RayError as error:  # a node that is lost meanwhile gets no trials
            logger.warning("the table %s of a node could not be checked: %s", benchmark_name, error)
    if any(errors):
        raise UserError("; ".join(filter(None, errors)))


def _error_of_table(trial: dict[str, Any]) -> str | None:
    try:
        check_table(trial)
    except UserError as error:
        return str(error)
    return None


def check_table(trial: dict[str, Any]) -> None:
    """Raise UserError that names this machine when its table is missing, has not what the protocol needs, or is not the one of the trial."""
    name, wanted = trial["benchmark"], trial["digest"]
    try:
        here = benchmark(name, trial["protocol"]).digest
    except UserError as error:
        raise UserError(f"on {socket.gethostname()}: {error}") from error
    if here != wanted:
        raise UserError(
            f"the node {socket.gethostname()} has another version of the table {name} (digest {short_digest(here)}, the study's "
            f"{wanted[:12]}): copy the study's to it"
        )
