"""The nodes of the connected cluster, for the provenance of records."""

import logging
from functools import cache

import ray
from ray.exceptions import RayError
from ray.util import get_node_ip_address
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from nadlab.provenance.hardware import FIELDS, hardware

logger = logging.getLogger(__name__)

PATIENCE = 30
"""seconds until a node must answer"""


def cluster_resources_text() -> str:
    """Return the nodes, CPUs, GPUs and memory that the cluster has at this moment."""
    has = ray.cluster_resources()
    alive = sum(node["Alive"] for node in ray.nodes())
    memory = has.get("memory", 0) / 2**30
    return f"{alive} nodes, {has.get('CPU', 0):g} CPUs, {has.get('GPU', 0):g} GPUs, {memory:.0f} GiB"


@cache
def hardware_at(address: str) -> dict[str, str]:
    """Return the hardware of a node by its IP address; `unknown` for a node that is gone."""
    if address == get_node_ip_address():
        return hardware()
    alive = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["NodeManagerAddress"] == address]
    try:
        if alive:
            there = NodeAffinitySchedulingStrategy(alive[0], soft=False)
            task = ray.remote(hardware).options(num_cpus=0, scheduling_strategy=there).remote()
            found: dict[str, str] = ray.get(task, timeout=PATIENCE)
            return found
    except RayError as error:
        logger.warning("the hardware of node %s is unknown (%s)", address, error)
    return dict.fromkeys(FIELDS, "unknown") | {"host": address}
