"""`nadlab mlflow`: on loopback, sixteen writers at once, closed to foreign hosts."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient
from mlflow.entities import Metric

from nadlab.errors import UserError
from nadlab.tracking_server import serve

WRITERS = 16


@contextmanager
def server(folder: Path, *arguments: str) -> Iterator[str]:
    """Run `nadlab mlflow` on a free port until it is no longer needed; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-c", "from nadlab.cli import main; main()", "mlflow", "--folder", str(folder)]
    process = subprocess.Popen(
        [*command, "--port", str(port), *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        deadline = time.monotonic() + 120
        while not healthy(address):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=30)


def healthy(address: str) -> bool:
    try:
        return requests.get(f"{address}/health", timeout=5).ok
    except requests.ConnectionError:
        return False


def test_sixteen_writers_at_once_lose_nothing_and_foreign_hosts_are_refused(tmp_path: Path) -> None:
    with server(tmp_path) as address:
        client = MlflowClient(tracking_uri=address)
        experiment = client.create_experiment("writers")

        def write(number: int) -> str:
            own = MlflowClient(tracking_uri=address)
            run = own.create_run(experiment, tags={"writer": str(number)}).info.run_id
            own.log_batch(run, [Metric("value", step, 0, step) for step in range(20)])
            own.log_text(run, str(number), "number.txt")
            own.set_terminated(run)
            return str(run)

        with ThreadPoolExecutor(WRITERS) as writers:
            runs = list(writers.map(write, range(WRITERS)))
        found = {run.info.run_id: run for run in client.search_runs([experiment])}
        assert found.keys() == set(runs)
        assert all(run.info.status == "FINISHED" and run.data.metrics["value"] == 19 for run in found.values())
        refused = requests.get(
            f"{address}/api/2.0/mlflow/experiments/get", headers={"Host": "evil.example"}, timeout=30
        )
        assert refused.status_code == 403


def test_folder_that_cannot_be_written_is_one_sentence() -> None:
    with pytest.raises(UserError, match="--folder"):
        serve(Path("/proc/mlflow"), 5000, None, None, 1)
