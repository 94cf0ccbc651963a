"""Methods, benchmarks and tables of one's own: found by name, and one sentence for what is wrong with a name."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from nadlab.benchmarks.registry import benchmark, sources
from nadlab.cli.main import nadlab
from nadlab.cluster.connection import runtime_env
from nadlab.errors import UserError
from nadlab.methods.registry import searcher
from nadlab.plugins import plugin_names
from tests.conftest import TOY, toy_101_table, toy_table
from trainables.searcher import SearcherTrainable

CODE = """
from dataclasses import replace
from nadlab.benchmarks.registry import benchmark

number = 3


class Sized:
    def __init__(self, size):
        self.size = size


def unnamed():
    return object()


class Ones:
    def __call__(self, ledger, rng):
        pool = ledger.oracle.pool()
        while True:
            ledger.query(pool[[int(rng.integers(len(pool)))]])


def toy(name):
    return replace(benchmark("nasbench201/toy"), name=name)


def misnamed(name):
    return replace(benchmark("nasbench201/toy"), name="other")


def nothing(name):
    return object()
"""


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:  # noqa: ARG001 - it makes the tables
    made = tmp_path_factory.mktemp("own")
    (made / "lab_code.py").write_text(CODE)
    return made


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


@pytest.mark.usefixtures("here")
def test_own_method_and_benchmark_run_beside_the_others_and_end_with_the_budget() -> None:
    asked = ["search", "--method", "lab_code:Ones,random-search", "--benchmark", "lab_code:toy", "--queries", "12"]
    done = CliRunner().invoke(nadlab, [*asked, "--seeds", "2", "--concurrent", "1", "--json"], catch_exceptions=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["method"], row["queries"]) for row in rows] == [("lab_code:Ones", 12)] * 2 + [
        ("random-search", 12)
    ] * 2
    assert {row["benchmark"] for row in rows} == {"lab_code:toy"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_such_module:Ones", "there is no module 'no_such_module'"),
        ("lab_code:Twos", "has no 'Twos'"),
        ("lab_code.py:Ones", "there is no module 'lab_code.py', .*: leave out .py"),
        ("lab_code:number", "is of type int: name a function or a class"),
        ("lab_code:toy", "can't be called with ledger and rng: too many"),
        ("lab_code:Sized", "can't be called without arguments: missing a required argument: 'size'"),
        ("twos", "or name your own module:object"),
    ],
)
def test_method_that_is_none_is_one_sentence(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        searcher(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lab_code:misnamed", "has the name 'other': it must be 'lab_code:misnamed'"),
        ("lab_code:nothing", "lacks name, space, search_split"),
        ("lab_code:absent", "has no 'absent'"),
        ("lab_code:unnamed", "can't be called with its name: too many positional arguments"),
    ],
)
def test_benchmark_that_is_none_is_one_sentence(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        benchmark(name)


def test_a_cluster_gets_the_files_of_own_code(folder: Path) -> None:
    sent = runtime_env(SearcherTrainable, plugin_names([TOY, 3, None, "lab_code:Ones", "lab_code:toy"]))
    assert sent["py_modules"][2:] == [str(folder / "lab_code.py")]


def test_a_cluster_gets_what_own_code_imports_and_what_it_names(folder: Path) -> None:
    (folder / "lab_parts").mkdir()
    (folder / "lab_parts" / "__init__.py").write_text("")
    (folder / "lab_parts" / "wheels.py").write_text("import lab_tools\n")
    (folder / "lab_tools.py").write_text("import numpy\n")
    (folder / "lab_space.py").write_text("")
    (folder / "lab_car.py").write_text(
        "from lab_parts import wheels\nSPACE = 'lab_space:Space'\n\ndef car(name): ...\n"
    )
    sent = runtime_env(SearcherTrainable, plugin_names(["lab_car:car"]))
    assert sorted(sent["py_modules"][2:]) == sorted(
        str(folder / name) for name in ("lab_car.py", "lab_parts", "lab_tools.py", "lab_space.py")
    )


def test_every_table_of_the_folder_is_a_benchmark_and_is_searched_by_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flowers.csv").write_text(toy_table().replace("toy_", "roses_"))
    (tmp_path / "graphs.csv").write_text(toy_101_table())
    (tmp_path / "prices.csv").write_text("day,price\n1,2\n")
    monkeypatch.setenv("NADLAB_DATA", str(tmp_path))
    found = sources()
    assert {name for name, (path, _) in found.items() if path.parent == tmp_path} == {"flowers/roses", "graphs"}
    flowers = found["flowers/roses"][1]()
    assert (flowers.search_split, flowers.report_split) == ("valid", "test")
    (tmp_path / "empty.csv").write_text("")
    assert sources().keys() == found.keys()
