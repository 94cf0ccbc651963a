"""What is sent to a cluster: folders of code, found on nodes that lack the project."""

import gc
import os
import subprocess
import sys
import textwrap
import time
import weakref
from pathlib import Path

import psutil
import pytest

from nadlab.cluster.connection import check_address, leave, runtime_env
from nadlab.cluster.resources import Resources, cluster_resources, resources_per_trial, slots, trials_at_once
from nadlab.errors import UserError
from trainables.biarch2perf import BiArch2PerfTrainable

pytestmark = pytest.mark.services

ROOT = Path(__file__).parents[2]


def test_code_is_sent_as_folders_of_nadlab_and_of_the_trainables_package() -> None:
    sent = runtime_env(BiArch2PerfTrainable)
    assert sent["py_modules"] == [str(ROOT / "platform" / "nadlab"), str(ROOT / "trainables")]
    assert "working_dir" not in sent


def test_folders_of_tables_and_archives_are_told_to_the_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NADLAB_DATA", "/data")
    monkeypatch.setenv("NADLAB_CACHE", "/archives")
    assert runtime_env(BiArch2PerfTrainable)["env_vars"] == {"NADLAB_DATA": "/data", "NADLAB_CACHE": "/archives"}
    monkeypatch.delenv("NADLAB_DATA")
    monkeypatch.delenv("NADLAB_CACHE")
    assert runtime_env(BiArch2PerfTrainable)["env_vars"] == {}


@pytest.mark.usefixtures("two_cpus")
def test_trial_takes_one_cpu_and_no_gpu_where_there_is_none() -> None:
    assert slots(None, cluster_resources()) == 2
    assert resources_per_trial(2, None, cluster_resources()) == {"cpu": 1.0}


def test_cluster_that_is_small_at_first_is_asked_for_as_many_trials_as_were_named() -> None:
    head = Resources(cpus=0, gpus_by_node=())
    assert trials_at_once(32, 0.25, head) == 32
    assert resources_per_trial(32, 0.25, head) == {"cpu": 1.0, "gpu": 0.25}
    with pytest.raises(UserError, match="too few for one trial"):
        trials_at_once(None, 0.25, head)


def test_named_trials_are_at_most_what_the_devices_hold() -> None:
    cluster = Resources(cpus=16, gpus_by_node=(2,))
    assert trials_at_once(12, 0.25, cluster) == 8
    assert trials_at_once(3, 0.25, cluster) == 3
    assert trials_at_once(None, None, cluster) == 16


def test_gpus_of_one_trial_are_of_one_node() -> None:
    cluster = Resources(cpus=16, gpus_by_node=(2, 3))
    assert trials_at_once(None, 2, cluster) == 2
    assert trials_at_once(None, 0.5, cluster) == 10
    with pytest.raises(UserError, match="3 GPUs on a node, too few for one trial"):
        trials_at_once(None, 4, cluster)


@pytest.mark.parametrize("address", ["127.0.0.1:9", "nowhere", "ray://127.0.0.1:9"])
def test_cluster_that_does_not_answer_is_one_sentence(address: str) -> None:
    with pytest.raises(UserError, match="check --address"):
        check_address(address)


def test_cluster_of_this_process_is_never_one_that_ray_would_find_by_itself() -> None:
    code = """
        from nadlab.cluster.connection import connected
        from trainables.biarch2perf import BiArch2PerfTrainable
        import ray
        with connected(None, 1, BiArch2PerfTrainable):
            assert ray.cluster_resources()["CPU"] == 1
    """
    environment = os.environ | {"RAY_ADDRESS": "127.0.0.1:9", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=environment, check=True, timeout=200)


def test_no_garbage_is_collected_while_ray_shuts_down(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cycle:
        """Garbage that only a collection finds, as a future with a reference into Ray's store."""

        def __init__(self) -> None:
            self.itself = self

    found: list[tuple[bool, bool]] = []
    gone = weakref.ref(Cycle())
    monkeypatch.setattr("ray.shutdown", lambda: found.append((gone() is None, gc.isenabled())))
    leave()
    assert found == [(True, False)]
    assert gc.isenabled()


def test_worker_ends_with_the_connection_even_where_its_raylet_could_not_end_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "raylet").symlink_to("/bin/sh")
    raylet = psutil.Popen([tmp_path / "raylet", "-c", "sleep 50 & wait"])
    while not (workers := raylet.children()):
        time.sleep(0.01)
    monkeypatch.setattr("ray.shutdown", raylet.kill)
    leave()
    raylet.wait()
    assert psutil.wait_procs(workers, timeout=2)[1] == []
