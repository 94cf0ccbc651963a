"""Requests to this machine never go through a proxy."""

import os

LOOPBACK = ("localhost", "127.0.0.1", "127.0.0.0/8", "::1")
"""As requests reads them (networks too) and urllib does (names and addresses)."""


def exempt_loopback() -> None:
    """Add loopback to `no_proxy` and `NO_PROXY` of this process and those that it starts; call it before a request.

    A proxy of the environment ($http_proxy, $https_proxy, $all_proxy) knows nothing of this machine's own servers.
    """
    for variable in ("no_proxy", "NO_PROXY"):
        named = [host.strip() for host in os.environ.get(variable, "").split(",") if host.strip()]
        if "*" not in named:  # urllib knows it alone
            os.environ[variable] = ",".join(dict.fromkeys([*named, *LOOPBACK]))
