"""The paper's benchmarks that this project cannot hold: what is missing is said, and the official file is all it takes."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from nadlab.benchmarks.convert import convert
from nadlab.benchmarks.oracle import Oracle
from nadlab.benchmarks.registry import benchmark
from nadlab.cli.benchmarks import missing
from nadlab.cli.main import nadlab
from nadlab.engine.searches.result import Search
from nadlab.engine.searches.run import searches
from nadlab.errors import UserError
from nadlab.queries.ledger import QueryLedger
from nadlab.spaces import space
from nadlab.study.published import TABLE_3
from perf.benchmarks.nasbench101_file import nasbench101_records, write_records
from studies import reproduce_table2, reproduce_table3, reproduce_table4
from tests.benchmarks.official_files import nasbench201_content, nats_content, write_nats_tar

ENSEMBLE = Path(__file__).parent / "files" / "nasbench301-ensemble.zip"


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with nothing but what is embedded."""
    for name in ("cache", "data"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"NADLAB_{name.upper()}", str(tmp_path / name))
    benchmark.cache_clear()


def found_by(name: str, queries: int) -> tuple[Oracle, Search]:
    (found,) = searches(["random-search"], name, queries, [0], 1)
    return benchmark(name), found


def records(path: Path, count: int) -> Path:
    cells = space("nasbench101").sample(count, np.random.default_rng(0))
    _, first = np.unique(space("nasbench101").keys(cells), return_index=True)
    write_records(path, nasbench101_records(cells[first]))
    return path


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("nasbench201/ImageNet16-120", ["Google Drive", "`nadlab benchmarks convert FILE`"]),
        ("nasbench301-v0.9", ["`nadlab benchmarks fetch nasbench301-v0.9`", "nasbench301_models_v0.9.zip"]),
        ("nasbench101", ["`nadlab benchmarks fetch nasbench101` (499 MB)", "nasbench_only108.tfrecord"]),
    ],
)
def test_a_benchmark_of_the_paper_that_is_not_here_says_how_to_get_it(name: str, ways: list[str]) -> None:
    with pytest.raises(UserError) as error:
        benchmark(name)
    shown = CliRunner().invoke(nadlab, ["benchmarks"], catch_exceptions=False).stdout
    for way in ways:
        assert way in str(error.value)
        assert way in next(line for line in shown.splitlines() if line.startswith(f"not here: {name} (Table"))


def test_other_unknown_names_get_no_such_advice() -> None:
    with pytest.raises(UserError, match="unknown benchmark 'nasbench999': choose from those on this machine"):
        benchmark("nasbench999")


def test_a_table_without_test_accuracies_lacks_them() -> None:
    def lines(split: str) -> list[str]:
        rows: list[dict[str, Any]] = [{"name": "nasbench101", "report_split": split}]
        return [line for line in missing(rows) if line.startswith("nasbench101")]

    assert lines("test") == []
    assert lines("valid")[0].startswith(
        "nasbench101's test accuracies (Table 1 of the paper): run `nadlab benchmarks fetch"
    )


def test_nas_bench_101_s_file_brings_test_accuracies_to_searches_and_table_4(tmp_path: Path) -> None:
    convert(records(tmp_path / "nasbench_only108.tfrecord", 300))
    oracle, found = found_by("nasbench101", 10)
    assert (oracle.search_split, oracle.report_split) == ("valid", "test")
    assert found.row()["best_test"] is not None
    arguments = ["--smoke", "--concurrent", "1", "--seeds", "1", "--out", str(tmp_path / "out")]
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(reproduce_table4.command, arguments, catch_exceptions=False).stdout
    assert "test > 93.5 %: new classes" in shown
    assert "6.46%" in shown  # of the paper, beside its own


def test_nats_bench_s_file_brings_imagenet16_120(tmp_path: Path) -> None:
    convert(write_nats_tar(tmp_path / "NATS-tss-v1_0-3ffb9-simple.tar", nats_content(nasbench201_content())))
    name = "nasbench201/ImageNet16-120"
    oracle, found = found_by(name, 4)
    assert oracle.report_split == "test"
    assert found.queries == 4
    assert reproduce_table2.STUDY.published[name]["semigan-nad, 160"] == 46.76


def test_nas_bench_301_v0_9_is_its_xgboost_ensemble(tmp_path: Path) -> None:
    source = tmp_path / "nasbench301_models_v0.9.zip"
    shutil.copy(ENSEMBLE, source)
    assert convert(source).stem == "nasbench301-v0.9"
    ledger = QueryLedger(benchmark("nasbench301-v0.9"), 5)
    assert (ledger.query(space("darts").sample(5, np.random.default_rng(0))) > 0).all()
    assert ledger.oracle.report_split == "valid"
    published = reproduce_table3.STUDY.published
    assert published["nasbench301-v0.9"] == published["nasbench301-v1.0"]
    assert len(published["nasbench301-v0.9"]) == len(TABLE_3)
