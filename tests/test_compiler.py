"""C++ that is compiled on the machine that runs it."""

import logging
from pathlib import Path

import pytest

from nadlab.compiler import OFF, compiler, library

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler here")

ANSWER = 'extern "C" int answer() { return ANSWER; }\n'


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of two files, and an empty cache."""
    monkeypatch.setenv("NADLAB_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "package" / "cpp"
    folder.mkdir(parents=True)
    (folder / "answer.hpp").write_text("#define ANSWER 42\n")
    (folder / "library.cpp").write_text('#include "answer.hpp"\n' + ANSWER)
    return folder / "library.cpp"


def answer(source: Path) -> int:
    library.cache_clear()
    loaded = library(source)
    assert loaded
    return int(loaded.answer())


def built(tmp_path: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in (tmp_path / "cache" / "compiled").glob("*.so")}


def test_source_is_compiled_once_and_again_when_a_file_beside_it_changes(source: Path, tmp_path: Path) -> None:
    assert answer(source) == 42
    first = built(tmp_path)
    assert len(first) == 1
    assert answer(source) == 42
    assert built(tmp_path) == first
    source.with_name("answer.hpp").write_text("#define ANSWER 43\n")
    assert answer(source) == 43
    assert len(built(tmp_path)) == 2


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CXX", "/nowhere/c++", "no C++ compiler here"),
        ("NADLAB_CACHE", "/dev/null/cache", "library.cpp cannot be compiled (/dev/null/cache"),
    ],
)
def test_where_nothing_can_be_compiled_one_warning_says_why(
    variable: str,
    value: str,
    said: str,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    library.cache_clear()
    monkeypatch.setenv(variable, value)
    with caplog.at_level(logging.WARNING):
        assert library(source) is None
        assert library(source) is None
    assert len(caplog.messages) == 1
    assert said in caplog.messages[0]


def test_what_a_compiler_refuses_is_said_with_its_first_words(source: Path, caplog: pytest.LogCaptureFixture) -> None:
    source.write_text("no C++")
    library.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert library(source) is None
    assert "error" in caplog.messages[0]
    assert not list(source.parents[2].glob("cache/compiled/*.so"))


def test_a_variable_of_the_environment_turns_compiling_off(
    source: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(OFF, "0")
    library.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert library(source) is None
    assert not caplog.messages


@pytest.fixture(autouse=True)
def _forget() -> None:
    """Let other tests load the kernel anew."""
    library.cache_clear()
