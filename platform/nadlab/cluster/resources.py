"""CPUs and GPUs of a cluster, and how many trials fit on them at once."""

import os
from dataclasses import dataclass
from math import ceil

import ray

from nadlab.errors import UserError


@dataclass(frozen=True, slots=True)
class Resources:
    """What trials can be placed on."""

    cpus: float
    gpus: float


def machine_resources(concurrent: int | None) -> Resources:
    """Return what a cluster of this process would have."""
    import torch  # late: a driver that joins a cluster does not need it

    return Resources(concurrent or os.cpu_count() or 1, torch.cuda.device_count())


def cluster_resources() -> Resources:
    """Return what the connected cluster has."""
    found = ray.cluster_resources()
    return Resources(found.get("CPU", 1.0), found.get("GPU", 0.0))


def resources_per_trial(concurrent: int, gpus: float | None, cluster: Resources) -> dict[str, float]:
    """Return one CPU and the GPUs of each of so many trials at once.

    gpus: a fraction or a number; a fraction lets trials share a device, and Ray fills one device before the next.
    None shares all GPUs of the cluster evenly, so that trials spread over them; without GPUs a trial gets none.
    """
    share = gpus
    if share is None:
        # a share is of one device: as many trials on each as the fullest must hold
        share = 1 / ceil(concurrent / cluster.gpus) if cluster.gpus else 0.0
    return {"cpu": 1.0} | ({"gpu": int(share * 1000) / 1000} if share else {})


def slots(gpus: float | None, cluster: Resources) -> int:
    """Return how many trials of one CPU, and of so many GPUs where they are given, fit on the cluster at once.

    Raises UserError when none fits.
    """
    if not gpus:
        return max(1, int(cluster.cpus))
    if (gpus > 1 and gpus % 1) or gpus < 0:
        raise UserError(f"a trial can't have {gpus:g} GPUs: --gpus-per-trial is a fraction of one or a whole number")
    # a fraction is of one device: what is left of several can't be joined
    fitting = int(cluster.gpus) * int(1 / gpus + 1e-9) if gpus <= 1 else int(cluster.gpus / gpus)
    if not fitting:
        raise UserError(f"there are {cluster.gpus:g} GPUs, too few for one trial: give less by --gpus-per-trial")
    return max(1, min(int(cluster.cpus), fitting))


def trials_at_once(concurrent: int | None, gpus: float | None, cluster: Resources) -> int:
    """Return how many trials run at once: `concurrent`, at most as many as fit on the cluster, which is the default.

    More than it has CPUs are accepted as they are: a cluster that starts nodes on demand is small at first. Raises UserError
    when none fits.
    """
    if concurrent and concurrent > cluster.cpus:
        return concurrent
    fitting = slots(gpus, cluster)
    return min(concurrent or fitting, fitting)
