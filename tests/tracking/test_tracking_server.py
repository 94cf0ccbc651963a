"""`nadlab mlflow`: on loopback or with a password, sixteen writers at once, closed to foreign hosts."""

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient

from nadlab.errors import UserError
from nadlab.tracking.server import Server
from nadlab.tracking.store import DRAFT, check_store
from perf.mlflow_server import Server as ServerProcess
from perf.mlflow_server import served
from tests.postgresql import PASSWORD
from tests.tracking.writers import finished, write_at_once

pytestmark = pytest.mark.services

WRITERS = 16


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose folder holds what a kill left of an earlier one's database."""
    folder = tmp_path_factory.mktemp("server")
    (folder / DRAFT).write_bytes(b"SQLite format 3\0 and no more")
    (folder / f"{DRAFT}-journal").write_bytes(b"of it")
    with served(folder) as process:
        yield process


def test_server_goes_on_from_what_a_kill_left_of_its_database(server: ServerProcess) -> None:
    experiment = MlflowClient(tracking_uri=server.address).get_experiment("0")
    assert experiment.artifact_location == "mlflow-artifacts:/0"
    assert not list(server.folder.glob(f"{DRAFT}*"))


def test_sixteen_writers_at_once_lose_nothing(server: ServerProcess) -> None:
    write_at_once(server.address, "mnist1d-201", WRITERS, 2)
    assert finished(server.address) == 2 * WRITERS


def test_server_without_a_study_says_so_and_what_to_do(tmp_path: Path) -> None:
    said = Server(folder=tmp_path / "misspelt").said({})
    assert f"no study is in {tmp_path / 'misspelt'} yet: give studies --tracking-uri http://127.0.0.1:5000" in said
    assert "no study" not in Server(folder=tmp_path).said({"ablate_alpha": "#/experiments/1"})


def test_foreign_hosts_are_refused(server: ServerProcess) -> None:
    question = f"{server.address}/api/2.0/mlflow/experiments/get"
    assert requests.get(question, headers={"Host": "evil.example"}, timeout=30).status_code == 403


def test_runs_are_kept_in_postgresql_whose_password_no_command_shows(
    postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", postgresql)
    with served(tmp_path) as server:
        write_at_once(server.address, "mnist1d-201", WRITERS, 1)
        assert finished(server.address) == WRITERS
        assert server.process
        processes = [server.process, *server.process.children(recursive=True)]
        assert len(processes) > 1
        assert not any(PASSWORD in word for each in processes for word in each.cmdline())
    assert PASSWORD not in (tmp_path / "log.txt").read_text()
    assert not (tmp_path / "mlflow.db").exists()


def test_with_auth_the_drawn_password_opens_the_server_and_is_in_no_log_or_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD", raising=False)
    folder = tmp_path / "what?now#1 50%20 'é' & \"q\";x+y"
    folder.mkdir()
    with served(folder, "--auth", "--workers", "1") as server:
        address = server.address
        password = (folder / "password").read_text()
        assert {file: (folder / file).stat().st_mode & 0o777 for file in ("password", "session_key", "users.db")} == {
            "password": 0o600, "session_key": 0o600, "users.db": 0o600,
        }  # fmt: skip
        question = f"{address}/api/2.0/mlflow/experiments/search"
        assert requests.post(question, json={"max_results": 1}, timeout=30).status_code == 401
        assert requests.post(question, json={"max_results": 1}, auth=("admin", "a" * 32), timeout=30).status_code == 401
        with pytest.raises(UserError, match=r"user name and password.*MLFLOW_TRACKING_USERNAME"):
            check_store(address)
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)
        check_store(address)
        assert MlflowClient(tracking_uri=address).create_experiment("mine")
        assert "mlflow.workflowType" in requests.get(address, auth=("admin", password), timeout=30).text
        said = (folder / "log.txt").read_text()
    assert password not in said
    assert password not in " ".join(Server(folder=folder, auth=True).command())
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])  # noqa: S104
def test_address_that_others_can_reach_needs_a_password(host: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="add --auth"):
        Server(folder=tmp_path, host=host)
    assert Server(folder=tmp_path, host=host, auth=True).host == host
    assert Server(folder=tmp_path, host="localhost").host == "localhost"


def test_other_database_artifacts_and_hosts_reach_the_server(tmp_path: Path) -> None:
    server = Server(folder=tmp_path, store="postgresql://db/nadlab", artifacts="s3://bucket", allowed_hosts="a.example")
    assert server.environment()["MLFLOW_BACKEND_STORE_URI"] == "postgresql://db/nadlab"
    words = server.command()
    assert words[words.index("--artifacts-destination") + 1] == "s3://bucket"
    assert words[words.index("--allowed-hosts") + 1] == "127.0.0.1:*,localhost:*,a.example:*"


def test_browser_reaches_an_ipv6_address_in_its_brackets(tmp_path: Path) -> None:
    words = Server(folder=tmp_path, host="::1").command()
    patterns = words[words.index("--allowed-hosts") + 1].split(",")
    assert any(fnmatch("[::1]:5000", pattern) for pattern in patterns)


@pytest.mark.parametrize(("given", "words"), [("short", "at least 12"), ("another-password", "is not the password in")])
def test_password_that_cannot_be_taken_is_one_sentence(
    given: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD", raising=False)
    Server(folder=tmp_path, auth=True).environment()
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", given)
    with pytest.raises(UserError, match=words):
        Server(folder=tmp_path, auth=True).environment()


def test_password_that_others_can_read_is_refused(tmp_path: Path) -> None:
    Server(folder=tmp_path, auth=True).environment()
    (tmp_path / "password").chmod(0o644)
    with pytest.raises(UserError, match="can be read by others"):
        Server(folder=tmp_path, auth=True).environment()


def test_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--folder"):
        Server(folder=Path("/proc/mlflow")).serve()
    (tmp_path / DRAFT).mkdir()  # where the database would be made
    mask = os.umask(0o077)
    try:
        with pytest.raises(UserError, match=r"no database can be made in .* --folder"):
            Server(folder=tmp_path).serve()
    finally:
        os.umask(mask)
