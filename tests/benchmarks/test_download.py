"""Downloads from a server on loopback: cut, wrong, refused, on a full disk, by two processes at once."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from nadlab.benchmarks.download import ATTEMPTS, download
from nadlab.errors import UserError

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What the server does, and the ranges that it was asked for."""

    url: str = ""
    cut_at: list[int] = field(default_factory=list)
    """bytes after which each of the next answers breaks off"""
    ranges: bool = True
    status: int = 200
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            state.asked.append(wanted)
            if state.status != 200:
                self.send_error(state.status)
                return
            match = re.fullmatch(r"bytes=(\d+)-", wanted) if state.ranges else None
            start = int(match[1]) if match else 0
            if start >= len(CONTENT):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
                self.end_headers()
                return
            self.send_response(206 if match else 200)
            if match:
                self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
            self.send_header("Content-Length", str(len(CONTENT) - start))
            self.end_headers()
            self.wfile.write(CONTENT[start : start + (state.cut_at.pop(0) if state.cut_at else len(CONTENT))])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Keep the test's output quiet."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    state.url = f"http://127.0.0.1:{running.server_port}/file"
    yield state
    running.shutdown()
    thread.join()
    running.server_close()


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_a_file_is_downloaded_once(server: Server, tmp_path: Path) -> None:
    path = download(server.url, tmp_path / "file", SHA256)
    assert download(server.url, path, SHA256).read_bytes() == CONTENT
    assert server.asked == [""]
    assert left(tmp_path) == ["file"]


@pytest.mark.parametrize("checksum", [SHA256, None])
def test_a_cut_connection_goes_on_where_it_broke(server: Server, tmp_path: Path, checksum: str | None) -> None:
    server.cut_at = [1_000_000, 500_000]
    assert download(server.url, tmp_path / "file", checksum, pause=0.0).read_bytes() == CONTENT
    kept = [int(asked[len("bytes=") : -1]) for asked in server.asked[1:]]
    assert 0 <= 1_000_000 - kept[0] < 65_536
    assert 0 <= kept[0] + 500_000 - kept[1] < 65_536


def test_a_server_without_ranges_is_asked_from_the_start(server: Server, tmp_path: Path) -> None:
    server.cut_at, server.ranges = [1_000_000], False
    assert download(server.url, tmp_path / "file", SHA256, pause=0.0).read_bytes() == CONTENT


def test_a_part_of_an_earlier_run_is_completed(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".file.part").write_bytes(CONTENT[:2_500_000])
    assert download(server.url, tmp_path / "file", SHA256).read_bytes() == CONTENT
    assert server.asked == ["bytes=2500000-"]


def test_a_whole_part_needs_no_byte_more(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".file.part").write_bytes(CONTENT)
    assert download(server.url, tmp_path / "file", SHA256).read_bytes() == CONTENT


def test_a_part_of_another_file_is_dropped_when_no_checksum_can_tell(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".file.part").write_bytes(b"other")
    assert download(server.url, tmp_path / "file").read_bytes() == CONTENT


def test_a_connection_that_stays_broken_ends_in_one_sentence(server: Server, tmp_path: Path) -> None:
    server.cut_at = [0] * 2 * ATTEMPTS
    with pytest.raises(UserError, match="run the same command again"):
        download(server.url, tmp_path / "file", SHA256, pause=0.0)
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("status", [202, 403, 404])
def test_a_refusal_is_reported_at_once(server: Server, tmp_path: Path, status: int) -> None:
    server.status = status
    with pytest.raises(UserError, match=f"the server answers {status}"):
        download(server.url, tmp_path / "file", SHA256)
    assert left(tmp_path) == []


def test_a_wrong_checksum_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"SHA-256 is {SHA256}, not the published {'0' * 64}"):
        download(server.url, tmp_path / "file", "0" * 64)
    assert left(tmp_path) == []


def test_a_full_disk_leaves_nothing(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".file.part").symlink_to("/dev/full")
    with pytest.raises(UserError, match="No space left on device"):
        download(server.url, tmp_path / "file", SHA256)
    assert left(tmp_path) == []


def test_two_processes_at_once_download_one_file(server: Server, tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from nadlab.benchmarks.download import download; "
    code += "download(sys.argv[1], Path(sys.argv[2]), sys.argv[3])"
    command = [sys.executable, "-c", code, server.url, str(tmp_path / "file"), SHA256]
    both = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert server.asked == [""]
    assert (tmp_path / "file").read_bytes() == CONTENT
