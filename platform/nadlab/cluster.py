"""The only place that starts Ray or joins a cluster."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray

import nadlab
from nadlab.errors import UserError

SENT_VARIABLES = ("NADLAB_DATA",)


def runtime_env(trainable: type) -> dict[str, Any]:
    """Return what a node needs to run a trainable: the folders of nadlab and of the trainable's package.

    Folders, not wheels: Ray caches a wheel by its file name and would go on running old code.
    """
    packages = {"nadlab": nadlab, (name := trainable.__module__.partition(".")[0]): sys.modules[name]}
    folders = [str(Path(module.__file__).parent) for module in packages.values() if module.__file__]
    return {
        "py_modules": folders,
        "excludes": ["__pycache__"],
        "env_vars": {name: os.environ[name] for name in SENT_VARIABLES if name in os.environ},
    }


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
def connected(address: str | None, concurrent: int | None, trainable: type) -> Iterator[None]:
    """Hold a connection to Ray: a cluster of this process, or the one at `address`, to which the code is sent.

    A connection that is already open is used and left open. Raises UserError when no cluster answers.
    """
    if ray.is_initialized():
        yield
        return
    quiet = {"logging_level": "ERROR", "log_to_driver": False}
    if address:
        try:
            ray.init(address=address, runtime_env=runtime_env(trainable), **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"no Ray cluster answers at {address!r} ({reason}): check --address") from error
    else:
        # loopback and no dashboard: nothing outside this process can reach the cluster, and it starts sooner
        # "local": a cluster that somebody else runs on this machine is not joined by chance
        ray.init(
            address="local",
            num_cpus=concurrent or os.cpu_count(),
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            object_store_memory=200 * 2**20,
            **quiet,
        )
    try:
        yield
    finally:
        ray.shutdown()


def resources_per_trial(concurrent: int) -> dict[str, float]:
    """Return one CPU, and a share of a GPU where the cluster has any, for so many trials at once."""
    gpus = ray.cluster_resources().get("GPU", 0.0)
    share = min(1.0, gpus / concurrent)
    return {"cpu": 1.0} | ({"gpu": int(share * 1000) / 1000} if share else {})


def slots() -> int:
    """Return how many one-CPU trials the cluster can hold at once."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)))
