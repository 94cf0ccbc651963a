"""The only place that starts Ray or joins a cluster."""

import gc
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray

from nadlab.compiler import OFF
from nadlab.errors import UserError
from nadlab.interrupts import descendants, kill
from nadlab.provenance.reachable import reachable

SENT_VARIABLES = ("NADLAB_DATA", "NADLAB_CACHE", OFF)
"""that decide what a trial computes"""


def runtime_env(trainable: type, plugins: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a node needs to run a trainable: nadlab, the trainable's package, plugins, and what lies beside them.

    plugins: names of loaded modules. Of what they and the trainable import, all that is not installed is sent.

    Folders or single files, not wheels: Ray caches a wheel by its file name and would run old code.
    """
    tops = dict.fromkeys(["nadlab", *(name.partition(".")[0] for name in (trainable.__module__, *plugins))])
    packages = {name: _source(sys.modules[name]) for name in tops}
    for label, file in reachable([trainable.__module__, *plugins], tops).files.items():
        top, *inner = label.split("/")
        packages.setdefault(top.removesuffix(".py"), str(file.parents[len(inner) - 1] if inner else file))
    return {
        "py_modules": list(packages.values()),
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
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except (OSError, ValueError, OverflowError) as error:
        raise UserError(f"no Ray cluster answers at {address!r} ({error}): check --address") from error


@contextmanager
def connected(
    address: str | None, concurrent: int | None, trainable: type, plugins: Sequence[str] = ()
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
            ray.init(address=address, runtime_env=runtime_env(trainable, plugins), **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"no Ray cluster answers at {address!r} ({reason}): check --address") from error
    else:
        # loopback and no dashboard: nothing outside this process can reach the cluster, and it starts sooner
        # "local": never a cluster that another user runs on this machine
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
            advice = ": set $HOME to a folder that you can write" if isinstance(error, PermissionError) else ""
            raise UserError(f"Ray did not start on this machine: {reason}{advice}") from error
    try:
        yield
    finally:
        leave()


def leave() -> None:
    """Leave Ray.

    Without collections of garbage meanwhile: one that another thread starts, such as that of deliveries to MLflow, may
    find a reference into Ray's store, and Ray ends the process that gives one back while it shuts down.
    """
    workers = _workers()
    gc.collect()
    gc.disable()
    try:
        ray.shutdown()
    finally:
        gc.enable()
        kill(workers)  # one that computes may notice only later that its node is gone


def _workers() -> list[int]:
    """Return the processes that compute for the Ray of this process: those below its raylet."""
    return [process for parent in descendants() if _name(parent) == "raylet" for process in descendants(parent)]


def _name(process: int) -> str:
    try:
        return Path(f"/proc/{process}/comm").read_text(encoding="utf-8").strip()
    except OSError:  # it has ended
        return ""


def check_nodes() -> None:
    """Raise UserError when the connected cluster has lost its last node, for which Ray itself would wait without end."""
    if not any(node["Alive"] for node in ray.nodes()):
        raise UserError("every node of the Ray cluster is gone: start the study again, it resumes from its records")
