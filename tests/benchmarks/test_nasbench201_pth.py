"""NAS-Bench-201's torch file: a small one in the official layout, in both of torch's containers."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nadlab.benchmarks.archive import write_archive
from nadlab.benchmarks.official.nasbench201 import read_nasbench201
from nadlab.benchmarks.tabular import open_benchmark
from nadlab.errors import UserError
from tests.benchmarks.official_files import CELLS201, TEXTS201, nasbench201_content


@pytest.mark.parametrize("zipped", [True, False], ids=["zip container", "container of torch 1.2"])
def test_the_file_is_read_with_every_seed_and_epoch(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "NAS-Bench-201-v1_1-096897.pth"
    written = nasbench201_content()
    torch.save(written, path, _use_new_zipfile_serialization=zipped)
    archive = read_nasbench201(path)
    assert archive.arrays["cifar100/200/x-test/accuracy"].shape == (6, 3, 200)
    assert archive.arrays["cifar100/12/x-test/accuracy"].shape == (6, 1, 12)
    assert archive.arrays["cifar10/latency"].tolist() == [0.02] * 6
    write_archive(archive, tmp_path / "nasbench201.safetensors")
    oracle = open_benchmark(tmp_path / "nasbench201.safetensors", "cifar10", "nasbench201/cifar10")
    for i, cell in enumerate(CELLS201):
        trials = written["arch2infos"][i]["full"]["all_results"]
        seeds = written["arch2infos"][i]["full"]["dataset_seed"]["cifar10"]
        answer = oracle.evaluate(cell)[0]
        assert answer.test == pytest.approx(
            np.mean([trials["cifar10", s]["eval_acc1es"]["ori-test@199"] for s in seeds])
        )
        valid = np.mean([trials["cifar10-valid", s]["eval_acc1es"]["x-valid@199"] for s in seeds])
        assert answer.valid == pytest.approx(valid)


def test_without_the_official_package_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nas_201_api", None)
    with pytest.raises(UserError, match=r"pip install 'nadlab\[nas-bench-201\]'"):
        read_nasbench201(tmp_path / "NAS-Bench-201-v1_1-096897.pth")


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("ran",)


def test_a_hostile_file_is_refused_by_the_name_it_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({**nasbench201_content(1), "extra": Hostile()}, tmp_path / "hostile.pth")
    with pytest.raises(UserError, match=r"hostile\.pth is refused: .*posix\.mkdir"):
        read_nasbench201(tmp_path / "hostile.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([1, 2], "no dictionary"),
        ({"meta_archs": TEXTS201}, "no meta_archs and arch2infos"),
        ({**nasbench201_content(1), "meta_archs": TEXTS201[1:]}, "not a result of NAS-Bench-201"),
        ({**nasbench201_content(1), "arch2infos": {99: {}}}, "not among the 6"),
        ({**nasbench201_content(1), "arch2infos": {0: {"less": {}}}}, "lacks 'less' or 'full'"),
        ({**nasbench201_content(1), "arch2infos": {0: {"less": {}, "full": {}}}}, "not a result of NAS-Bench-201"),
        ({**nasbench201_content(1), "arch2infos": {0: {"less": "a.pth", "full": {}}}}, "not a result of NAS-Bench-201"),
        ({**nasbench201_content(1), "meta_archs": TEXTS201[:1] * 6}, "not a result of NAS-Bench-201"),
        ({**nasbench201_content(1), "arch2infos": {}}, "holds no architecture"),
    ],
)
def test_other_layouts_are_refused(tmp_path: Path, content: object, reason: str) -> None:
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(UserError, match=reason):
        read_nasbench201(tmp_path / "other.pth")
