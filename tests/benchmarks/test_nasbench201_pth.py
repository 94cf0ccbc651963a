"""NAS-Bench-201's torch file: a small one in the official layout, in both of torch's containers."""

import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nadlab.benchmarks.archive import write_archive
from nadlab.benchmarks.archived import open_benchmark
from nadlab.benchmarks.official.nasbench201 import read_nasbench201
from nadlab.errors import UserError
from nadlab.spaces import space

SPACE = space("nasbench201")
CELLS = SPACE.sample(6, np.random.default_rng(0))
TEXTS = [SPACE.format(cell) for cell in CELLS]


def result(dataset: str, seed: int, epochs: int, splits: tuple[str, ...], rng: np.random.Generator) -> dict[str, Any]:
    labels = [f"{split}@{epoch}" for split in splits for epoch in range(epochs)]
    return {
        "name": dataset,
        "net_state_dict": None,
        "train_acc1es": {epoch: float(rng.uniform(0, 100)) for epoch in range(epochs)},
        "train_acc5es": dict.fromkeys(range(epochs), 100.0),
        "train_losses": dict.fromkeys(range(epochs), 1.0),
        "train_times": OrderedDict((epoch, 2.5) for epoch in range(epochs)),
        "arch_config": {"channel": 16, "num_cells": 5},
        "params": np.float64(1.25),
        "flop": 15.5,
        "seed": seed,
        "epochs": epochs,
        "latency": [np.float64(0.01), np.float64(0.03)],
        "eval_names": list(splits),
        "eval_acc1es": {label: float(rng.uniform(0, 100)) for label in labels},
        "eval_times": dict.fromkeys(labels, 0.5),
        "eval_losses": dict.fromkeys(labels, 1.0),
    }


def state(index: int, epochs: int, seeds: tuple[int, ...], rng: np.random.Generator) -> dict[str, Any]:
    splits = {"cifar10-valid": ("x-valid", "ori-test"), "cifar10": ("ori-test",), "cifar100": ("x-valid", "x-test")}
    trials = {(name, seed): result(name, seed, epochs, parts, rng) for name, parts in splits.items() for seed in seeds}
    return {
        "arch_index": index,
        "arch_str": TEXTS[index],
        "all_results": trials,
        "dataset_seed": {name: list(seeds) for name in splits},
        "clear_net_done": True,
    }


def official(count: int = 6) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    infos = {
        i: {"less": state(i, 12, (777,), rng), "full": state(i, 200, (777, 888, 999)[: 1 + i % 3], rng)}
        for i in range(count)
    }
    return {"meta_archs": TEXTS, "total_archs": 6, "arch2infos": infos, "evaluated_indexes": set(range(count))}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip container", "container of torch 1.2"])
def test_the_file_is_read_with_every_seed_and_epoch(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "NAS-Bench-201-v1_1-096897.pth"
    written = official()
    torch.save(written, path, _use_new_zipfile_serialization=zipped)
    archive = read_nasbench201(path)
    assert archive.arrays["cifar100/200/x-test/accuracy"].shape == (6, 3, 200)
    assert archive.arrays["cifar100/12/x-test/accuracy"].shape == (6, 1, 12)
    assert archive.arrays["cifar10/latency"].tolist() == [0.02] * 6
    write_archive(archive, tmp_path / "nasbench201.safetensors")
    oracle = open_benchmark(tmp_path / "nasbench201.safetensors", "cifar10", "nasbench201/cifar10")
    for i, cell in enumerate(CELLS):
        trials = written["arch2infos"][i]["full"]["all_results"]
        seeds = written["arch2infos"][i]["full"]["dataset_seed"]["cifar10"]
        answer = oracle.evaluate(cell)
        assert answer.test == pytest.approx(
            np.mean([trials["cifar10", s]["eval_acc1es"]["ori-test@199"] for s in seeds])
        )
        valid = np.mean([trials["cifar10-valid", s]["eval_acc1es"]["x-valid@199"] for s in seeds])
        assert answer.valid == pytest.approx(valid)


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("ran",)


def test_a_hostile_file_is_refused_by_the_name_it_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({**official(1), "extra": Hostile()}, tmp_path / "hostile.pth")
    with pytest.raises(UserError, match=r"hostile\.pth is refused: .*posix\.mkdir"):
        read_nasbench201(tmp_path / "hostile.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([1, 2], "no dictionary"),
        ({"meta_archs": TEXTS}, "no meta_archs and arch2infos"),
        ({**official(1), "meta_archs": TEXTS[1:]}, "no result of NAS-Bench-201"),
        ({**official(1), "arch2infos": {99: {}}}, "not among the 6"),
        ({**official(1), "arch2infos": {0: {"less": {}}}}, "lacks 'less' or 'full'"),
        ({**official(1), "arch2infos": {0: {"less": {}, "full": {}}}}, "no result of NAS-Bench-201"),
        ({**official(1), "arch2infos": {}}, "holds no architecture"),
    ],
)
def test_other_layouts_are_refused(tmp_path: Path, content: object, reason: str) -> None:
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(UserError, match=reason):
        read_nasbench201(tmp_path / "other.pth")
