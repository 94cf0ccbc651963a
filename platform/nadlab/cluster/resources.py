"""CPUs and GPUs of a cluster, and how many trials fit on them at once."""

import os
from dataclasses import dataclass
from math import ceil, floor

import ray

from nadlab.benchmarks.oracle import Cost
from nadlab.errors import UserError

UNIT = 10_000
"""Ray counts resources in ten thousandths"""


@dataclass(frozen=True, slots=True)
class Resources:
    """What trials can be placed on."""

    cpus: float
    gpus_by_node: tuple[float, ...]

    @property
    def gpus(self) -> float:
        """GPUs of all nodes."""
        return sum(self.gpus_by_node)


def machine_resources(concurrent: int | None) -> Resources:
    """Return what a cluster of this process would have."""
    import torch  # late: a driver that joins a cluster does not need it

    return Resources(concurrent or os.cpu_count() or 1, (torch.cuda.device_count(),))


def cluster_resources() -> Resources:
    """Return what the connected cluster has."""
    gpus = tuple(node["Resources"].get("GPU", 0.0) for node in ray.nodes() if node["Alive"])
    return Resources(ray.cluster_resources().get("CPU", 1.0), gpus)


def check_room(cost: Cost) -> None:
    """Raise UserError when no node of the connected cluster has what an evaluation takes, or Ray can't count its GPUs."""
    share_of_gpus(cost.gpus)
    needed = {"CPU": cost.cpus, "GPU": cost.gpus, "memory": cost.memory_bytes or 0}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(all(node.get(name, 0) >= count for name, count in needed.items()) for node in nodes):
        raise UserError(
            f"no node has the {cost.cpus:g} CPUs, {cost.gpus:g} GPUs and {needed['memory'] / 2**30:.3g} GiB that an evaluation "
            "takes: lower --cpus-per-evaluation or --gpus-per-evaluation"
        )


def share_of_gpus(gpus: float) -> float:
    """Return what a trial takes when it is given so many GPUs: a whole number, or a fraction that Ray can count, rounded down.

    Raises UserError for anything else: a negative number, none, infinity, a fraction of several or one below Ray's unit.
    """
    if 1 / UNIT <= gpus <= 1:
        return floor(gpus * UNIT + 1e-6) / UNIT
    if gpus == 0 or (gpus > 1 and gpus % 1 == 0):  # infinity % 1 is not a number
        return gpus
    raise UserError(
        f"{gpus:g} GPUs cannot be assigned: --gpus-per-trial and --gpus-per-evaluation take a whole number, or a fraction of one from "
        f"{1 / UNIT} on"
    )


def resources_per_trial(concurrent: int, gpus: float | None, cluster: Resources) -> dict[str, float]:
    """Return one CPU and the GPUs of each of so many trials at once.

    gpus: a fraction or a number; a fraction lets trials share a device, and Ray fills one device before the next.
    None shares all GPUs of the cluster evenly, so that trials spread over them; without GPUs a trial gets none. Raises
    UserError for a share that Ray can't count.
    """
    if gpus is None:
        # a share is of one device: as many trials on each as the fullest must hold
        gpus = max(1 / UNIT, 1 / ceil(concurrent / cluster.gpus)) if cluster.gpus else 0.0
    share = share_of_gpus(gpus)
    return {"cpu": 1.0} | ({"gpu": share} if share else {})


def slots(gpus: float | None, cluster: Resources) -> int:
    """Return how many trials of one CPU, and of so many GPUs where they are given, fit on the cluster at once.

    Raises UserError when none fits, and for a share that Ray can't count.
    """
    share = share_of_gpus(gpus or 0.0)
    if not share:
        return max(1, int(cluster.cpus))
    # a fraction is of one device, several are of one node: what is left of others can't be joined
    fitting = sum(
        int(gpus) * int(1 / share + 1e-9) if share <= 1 else int(gpus / share) for gpus in cluster.gpus_by_node
    )
    if not fitting:
        most = max(cluster.gpus_by_node, default=0)
        raise UserError(f"there are {most:g} GPUs on a node, too few for one trial: lower --gpus-per-trial")
    return max(1, min(int(cluster.cpus), fitting))


def trials_at_once(concurrent: int | None, gpus: float | None, cluster: Resources) -> int:
    """Return how many trials run at once: `concurrent`, at most as many as fit on the cluster, which is the default.

    More than it has CPUs are accepted as they are: a cluster that starts nodes on demand is small at first. Raises UserError
    when none fits, and for a share that Ray can't count.
    """
    if concurrent and concurrent > cluster.cpus:
        share_of_gpus(gpus or 0.0)
        return concurrent
    fitting = slots(gpus, cluster)
    return min(concurrent or fitting, fitting)
