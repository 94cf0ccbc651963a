"""The folder of fetched benchmarks, where it cannot be used, and requests that never leave this machine."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import requests

from nadlab.benchmarks.download import download
from nadlab.cache import cache_folder, made_once
from nadlab.errors import UserError
from nadlab.network import exempt_loopback

NOBODY = 65_534
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NADLAB_CACHE", "~no-such-user/benchmarks")
    with pytest.raises(UserError, match=r"there is no home folder .*: set \$NADLAB_CACHE"):
        cache_folder()


@pytest.mark.parametrize("inside", ["file/x.db", "file/deep/x.db", "x" * 300])
def test_a_folder_that_cannot_be_written_is_one_sentence(inside: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written .*set \$NADLAB_CACHE"):
        made_once(tmp_path / inside, lambda partial: partial.write_text("made"))


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root writes everywhere")
def test_a_user_whose_home_is_closed_searches_and_is_told_what_to_set(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / ".cache").mkdir()
    as_user: tuple[str, ...] = ()
    if os.geteuid() == 0:
        as_user = ("setpriv", "--bounding-set", "-all")
        os.chown(closed, NOBODY, NOBODY)
    closed.chmod(0)
    environment = {key: value for key, value in os.environ.items() if key not in ("NADLAB_CACHE", "NADLAB_DATA")}
    environment |= {"HOME": str(closed), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

    def run(code: str, *arguments: str) -> tuple[int, str, str]:
        command = [*as_user, sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        return done.returncode, done.stdout, done.stderr

    main = "from nadlab.cli.main import main; main()"
    status, out, _ = run(
        main,
        "search",
        *["--method", "random-search", "--queries", "20", "--seeds", "1", "--json", "--out", str(tmp_path / "out")],
    )
    assert (status, json.loads(out)["benchmark"]) == (0, "mnist1d-201")
    status, out, _ = run(main, "benchmarks")
    assert status == 0
    assert out.splitlines()[-1].startswith("left out: ")
    assert "set $NADLAB_CACHE" in out.splitlines()[-1]
    source = Path(__file__).parent / "benchmarks" / "files" / "nasbench301-ensemble.zip"
    for arguments in (["convert", str(source)], ["show", "nasbench301"], ["verify"]):
        status, _, error = run(main, "benchmarks", *arguments)
        (line,) = error.splitlines()
        assert status == 2
        assert "Permission denied" in line
        assert "set $NADLAB_CACHE" in line
    made = "from nadlab.cache import *; made_once(cache_folder() / 'x', Path.touch)"
    assert "set $NADLAB_CACHE" in run(made)[2].splitlines()[-1]
    closed.chmod(0o700)


@pytest.fixture
def server() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"here")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Keep the test's output quiet."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    yield f"127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that answers nothing, for every request."""
    for variable in PROXIES:
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(variable, "example.org")


@pytest.mark.usefixtures("proxies")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_never_sent_through_a_proxy(server: str, host: str, tmp_path: Path) -> None:
    url = f"http://{server.replace('127.0.0.1', host)}/file"
    with pytest.raises(requests.exceptions.ProxyError):
        requests.get(url, timeout=5)
    assert download(url, tmp_path / "file").read_bytes() == b"here"


@pytest.mark.usefixtures("proxies")
def test_what_the_user_exempts_stays_exempt_and_other_hosts_keep_their_proxy() -> None:
    exempt_loopback()
    once = os.environ["no_proxy"]
    exempt_loopback()
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == once
    assert once.split(",")[0] == "example.org"
    proxied = {host: bool(requests.utils.get_environ_proxies(f"http://{host}:5000/")) for host in ("example.org", "example.com", "127.0.0.1", "127.8.9.1", "localhost", "[::1]")}  # fmt: skip
    assert [host for host, through in proxied.items() if through] == ["example.com"]


def test_a_user_who_exempts_every_host_still_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    exempt_loopback()
    assert os.environ["no_proxy"] == "*"
