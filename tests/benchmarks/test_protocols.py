"""Protocols by name: `validation` searches by validation and reports test accuracy, or says why it cannot."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nadlab import search
from nadlab.benchmarks.archive import Archive, write_archive
from nadlab.benchmarks.oracle import optimum_of, ranges_of, search_optimum_of
from nadlab.benchmarks.packages import analognasbench, installed, nasbenchgraph
from nadlab.benchmarks.packages.package import Package
from nadlab.benchmarks.presets import under
from nadlab.benchmarks.registry import benchmark, listing
from nadlab.benchmarks.table import read_nasbench201
from nadlab.benchmarks.tabular import open_benchmark
from nadlab.errors import UserError
from nadlab.queries.ledger import QueryLedger
from nadlab.spaces import Cells, space
from tests.conftest import real_data

SPACE = space("nasbench201")
CELLS = 6
VALID = (50.0, 60.0, 99.0, 70.0, 55.0, 65.0)
TEST = (90.0, 91.0, 71.0, 92.0, 93.0, 80.0)
"""test prefers another cell than validation does"""
OWN = """
from dataclasses import dataclass

import numpy as np

from nadlab.benchmarks.oracle import Evaluation
from nadlab.spaces import space


@dataclass(frozen=True)
class Both:
    name: str
    has_test: bool = True
    search_split: str = "test"
    report_split: str = "test"
    digest: str = "0" * 64
    optimum: float = 90.0
    queryable_count: int = 15_625

    @property
    def space(self):
        return space("nasbench201")

    def pool(self):
        return self.space.enumerate()

    def queryable(self, cells):
        return np.ones(len(cells), bool)

    def evaluate(self, cells):
        counts = (cells.operations == 3).sum(axis=1).tolist()
        return [Evaluation(60.0 + count, 90.0 - count if self.has_test else None) for count in counts]


@dataclass(frozen=True)
class Other(Both):
    preset: str = "mine"


def both(name):
    return Both(name)


def one(name):
    return Both(name, False, "valid", "valid")


def other(name):
    return Other(name)
"""


def cells() -> Cells:
    """Return six cells, ascending by key, none isomorphic to another."""
    everything = SPACE.enumerate()
    _, first = np.unique(SPACE.keys(everything), return_index=True)
    return everything[np.sort(first)[100 : 100 + CELLS]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """$NADLAB_DATA and $NADLAB_CACHE; a folder of own code beside them is on the path."""
    for name in ("data", "cache"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"NADLAB_{name.upper()}", str(tmp_path / name))
    (tmp_path / "own_splits.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    benchmark.cache_clear()
    yield tmp_path
    benchmark.cache_clear()
    sys.modules.pop("own_splits", None)


def write_table(path: Path, columns: str, *rows: tuple[float, ...]) -> None:
    """Write a table of the six cells, a row of values each."""
    lines = [
        ",".join([SPACE.format(cell), *map(str, values)])
        for cell, values in zip(cells(), zip(*rows, strict=True), strict=True)
    ]
    path.write_text("\n".join([f"arch_str,{columns}", *lines]) + "\n")


def test_validation_finds_the_cell_with_the_best_validation_and_reports_its_test_accuracy(folder: Path) -> None:
    write_table(folder / "data" / "nasbench201.csv", "x_valid_12,x_test_12,x_test_200", VALID, (10.0,) * CELLS, TEST)
    for protocol, valid, test in (("validation", 99.0, 71.0), ("paper", None, 93.0)):
        row = search("random-search", "nasbench201/x", CELLS, [0], protocol=protocol).iloc[0]
        assert (row.protocol, row.best_test) == (protocol, test)
        assert row.regret == 93.0 - test
        assert row.best_valid == valid or valid is None


def test_the_table_of_nasbench201_gives_validation_after_12_and_test_after_200_epochs() -> None:
    oracle = read_nasbench201(real_data("nasbench201.csv"), "cifar10", "x", "test", "validation")
    assert (oracle.search_split, oracle.report_split, oracle.preset) == ("valid", "test", "validation")
    assert oracle.optimum == pytest.approx(94.37, abs=0.005)
    best = max(oracle.evaluate(oracle.pool()), key=lambda each: each.valid or 0)
    assert (best.valid, best.test) == pytest.approx((84.89, 94.37), abs=0.01)


def test_an_archive_gives_each_split_of_its_longest_training_that_has_it(folder: Path) -> None:
    identities = SPACE.identities(cells())
    columns = {"x/12/valid": VALID, "x/12/test": (10.0,) * CELLS, "x/200/test": TEST}
    arrays: dict[str, Any] = {"keys": np.sort(identities)}
    for name, values in columns.items():
        arrays[f"{name}/accuracy"] = np.array(values, np.float32)[np.argsort(identities), None, None]
        arrays[f"{name}/epochs"] = np.array([int(name.split("/")[1])], np.int32)
    answers = {"x": {"12": {"valid": "x/12/valid", "test": "x/12/test"}, "200": {"test": "x/200/test"}}}
    path = folder / "cache" / "runs.safetensors"
    write_archive(Archive("nasbench201", answers, {}, arrays), path)
    ledger = QueryLedger(open_benchmark(path, "x", "runs", "validation"), CELLS)
    ledger.query(cells())
    assert (ledger.best().valid, ledger.best().test) == (99.0, 71.0)
    assert {query.valid for query in ledger.queries} == set(VALID)
    ledger = QueryLedger(open_benchmark(path, "x", "runs"), CELLS)
    ledger.query(cells())
    assert {query.valid for query in ledger.queries} == {None}
    with pytest.raises(UserError, match=r"'naslib' needs validation answers, and runs .* has test answers only"):
        open_benchmark(path, "x", "runs", "naslib")


@pytest.mark.parametrize(
    ("name", "protocol", "words"),
    [
        (
            "mnist1d-darts",
            "validation",
            "needs validation and test answers, and mnist1d-darts has validation answers only",
        ),
        (
            "nasbench201/x",
            "validation",
            "needs validation and test answers, and nasbench201/x .* has validation answers only",
        ),
        ("nasbench201/x", "naslib", "holds only means, and the protocol 'naslib' needs an archive of every run"),
    ],
)
def test_a_benchmark_that_lacks_what_the_protocol_needs_says_so(
    folder: Path, name: str, protocol: str, words: str
) -> None:
    write_table(folder / "data" / "nasbench201.csv", "x_valid_12", VALID)
    with pytest.raises(UserError, match=words):
        benchmark(name, protocol)


@pytest.mark.parametrize(
    ("package", "protocol", "words"),
    [
        (
            analognasbench.PACKAGE,
            "validation",
            "needs validation and test answers, and analog-nasbench has test answers only",
        ),
        (analognasbench.PACKAGE, "naslib", "needs validation answers, and analog-nasbench has test answers only"),
        (nasbenchgraph.PACKAGE, "naslib", "is not defined for nas-bench-graph"),
    ],
)
def test_a_package_that_lacks_what_the_protocol_needs_says_so_and_is_left_out_of_the_list(
    package: Package, protocol: str, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        package.rule(protocol)
    if package.name in installed.absent():
        pytest.skip(f"{package.name} is not installed: pip install 'nadlab[{package.name}]'")
    name = f"{package.name}/{next(iter(package.files))}"
    with pytest.raises(UserError, match=words):
        benchmark(name, protocol)
    known = listing(protocol)
    assert name not in known.found
    assert words in known.left_out[Path(package.name)]


def test_a_benchmark_of_one_s_own_is_searched_by_validation_and_judged_by_test(folder: Path) -> None:
    name = "own_splits:both"
    found = {each: search("random-search", name, 40, [0], protocol=each).iloc[0] for each in ("paper", "validation")}
    assert found["paper"].best_test > found["validation"].best_test  # its test accuracy falls as validation grows
    assert found["validation"].best_valid > found["paper"].best_valid
    assert benchmark(name).preset == "paper"
    assert optimum_of(benchmark(name, "validation")) == 90.0  # of the same split
    assert folder.exists()


def test_a_benchmark_of_one_s_own_with_one_split_names_the_answer_that_is_missing(folder: Path) -> None:
    with pytest.raises(UserError, match=r"own_splits:one answered .* with test = None"):
        search("random-search", "own_splits:one", 4, [0], protocol="validation")
    assert optimum_of(benchmark("own_splits:one", "validation")) is None  # that of validation is known
    with pytest.raises(UserError, match="own_splits:one answers by the protocol 'paper', not 'naslib'"):
        benchmark("own_splits:one", "naslib")
    with pytest.raises(UserError, match="own_splits:other answers by the protocol 'mine', not 'paper'"):
        benchmark("own_splits:other")
    assert benchmark("own_splits:other", "mine").preset == "mine"
    assert folder.exists()


@pytest.mark.parametrize(
    ("split", "protocol", "known"),
    [
        ("test", "paper", (90.0, 90.0, 1)),
        ("test", "validation", (90.0, None, 1)),
        ("valid", "validation", (None, 90.0, 0)),
    ],
)
def test_what_is_known_of_another_split_is_not_known_under_a_protocol(
    split: str, protocol: str, known: tuple[float | None, float | None, int]
) -> None:
    own: Any = SimpleNamespace(
        search_split=split, report_split=split, optimum=90.0, search_optimum=80.0, ranges={"accuracy": (0.0, 1.0)}
    )
    apart = under(own, protocol)
    assert (optimum_of(apart), search_optimum_of(apart), len(ranges_of(apart))) == known
