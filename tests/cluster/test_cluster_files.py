"""The cluster files: what Ray's launcher accepts, with the token on and nothing open but to the tunnel."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import ValidationError
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[2]
FILES = ("cluster.yaml", "cluster.local.yaml")


@pytest.fixture(params=FILES)
def cluster(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / request.param).read_text())
    return found


def test_file_is_valid_by_rays_schema(cluster: dict[str, Any]) -> None:
    prepared = prepare_config(cluster)  # the two steps of `ray up` before it asks the provider for anything
    validate_config(prepared)
    with pytest.raises(ValidationError, match="setup_comands"):
        validate_config(prepared | {"setup_comands": []})


def test_every_ray_start_asks_for_the_token_and_only_workers_are_told_an_address(cluster: dict[str, Any]) -> None:
    starts = {
        role: [c for c in cluster[f"{role}_start_ray_commands"] if "ray start" in c] for role in ("head", "worker")
    }
    for (command,) in starts.values():
        before, _, after = command.partition("ray start")
        assert {"RAY_AUTH_MODE=token", "RAY_AUTH_TOKEN_PATH=~/.nadlab/ray-token"} <= set(re.split(r"[\s;]+", before))
        assert ("--head" in after) != ("--address" in after)
    assert "--dashboard-host=127.0.0.1" in starts["head"][0]


def test_ray_is_pinned_to_the_version_of_this_project(cluster: dict[str, Any]) -> None:
    (install,) = [command for command in cluster["setup_commands"] if "pip install" in command]
    assert {"--constraint", "~/nadlab/constraints.txt", "~/nadlab[cluster]"} <= set(install.split())
    assert f"ray=={version('ray')}" in (ROOT / "constraints.txt").read_text().splitlines()


def test_workers_of_the_cloud_are_spot_and_leave_when_idle() -> None:
    cluster = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    worker = cluster["available_node_types"]["gpu_worker"]
    assert worker["node_config"]["InstanceMarketOptions"]["MarketType"] == "spot"
    assert worker["min_workers"] == 0
    assert cluster["idle_timeout_minutes"] > 0


def test_loopback_cluster_is_the_local_file_but_for_hosts_and_packages() -> None:
    made = subprocess.run(
        [sys.executable, "tests/loopback/config.py", "10.0.0.1", "10.0.0.2"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    derived, local = yaml.safe_load(made), yaml.safe_load((ROOT / "cluster.local.yaml").read_text())
    validate_config(prepare_config(derived))
    assert derived["provider"] == {"type": "local", "head_ip": "10.0.0.1", "worker_ips": ["10.0.0.2"]}
    for name in ("head_start_ray_commands", "worker_start_ray_commands"):
        assert [c.replace(" --num-cpus=1", "") for c in derived[name]] == local[name]
