"""The shape of the repository: small files, small folders, and no name that shadows the standard library's."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
LINES, MODULES = 250, 12


def python_files(*folders: str) -> list[Path]:
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert files
    return files


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("folder", ["platform", "trainables", "studies", "perf"])
def test_no_file_is_longer_than_one_story(folder: str) -> None:
    lengths = {name(path): len(path.read_text().splitlines()) for path in python_files(folder)}
    assert {path: length for path, length in lengths.items() if length > LINES} == {}


@pytest.mark.parametrize("folder", ["platform/nadlab", "perf"])
def test_no_folder_holds_more_modules_than_one_question_needs(folder: str) -> None:
    modules = [path for path in python_files(folder) if path.name != "__init__.py"]
    counts = {name(place): sum(path.parent == place for path in modules) for place in {path.parent for path in modules}}
    assert {place: count for place, count in counts.items() if count > MODULES} == {}


def test_what_runs_as_a_script_shadows_no_module_of_the_standard_library() -> None:
    # a script's folder comes first on sys.path
    places = [place for path in python_files("studies", "trainables", "perf") for place in (path, *path.parents)]
    inside = {place for place in places if place.is_relative_to(ROOT) and place != ROOT}
    assert sorted(name(place) for place in inside if place.stem in sys.stdlib_module_names) == []


def test_platform_folder_is_no_package() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()


def test_standard_library_platform_wins_at_the_root() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import platform; print(platform.system())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip()


def test_package_itself_does_not_import_its_public_api() -> None:
    # the lazy names of `nadlab` are invisible to import-linter: a layer could import one that lies above it
    found = [
        str(path)
        for path in (ROOT / "platform").rglob("*.py")
        if re.search(r"^\s*from nadlab import", path.read_text(), re.MULTILINE)
    ]
    assert found == [str(ROOT / "platform" / "nadlab" / "__init__.py")]  # its docstring


def test_every_text_file_is_opened_as_utf_8() -> None:
    # the locale decides otherwise: a report of Greek letters could not be written in some, nor read in others
    found = []
    for path in python_files("platform", "trainables", "studies", "perf"):
        for call in (
            node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
        ):
            opens = getattr(call.func, "attr", getattr(call.func, "id", "")) in (
                "open",
                "fdopen",
                "read_text",
                "write_text",
            )
            texts = [ast.unparse(each) for each in (*call.args, *(keyword.value for keyword in call.keywords))]
            binary = any(re.search(r"'[rwax+]*b[+]?'", text) for text in texts)
            encoded = any(keyword.arg == "encoding" for keyword in call.keywords)
            if opens and not binary and not encoded and ast.unparse(call.func) != "os.open":
                found.append(f"{name(path)}:{call.lineno}: {ast.unparse(call)[:80]}")
    assert found == []


def test_every_pinned_library_runs_on_the_oldest_python_that_the_project_promises() -> None:
    promised = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    oldest = f"{promised.removeprefix('>=')}.0"
    pythons = {found.name: str(found.metadata.json.get("requires_python", "")) for found in distributions()}
    assert len(pythons) > 100
    assert {library: range_ for library, range_ in pythons.items() if oldest not in SpecifierSet(range_)} == {}
