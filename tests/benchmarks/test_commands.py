"""`nadlab benchmarks fetch | convert | verify | show`, as a user types them."""

import json
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import numpy as np
import pytest

from nadlab.benchmarks import download
from nadlab.benchmarks.convert import convert
from nadlab.benchmarks.download import CATALOG, OfficialFile
from nadlab.benchmarks.registry import archives
from nadlab.cli.benchmarks import COMMANDS
from nadlab.cli.command_line import run_command
from nadlab.cli.main import nadlab
from nadlab.spaces import space
from perf.benchmarks.nasbench101_file import nasbench101_records, write_records


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NADLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("official") / "nasbench_only108.tfrecord"
    cells = space("nasbench101").sample(20, np.random.default_rng(0))
    _, first = np.unique(space("nasbench101").keys(cells), return_index=True)
    write_records(path, nasbench101_records(cells[first]))
    return path


def run(*arguments: str) -> int:
    return run_command(click.Group("benchmarks", commands=list(COMMANDS)), list(arguments))


def test_convert_verify_and_show(cache: Path, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("convert", str(source)) == 0
    assert run("verify") == 0
    assert "nasbench101: intact, digest" in capsys.readouterr().out
    assert run("show", "nasbench101") == 0
    assert "nasbench_only108.tfrecord" in capsys.readouterr().out
    assert run("show", "nasbench101", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["arrays"]["cifar10/108/test/accuracy"] == [20, 3, 2]
    assert len(facts["provenance"]["source_sha256"]) == 64
    assert list(archives(cache / "nasbench101.safetensors")) == ["nasbench101"]


def test_an_archive_takes_the_name_that_it_is_given(cache: Path, source: Path) -> None:
    assert run("convert", str(source), "--name", "mine") == 0
    assert [path.name for path in cache.glob("*.safetensors")] == ["mine.safetensors"]


def test_fetch_downloads_converts_and_tidies_up(cache: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(source.parent)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert served.stdout is not None
    with served:
        port = served.stdout.readline().split(" port ")[1].split()[0]
        entry = OfficialFile("nasbench101", source.name, f"http://127.0.0.1:{port}/{source.name}", "")
        monkeypatch.setitem(download.CATALOG, "nasbench101", entry)
        with ThreadPoolExecutor(2) as both:
            assert list(both.map(run, ("fetch",) * 2, ("nasbench101",) * 2)) == [0, 0]
        assert run("fetch", "nasbench101") == 0
        served.terminate()
    assert [path.name for path in cache.glob("*.safetensors")] == ["nasbench101.safetensors"]
    assert not list((cache / "downloads").glob("nasbench*"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fetch", "nasbench999"], "unknown download 'nasbench999'"),
        (["fetch", "nasbench201"], "nadlab benchmarks convert FILE"),
        (["convert", "absent.tfrecord"], "does not exist"),
        (["convert", __file__], "not an official benchmark file"),
        (["verify"], "no archive at all"),
        (["show", "nasbench101"], "no archive nasbench101"),
    ],
)
def test_bad_input_gets_one_sentence_and_status_2(
    cache: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    assert sentence in capsys.readouterr().err
    assert not list(cache.glob("*.safetensors"))


def test_every_download_that_google_states_a_checksum_for_has_it() -> None:
    assert all(len(CATALOG[name].sha256 or "") == 64 for name in ("nasbench101", "nasbench101-full"))


def test_a_full_disk_keeps_the_old_archive(cache: Path, source: Path) -> None:
    before = convert(source).read_bytes()
    code = "import sys; from pathlib import Path; from nadlab.benchmarks.convert import convert; convert(Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(source)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000)),
    )
    assert "cannot be written" in done.stderr.splitlines()[-1]
    assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == ["nasbench101.safetensors"]
    assert (cache / "nasbench101.safetensors").read_bytes() == before


def test_two_processes_at_once_convert_one_file(cache: Path, source: Path) -> None:
    code = "import sys; from pathlib import Path; from nadlab.benchmarks.convert import convert; convert(Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(source)]
    both = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert run("verify") == 0
    assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == ["nasbench101.safetensors"]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (["search", "--benchmark", "mnist1d201"], "did you mean mnist1d-201?"),
        (["search", "--protocol", "validatio"], "did you mean validation?"),
        (["benchmarks", "fetch", "nas-bench-101"], "did you mean nasbench101?"),
    ],
)
def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(
    asked: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(nadlab, asked) == 2
    assert meant in capsys.readouterr().err
