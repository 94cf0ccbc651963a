"""The folder of fetched benchmarks, where it cannot be used, and requests that never leave this machine."""

import os
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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_user_whose_home_is_closed_searches_and_is_told_what_to_set(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    code = (
        "import os, sys; from nadlab.cli.main import main; from pathlib import Path; from nadlab.cache import made_once, cache_folder; "
        "from nadlab.cli.command_line import run_command; from nadlab.cli.main import nadlab; "
        f"os.setgid({NOBODY}); os.setuid({NOBODY}); "
        "print(run_command(nadlab, ['search', '--method', 'random-search', '--queries', '20', '--seeds', '1', '--json'])); "
        "print(run_command(nadlab, ['benchmarks', 'convert', sys.argv[1]]))\n"
        "try: made_once(cache_folder() / 'x', Path.touch)\n"
        "except ValueError as error: print(error, file=sys.stderr)"
    )
    environment = {key: value for key, value in os.environ.items() if key not in ("NADLAB_CACHE", "NADLAB_DATA")}
    environment |= {"HOME": str(closed), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    source = Path(__file__).parent / "benchmarks" / "files" / "nasbench301-ensemble.zip"
    done = subprocess.run(
        [sys.executable, "-c", code, str(source)], capture_output=True, text=True, check=False, env=environment
    )
    found, *statuses = done.stdout.splitlines()
    assert '"best_valid"' in found
    assert statuses == ["0", "2"]
    for line in done.stderr.splitlines():
        assert "(Permission denied): make room there or set $NADLAB_CACHE" in line
    assert len(done.stderr.splitlines()) == 2


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
