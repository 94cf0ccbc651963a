"""A benchmark is found by its name; what lies beside it is left alone, and listed with a reason."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from nadlab.benchmarks import container, registry, table
from nadlab.benchmarks.files import check_file
from nadlab.benchmarks.oracle import optimum_of
from nadlab.benchmarks.registry import benchmark, listing
from nadlab.cli.command_line import run_command
from nadlab.cli.main import nadlab
from nadlab.errors import UserError
from tests.conftest import toy_101_table, toy_table


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """$NADLAB_DATA with one good table, and an empty cache folder."""
    for variable, name in (("NADLAB_DATA", "data"), ("NADLAB_CACHE", "cache")):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / name))
    (tmp_path / "data" / "good.csv").write_text(toy_table())
    monkeypatch.setattr(registry, "packaged", lambda _: {})  # installed packages are listed whatever the folder holds
    benchmark.cache_clear()
    return tmp_path / "data"


@pytest.fixture
def cache(tables: Path) -> Path:
    return tables.parent / "cache"


def text(content: str | bytes) -> Callable[[Path], object]:
    data = content.encode() if isinstance(content, str) else content
    return lambda path: path.write_bytes(data)


def terabyte(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


ROW = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
STRAYS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "a folder": ("old.csv", Path.mkdir, "is a folder, not a file"),
    "a dangling link": ("x.csv", lambda path: path.symlink_to("/nonexistent"), "is a link to nothing"),
    "a circle of links": ("x.csv", lambda path: path.symlink_to(path.name), "cannot be read .Too many levels"),
    "a device": ("x.csv", lambda path: path.symlink_to("/dev/zero"), "is a device or pipe"),
    "a pipe": ("x.csv", lambda path: os.mkfifo(path), "is a device or pipe"),
    "an empty file": ("x.csv", text(""), "is not a table: No columns"),
    "comments alone": ("x.csv", text("# nothing\n"), "is not a table"),
    "a header alone": ("x.csv", text("arch_str,x_valid_12\n"), "it has no rows"),
    "zeros": ("x.csv", text(bytes(3_000_000)), "is not a table"),
    "a huge file": ("x.csv", terabyte, "has 1,099,511,627,776 bytes"),
    "one endless line": ("x.csv", text("a" * 3_000_000), "is not a table"),
    "another encoding": ("x.csv", text("arch_str,é_valid_12\n".encode("latin-1")), "is not a table: 'utf-8' codec"),
    "UTF-16": ("x.csv", text("arch_str,x_valid_12\n".encode("utf-16")), "is not a table: 'utf-8' codec"),
    "bytes of zero in its header": ("x.csv", text("a\0b,c\n"), "has no columns of a benchmark"),
    "other columns": ("prices.csv", text("day,price\n1,2\n"), "has no columns of a benchmark: .*; it has day, price"),
    "architectures alone": ("x.csv", text(f"arch_str\n{ROW}\n"), "has no accuracies"),
    "a column twice": ("x.csv", text("arch_str,x_valid_12,x_valid_12\n"), "has the column x_valid_12 twice"),
    "semicolons": ("x.csv", text(f"arch_str;x_valid_12\n{ROW};9\n"), "separated by ';': write commas"),
    "tabs": ("x.csv", text("arch_str\tx_valid_12\n"), r"separated by '\\t': write commas"),
    "more values than columns": ("x.csv", text(f"arch_str,x_valid_12\n{ROW},9,9\n"), "more values in a row than names"),
    "fractions": ("x.csv", text(f"arch_str,x_valid_12\n{ROW},0.937\n"), "write percent, 93.7 for 0.937"),
    "capitals": ("X.CSV", text("arch_str,x_valid_12\n"), "is not read: a table here is .*in small letters"),
    "a packed table": ("x.csv.gz", text(""), "is not read: a table here is an unpacked file"),
    "another ending": ("x.tsv", text(""), "is not read: a table here is .*with commas"),
    "an archive among the tables": ("x.safetensors", text(""), r"belongs in \$NADLAB_CACHE"),
    "a line break in its name": ("a\nb.csv", text(""), "characters that cannot be printed"),
    "bytes that are no text in its name": (os.fsdecode(b"\xff.csv"), text(""), "characters that cannot be printed"),
}


@pytest.mark.parametrize("name", STRAYS)
def test_a_stray_file_is_listed_with_its_reason_and_no_search_notices_it(
    name: str, tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stray, make, reason = STRAYS[name]
    make(tables / stray)
    assert benchmark("good/toy").queryable_count > 300
    assert benchmark("mnist1d-201").name == "mnist1d-201"
    assert run_command(nadlab, ["benchmarks"]) == 0
    *rows, line = capsys.readouterr().out.splitlines()
    assert line.startswith("left out: ")
    assert re.search(reason, line), line
    assert any("good/toy" in row for row in rows)
    assert run_command(nadlab, ["benchmarks", "--json"]) == 0
    captured = capsys.readouterr()
    names = [json.loads(row)["name"] for row in captured.out.splitlines()]
    installed = ("nas-bench-graph/", "analog-nasbench/")
    ours = [each for each in names if not each.startswith(installed)]
    assert ours == ["mnist1d-101", "mnist1d-201", "mnist1d-darts", "good/toy"]
    assert sum(line.startswith("left out: ") for line in captured.err.splitlines()) == 1


@pytest.mark.parametrize("name", ["._good.csv", ".x.csv", ".hidden.safetensors", "README.md", "notes.txt", "csv"])
def test_hidden_and_other_files_are_no_tables(name: str, tables: Path, cache: Path) -> None:
    for folder in (tables, cache):
        (folder / name).write_bytes(b"\xff\x00")
    assert not listing().left_out
    with pytest.raises(UserError, match="unknown benchmark"):
        benchmark(Path(name).stem)


@pytest.mark.parametrize("data", [b"junk\n", b"", bytes(100), b"\xff" * 100])
def test_a_foreign_archive_is_one_line(data: bytes, cache: Path) -> None:
    (cache / "foreign.safetensors").write_bytes(data)
    (cache / "folder.safetensors").mkdir()
    assert benchmark("mnist1d-201").queryable_count == 15_625
    assert [path.name for path in listing().left_out] == ["folder.safetensors", "foreign.safetensors"]
    with pytest.raises(UserError, match=r"foreign\.safetensors is not a benchmark archive .*move it away"):
        benchmark("foreign")


def test_only_the_file_that_is_named_is_opened(tables: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tables / "other.csv").write_text(toy_table())
    (cache / "other.safetensors").write_bytes(b"junk")
    opened: list[str] = []

    def noted(path: Path, limit: int | None = None) -> int:
        opened.append(path.name)
        return check_file(path, limit)

    for module in (table, container):
        monkeypatch.setattr(module, "check_file", noted)
    benchmark("good/toy")
    assert set(opened) == {"good.csv"}


def test_a_table_in_the_dress_of_a_spreadsheet_is_read(tables: Path) -> None:
    plain = benchmark("good/toy")
    (tables / "dressed.csv").write_bytes(b"\xef\xbb\xbf" + toy_table().replace("\n", "\r\n").encode())
    dressed = benchmark("dressed/toy")
    assert (dressed.space.keys(dressed.pool()) == plain.space.keys(plain.pool())).all()
    assert optimum_of(dressed) == optimum_of(plain)


def test_a_name_with_spaces_and_brackets_is_a_name(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tables / "my [red] table.csv").write_text(toy_table())
    assert (optimum_of(benchmark("my [red] table/toy")) or 0) > 0
    assert run_command(nadlab, ["benchmarks"]) == 0
    assert "my [red] table/toy" in capsys.readouterr().out


def test_two_files_of_one_name_are_both_refused(tables: Path) -> None:
    for name in ("graphs.csv", "graphs_sample.csv"):
        (tables / name).write_text(toy_101_table())
    with pytest.raises(UserError, match=r"graphs_sample\.csv and graphs\.csv both hold the benchmark graphs: move one"):
        benchmark("graphs")
    known = listing()
    assert "graphs" not in known.found
    assert "both hold" in known.left_out[tables / "graphs_sample.csv"]


def test_a_broken_file_of_that_name_is_named_and_no_other_answers_for_it(cache: Path) -> None:
    (cache / "good.safetensors").write_bytes(b"junk")
    with pytest.raises(UserError, match=r"cache/good\.safetensors is not a benchmark archive"):
        benchmark("good/toy")


@pytest.mark.parametrize("stray", ["wanted.csv.gz", "Wanted.CSV"])
def test_a_name_whose_file_cannot_be_read_says_why(stray: str, tables: Path) -> None:
    (tables / stray).touch()
    with pytest.raises(UserError, match=f"unknown benchmark 'wanted/x'.*{stray} is not read"):
        benchmark("wanted/x")


@pytest.mark.parametrize("name", ["", ".", "..", "../good/toy", "/etc/passwd", "x" * 300, "good", "good/other", "a\0b"])
@pytest.mark.usefixtures("tables")
def test_a_name_that_is_none_is_one_sentence(name: str) -> None:
    with pytest.raises(UserError, match="unknown benchmark"):
        benchmark(name)


def test_a_cache_folder_that_is_a_file_is_one_line(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NADLAB_CACHE", str(tables / "good.csv"))
    assert benchmark("mnist1d-201").queryable_count == 15_625
    assert "cannot be listed (Not a directory)" in listing().left_out[tables / "good.csv"]
    assert (optimum_of(registry.benchmark("good/toy")) or 0) > 0


def test_a_damaged_archive_is_not_ready_when_it_is_fetched_again(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (cache / "nasbench101.safetensors").write_bytes(b"junk")
    assert run_command(nadlab, ["benchmarks", "fetch", "nasbench101"]) == 2
    assert "nasbench101.safetensors is not a benchmark archive" in capsys.readouterr().err


def test_verify_names_every_damaged_archive_and_checks_the_others(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "c"):
        (cache / f"{name}.safetensors").write_bytes(b"junk")
    shutil.copy(registry.EMBEDDED / "mnist1d-201.safetensors", cache / "b.safetensors")
    (cache / "._b.safetensors").write_bytes(b"junk")
    assert run_command(nadlab, ["benchmarks", "verify"]) == 2
    captured = capsys.readouterr()
    assert captured.out.startswith("b: intact")
    assert [Path(line.split()[1]).name for line in captured.err.splitlines()] == ["a.safetensors", "c.safetensors"]
    assert run_command(nadlab, ["benchmarks", "show", "b"]) == 0


@pytest.mark.parametrize("facts", ["[]", "1", '"text"', "[" * 100_000])
def test_an_archive_whose_header_lies_is_one_sentence(
    facts: str, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata = {"format": "nadlab-archive-1", "digest": "0", "facts": facts}
    save_file({"keys": np.arange(2)}, cache / "x.safetensors", metadata)
    for arguments in (["show", "x"], ["verify", "x"]):
        assert run_command(nadlab, ["benchmarks", *arguments]) == 2
        assert "x.safetensors is not a benchmark archive" in capsys.readouterr().err
    assert len(listing().left_out) == 1
