"""The only place that starts Ray or joins a cluster."""

import gc
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray

import nadlab
from nadlab.errors import UserError

SENT_VARIABLES = ("NADLAB_DATA",)


@dataclass(frozen=True, slots=True)
class Resources:
    """What trials can be placed on."""

    cpus: float
    gpus: float


def machine_resources(concurrent: int | None) -> Resources:
    """Return what a cluster of this process would have."""
    import torch  # late: whoever only joins a cluster needs none of it

    return Resources(concurrent or os.cpu_count() or 1, torch.cuda.device_count())


def cluster_resources() -> Resources:
    """Return what the connected cluster has."""
    found = ray.cluster_resources()
    return Resources(found.get("CPU", 1.0), found.get("GPU", 0.0))


def runtime_env(trainable: type, modules: Sequence[ModuleType] = ()) -> dict[str, Any]:
    """Return what a node needs to run a trainable: nadlab, the trainable's package and other modules.

    Folders or single files, not wheels: Ray caches a wheel by its file name and would go on running old code.
    """
    packages = {"nadlab": nadlab, (name := trainable.__module__.partition(".")[0]): sys.modules[name]}
    packages |= {module.__name__: module for module in modules}
    return {
        "py_modules": [_source(module) for module in packages.values()],
        "excludes": ["__pycache__"],
        "env_vars": {name: os.environ[name] for name in SENT_VARIABLES if name in os.environ},
    }


def _source(module: ModuleType) -> str:
    assert module.__file__
    return str(Path(module.__file__).parent if hasattr(module, "__path__") else module.__file__)


def check_address(address: str) -> None:
    """Raise UserError within seconds when nothing listens at `host:port` or `ray://host:port`; Ray itself takes minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, ValueError) as error:
        raise UserError(f"no Ray cluster answers at {address!r} ({error}): check --address") from error


@contextmanager
def connected(
    address: str | None, concurrent: int | None, trainable: type, modules: Sequence[ModuleType] = ()
) -> Iterator[None]:
    """Hold a connection to Ray: a cluster of this process, or the one at `address`, to which the code is sent.

    A connection that is already open is used and left open. Raises UserError when no cluster answers.
    """
    if ray.is_initialized():
        yield
        return
    quiet = {"logging_level": "ERROR", "log_to_driver": False}
    if address:
        try:
            ray.init(address=address, runtime_env=runtime_env(trainable, modules), **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"no Ray cluster answers at {address!r} ({reason}): check --address") from error
    else:
        # loopback and no dashboard: nothing outside this process can reach the cluster, and it starts sooner
        # "local": a cluster that somebody else runs on this machine is not joined by chance
        try:
            ray.init(
                address="local",
                num_cpus=concurrent or os.cpu_count(),
                include_dashboard=False,
                _node_ip_address="127.0.0.1",
                object_store_memory=200 * 2**20,
                **quiet,
            )
        except Exception as error:  # Ray has no class for it: a busy machine, a long path, a port
            reason = (str(error).strip() or repr(error)).splitlines()[0]
            raise UserError(f"Ray did not start on this machine: {reason}") from error
    try:
        yield
    finally:
        leave()


def leave() -> None:
    """Leave Ray.

    Without collections of garbage meanwhile: one that another thread starts, such as that of deliveries to MLflow, may
    find a reference into Ray's store, and Ray ends the process that gives one back while it shuts down.
    """
    gc.collect()
    gc.disable()
    try:
        ray.shutdown()
    finally:
        gc.enable()


def check_nodes() -> None:
    """Raise UserError when the connected cluster has lost its last node, for which Ray itself would wait without end."""
    if not any(node["Alive"] for node in ray.nodes()):
        raise UserError("every node of the Ray cluster is gone: start the study again, it goes on from its records")


def resources_per_trial(concurrent: int, gpus: float | None, cluster: Resources) -> dict[str, float]:
    """Return one CPU and the GPUs of each of so many trials at once.

    gpus: a fraction or a number; a fraction lets trials share a device, and Ray fills one device before the next.
    None shares all GPUs of the cluster evenly, so that trials spread over them, and asks for none where it has none.
    """
    share = min(1.0, cluster.gpus / concurrent) if gpus is None else gpus
    return {"cpu": 1.0} | ({"gpu": int(share * 1000) / 1000} if share else {})


def slots(gpus: float | None, cluster: Resources) -> int:
    """Return how many trials of one CPU, and of so many GPUs where they are named, the cluster can hold at once.

    Raises UserError when it can hold none.
    """
    if not gpus:
        return max(1, int(cluster.cpus))
    if (gpus > 1 and gpus % 1) or gpus < 0:
        raise UserError(f"a trial can't have {gpus:g} GPUs: --gpus-per-trial is a fraction of one or a whole number")
    # a fraction is of one device: what is left of several can't be joined
    held = int(cluster.gpus) * int(1 / gpus + 1e-9) if gpus <= 1 else int(cluster.gpus / gpus)
    if not held:
        raise UserError(f"there are {cluster.gpus:g} GPUs, too few for one trial: ask for less with --gpus-per-trial")
    return max(1, min(int(cluster.cpus), held))


def trials_at_once(asked: int | None, gpus: float | None, cluster: Resources) -> int:
    """Return how many trials run at once: those asked for, at most what the cluster can hold, which is the default.

    More than it has CPUs are taken at the user's word: a cluster that starts its nodes by what waits is small at first.
    Raises UserError when it can hold none.
    """
    if asked and asked > cluster.cpus:
        return asked
    held = slots(gpus, cluster)
    return min(asked or held, held)
