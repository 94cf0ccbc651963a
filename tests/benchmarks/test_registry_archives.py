"""Archives take part in the registry, under a named protocol."""

from pathlib import Path

import pytest

from nadlab.benchmarks.archive import write_archive
from nadlab.benchmarks.official.nasbench101 import read_nasbench101
from nadlab.benchmarks.registry import benchmark, sources
from nadlab.benchmarks.tabular import TableBenchmark
from nadlab.errors import UserError
from nadlab.spaces import space
from perf.benchmarks.nasbench101_file import nasbench101_records, write_records


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NADLAB_CACHE", str(tmp_path))
    write_records(
        tmp_path / "x.tfrecord",
        nasbench101_records(space("nasbench101").parse("01/00;input|output")),
    )
    write_archive(read_nasbench101(tmp_path / "x.tfrecord"), tmp_path / "test101.safetensors")
    return tmp_path


def test_an_archive_is_opened_by_its_name_under_each_protocol(cache: Path) -> None:
    for preset, runs in (("paper", "mean"), ("naslib", "one")):
        path, open_it = sources(preset)["test101"]
        oracle = open_it()
        assert path.parent == cache
        assert isinstance(oracle, TableBenchmark)
        assert (oracle.protocol.name, oracle.protocol.runs) == (preset, runs)


def test_tables_of_means_do_not_answer_by_naslib_s_protocol(cache: Path) -> None:
    assert set(sources("naslib")) == {"mnist1d-101", "mnist1d-201", "mnist1d-darts", "test101"} & set(sources())
    assert cache.exists()


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(UserError, match="unknown protocol 'mine': choose one of paper, validation, naslib"):
        benchmark("mnist1d-201", "mine")
