"""The forms in which people have NATS-Bench and NASLib's results: each is read to the same tables, and says what it is."""

import os
from pathlib import Path

import numpy as np
import pytest

from nadlab.benchmarks.archive import Archive
from nadlab.benchmarks.convert import FORMS, convert, found_in
from nadlab.benchmarks.official.naslib import read_naslib101, read_naslib201
from nadlab.benchmarks.official.nats import read_nats, read_nats_file
from nadlab.benchmarks.registry import archives, benchmark
from nadlab.errors import UserError
from nadlab.spaces import space
from tests.benchmarks.mutations import write_pickle
from tests.benchmarks.official_files import (
    CELLS201,
    nasbench201_content,
    naslib101_content,
    naslib201_content,
    nats_content,
    size_content,
    write_nats_file,
    write_nats_folder,
    write_nats_tar,
)

DATA = Path(os.environ.get("NADLAB_DATA") or Path(__file__).parents[3] / "shared" / "data")
SIZE = DATA / "NATS-sss-v1_0-50262-simple"


def same(one: Archive, other: Archive) -> bool:
    keys = one.arrays.keys() == other.arrays.keys()
    return keys and all(np.array_equal(one.arrays[k], other.arrays[k], equal_nan=True) for k in one.arrays)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NADLAB_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("cells", ["nasbench201", "natssize"])
def test_folder_tar_and_single_file_of_nats_bench_hold_the_same(tmp_path: Path, cells: str) -> None:
    content = size_content() if cells == "natssize" else nats_content(nasbench201_content())
    folder = read_nats(write_nats_folder(tmp_path / "NATS", content), cells)
    assert len(folder.arrays["keys"]) == len(content["arch2infos"])
    assert same(folder, read_nats(write_nats_tar(tmp_path / "NATS-simple.tar", content), cells))
    assert same(folder, read_nats_file(write_nats_file(tmp_path / "NATS.pickle.pbz2", content), cells))


def test_the_size_benchmark_has_its_three_budgets_and_answers_after_ninety_epochs(tmp_path: Path) -> None:
    content = size_content()
    path = convert(write_nats_tar(tmp_path / "NATS-sss-v1_0-50262-simple.tar", content))
    assert path.stem == "natssize"
    lines = found_in(path)
    assert lines[0] == "3 architectures of the space natssize"
    assert "cifar100: valid and test of 1, valid and test of 12, valid and test of 90 epochs" in lines
    oracle = benchmark("natssize/cifar100")
    (answer,) = oracle.evaluate(space("natssize").parse("8:8:40:32:40"))
    trial = content["arch2infos"][284]["90"]["all_results"]["cifar100", 777]["eval_acc1es"]
    assert answer.valid == pytest.approx(trial["x-valid@89"], rel=1e-6)
    assert answer.test == pytest.approx(trial["x-test@89"], rel=1e-6)


def test_a_file_of_the_other_space_is_refused_with_what_its_name_says(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'sss' in the name"):
        convert(write_nats_file(tmp_path / "renamed.pickle.pbz2", size_content()))


@pytest.mark.parametrize("cut", [512 * 9, 512 * 9 + 100, -10_240])
def test_a_tar_that_is_cut_is_refused(tmp_path: Path, cut: int) -> None:
    path = write_nats_tar(tmp_path / "x.tar", nats_content(nasbench201_content(2)))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UserError, match="tar"):
        convert(path)


def test_a_damaged_header_inside_a_tar_does_not_end_it_silently(tmp_path: Path) -> None:
    path = write_nats_tar(tmp_path / "x.tar", nats_content(nasbench201_content(3)))
    data = path.read_bytes()
    place = data.index(b"x/000002.pickle")
    path.write_bytes(data[:place] + b"y" + data[place + 1 :])
    with pytest.raises(UserError, match=f"damaged or truncated tar at byte {place:,}"):
        convert(path)


def test_naslibs_curves_of_nas_bench_201_are_validation_alone(tmp_path: Path) -> None:
    content = naslib201_content()
    source = write_pickle(tmp_path / "nb201_cifar10_full_training.pickle", content, lambda data: data)
    archive = read_naslib201(source)
    assert archive.answers == {"cifar10-valid": {"200": {"valid": "cifar10-valid/200/valid"}}}
    assert archive.arrays["cifar10-valid/200/train/seconds"][0, 0, [0, -1]].tolist() == [7.25, 1450.0]
    path = convert(source)
    assert path.stem == "naslib-nasbench201-cifar10"
    oracle = benchmark(path.stem, "naslib")
    for cell, by_dataset in zip(CELLS201, content.values(), strict=True):
        (answer,) = oracle.evaluate(cell)
        assert answer.valid == pytest.approx(by_dataset["cifar10-valid"]["eval_acc1es"][-1], rel=1e-6)
        assert answer.test is None
    with pytest.raises(UserError, match=r"needs test answers, .* has validation answers only: choose another protocol"):
        benchmark(path.stem)


def test_naslibs_pickle_of_nas_bench_101_holds_the_official_runs(tmp_path: Path) -> None:
    content = naslib101_content()
    archive = read_naslib101(write_pickle(tmp_path / "nasbench_only108.pkl", content, lambda data: data))
    path = convert(tmp_path / "nasbench_only108.pkl")
    assert path.stem == "nasbench101"
    assert archive.arrays["cifar10/108/test/epochs"].tolist() == [54, 108]
    (opener,) = archives(path).values()
    cell = space("nasbench101").parse("0110/0001/0001/0000;input|conv3x3-bn-relu|maxpool3x3|output")
    (answer,) = opener().evaluate(cell)
    runs = content[f"{0:032x}"][1][108]
    assert answer.test == pytest.approx(100 * np.mean([run["final_test_accuracy"] for run in runs]), rel=1e-6)


def test_an_unknown_file_is_told_every_form(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UserError, match="not an official benchmark file") as raised:
        convert(tmp_path / "notes.txt")
    assert all(form in str(raised.value) for form in FORMS)


@pytest.mark.skipif(not SIZE.is_dir(), reason=f"{SIZE} is not on this machine")
def test_the_official_size_files_are_read() -> None:
    archive = read_nats(SIZE, "natssize")
    row = int(np.searchsorted(archive.arrays["keys"], 284))
    assert archive.arrays["keys"][row] == 284
    assert archive.arrays["cifar10-valid/1/x-valid/accuracy"][row, 0, 0] == pytest.approx(41.372, abs=1e-4)
    assert archive.arrays["cifar10-valid/12/runs"][row].tolist() == [777, 888, 999]
    assert archive.arrays["cifar10/parameters"][row] == pytest.approx(0.144834)
