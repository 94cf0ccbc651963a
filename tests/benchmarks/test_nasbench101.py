"""NAS-Bench-101's official file, written by the test, read back through the archive and its oracle."""

from pathlib import Path

import numpy as np
import pytest

from nadlab.benchmarks.archive import open_archive, write_archive
from nadlab.benchmarks.official.model_metrics import ModelMetrics
from nadlab.benchmarks.official.nasbench101 import read_nasbench101
from nadlab.benchmarks.official.tfrecord import masked_crc, read_records
from nadlab.benchmarks.registry import archives, verify
from nadlab.benchmarks.tabular import TableBenchmark, open_benchmark
from nadlab.errors import UserError
from nadlab.queries.ledger import QueryLedger
from nadlab.spaces import Cells, space
from perf.benchmarks.nasbench101_file import nasbench101_records, write_records

SPACE = space("nasbench101")


@pytest.fixture(scope="module")
def cells() -> Cells:
    return SPACE.enumerate()[np.random.default_rng(0).choice(423_624, 200, replace=False)]


@pytest.fixture(scope="module")
def archive(cells: Cells, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    write_records(folder / "full.tfrecord", nasbench101_records(cells, (4, 12, 36, 108)))
    write_archive(read_nasbench101(folder / "full.tfrecord"), folder / "nasbench101.safetensors")
    return folder / "nasbench101.safetensors"


def opened(archive: Path, preset: str = "paper") -> TableBenchmark:
    return open_benchmark(archive, "cifar10", "nasbench101", preset)


def test_checksum_is_the_published_one() -> None:
    # the CRC-32C check value of "123456789" is 0xE3069283 (RFC 3720); masked by TensorFlow's rule
    assert masked_crc(b"123456789") == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_metrics_have_the_wire_form_of_the_published_message() -> None:
    message = bytes.fromhex("0a0909000000000000f03f") + bytes.fromhex("1005") + bytes.fromhex("190000000000000040")
    metrics = ModelMetrics.FromString(message)
    assert (metrics.evaluation_data[0].current_epoch, metrics.trainable_parameters, metrics.total_time) == (1.0, 5, 2.0)


def test_all_runs_budgets_splits_and_both_epochs_are_kept(archive: Path, cells: Cells) -> None:
    content, digest = open_archive(archive)
    assert verify(archive) == digest
    assert (np.sort(SPACE.keys(cells)) == content.arrays["keys"]).all()
    for budget in (4, 12, 36, 108):
        for split in ("train", "valid", "test"):
            assert content.arrays[f"cifar10/{budget}/{split}/accuracy"].shape == (200, 3, 2)
            assert content.arrays[f"cifar10/{budget}/{split}/epochs"].tolist() == [budget // 2, budget]
        assert content.arrays[f"cifar10/{budget}/train/seconds"][0, 0].tolist() == [5 * budget, 10 * budget]


def test_every_accuracy_stands_at_its_cell(archive: Path, cells: Cells) -> None:
    arrays = open_archive(archive)[0].arrays
    written = np.random.default_rng(0).random((200, 4, 3, 3, 3))
    rows = np.searchsorted(arrays["keys"], SPACE.keys(cells))
    assert arrays["cifar10/parameters"][rows].tolist() == [1 + i / 1e6 for i in range(200)]
    for split, part in enumerate(("train", "valid", "test")):
        kept = arrays[f"cifar10/108/{part}/accuracy"][rows]
        assert np.allclose(kept, 100 * written[:, 3, :, 1:, split], atol=1e-4)


def test_paper_answers_with_the_mean_of_the_runs_and_naslib_with_one_of_them(archive: Path, cells: Cells) -> None:
    mean, one = opened(archive), opened(archive, "naslib")
    rows = mean.rows(SPACE.keys(cells))
    runs = mean.runs["valid"][rows].astype(np.float64)
    assert np.allclose(mean.accuracies(rows, "valid"), runs.mean(axis=1))
    answers = one.accuracies(rows, "valid")
    chosen = np.argmin(abs(runs - answers[:, None]), axis=1)
    assert (runs[np.arange(200), chosen] == answers).all()
    assert set(chosen.tolist()) == {0, 1, 2}
    assert (opened(archive, "naslib").accuracies(rows, "valid") == answers).all()


def test_search_is_by_validation_and_the_report_by_test(archive: Path, cells: Cells) -> None:
    oracle = opened(archive)
    ledger = QueryLedger(oracle, 5)
    answers = ledger.query(cells[:5])
    assert (answers == oracle.accuracies(oracle.rows(SPACE.keys(cells[:5])), "valid")).all()
    assert ledger.reported(ledger.queries[0]) == oracle.evaluate(cells[:1])[0].test
    assert oracle.optimum == pytest.approx(max(answer.test or 0 for answer in oracle.evaluate(cells)))


def test_cells_outside_the_archive_cannot_be_queried(archive: Path, cells: Cells) -> None:
    oracle = opened(archive)
    others = SPACE.enumerate()[:50]
    held = np.isin(SPACE.keys(others), SPACE.keys(cells))
    assert (oracle.queryable(others) == held).all()
    assert oracle.queryable(cells).all()
    assert (SPACE.keys(oracle.pool()) == np.sort(SPACE.keys(cells))).all()


def test_an_archive_folder_lists_its_benchmarks(archive: Path) -> None:
    assert list(archives(archive)) == ["nasbench101"]


def test_rewriting_gives_the_same_digest(archive: Path, tmp_path: Path) -> None:
    content, digest = open_archive(archive)
    assert write_archive(content, tmp_path / "again.safetensors") == digest


def test_changed_bytes_are_found_by_verify(archive: Path, tmp_path: Path) -> None:
    data = bytearray(archive.read_bytes())
    data[-5] ^= 1
    changed = tmp_path / "changed.safetensors"
    changed.write_bytes(data)
    with pytest.raises(UserError, match="wrong digest"):
        verify(changed)


def test_unknown_dataset_and_protocol_are_refused(archive: Path) -> None:
    with pytest.raises(UserError, match="no dataset 'svhn'"):
        open_benchmark(archive, "svhn", "x")
    with pytest.raises(UserError, match="unknown protocol 'mine'"):
        open_benchmark(archive, "cifar10", "x", "mine")


def test_a_record_cut_in_the_middle_is_named_by_its_position(tmp_path: Path) -> None:
    path = tmp_path / "cut.tfrecord"
    write_records(path, [b"one", b"two"])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="truncated at byte 19"):
        list(read_records(path))
