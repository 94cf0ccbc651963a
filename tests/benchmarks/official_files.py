"""Writers of NAS-Bench-201's, NATS-Bench's and NASLib's official formats, for tests."""

import bz2
import pickle
import tarfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from nadlab.spaces import space

CELLS201 = space("nasbench201").sample(6, np.random.default_rng(0))
TEXTS201 = [space("nasbench201").format(cell) for cell in CELLS201]


def _result(dataset: str, seed: int, epochs: int, splits: tuple[str, ...], rng: np.random.Generator) -> dict[str, Any]:
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


def _state(text: str, index: int, epochs: int, seeds: tuple[int, ...], rng: np.random.Generator) -> dict[str, Any]:
    half = ("x-valid", "x-test")
    splits = {
        "cifar10-valid": ("x-valid", "ori-test"),
        "cifar10": ("ori-test",),
        "cifar100": half,
        "ImageNet16-120": half,
    }
    trials = {(name, seed): _result(name, seed, epochs, parts, rng) for name, parts in splits.items() for seed in seeds}
    return {
        "arch_index": index,
        "arch_str": text,
        "all_results": trials,
        "dataset_seed": {name: list(seeds) for name in splits},
        "clear_net_done": True,
    }


def nasbench201_content(count: int = 6) -> dict[str, Any]:
    """Return what NAS-Bench-201's torch file holds, of the first cells of CELLS201."""
    rng = np.random.default_rng(1)
    infos = {
        i: {
            "less": _state(TEXTS201[i], i, 12, (777,), rng),
            "full": _state(TEXTS201[i], i, 200, (777, 888, 999)[: 1 + i % 3], rng),
        }
        for i in range(count)
    }
    return {"meta_archs": TEXTS201, "total_archs": 6, "arch2infos": infos, "evaluated_indexes": set(range(count))}


def nats_content(content: dict[str, Any]) -> dict[str, Any]:
    """Return what NATS-Bench's single file holds, from what NAS-Bench-201's would hold.

    `nats_bench/api_topology.py`: meta_archs, arch2infos (index -> budget -> state), evaluated_indexes.
    """
    infos = {i: {"12": info["less"], "200": info["full"]} for i, info in content["arch2infos"].items()}
    return {**content, "arch2infos": infos}


def size_content(numbers: tuple[int, ...] = (0, 11, 284)) -> dict[str, Any]:
    """Return the same of the size space, whose budgets are 01, 12 and 90 (`nats_bench/api_size.py`, `get_more_info`)."""
    size, rng = space("natssize"), np.random.default_rng(2)
    texts = [size.format(cell) for cell in size.enumerate()]
    seeds = {1: (777,), 12: (777, 888, 999), 90: (777,)}
    infos = {i: {f"{epochs:02d}": _state(texts[i], i, epochs, seeds[epochs], rng) for epochs in seeds} for i in numbers}
    return {"meta_archs": texts, "total_archs": len(texts), "arch2infos": infos, "evaluated_indexes": set(numbers)}


def write_nats(folder: Path, content: dict[str, Any]) -> None:
    """Write NATS-Bench's folder from what NAS-Bench-201's file would hold."""
    write_nats_folder(folder, nats_content(content))


def write_nats_folder(folder: Path, content: dict[str, Any]) -> Path:
    """Write NATS-Bench's folder from what its single file would hold."""
    folder.mkdir()
    meta = {"meta_archs": content["meta_archs"], "total_archs": 6, "arch2infos": None, "evaluated_indexes": set()}
    (folder / "meta.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(meta, 4)))
    for index, budgets in content["arch2infos"].items():
        (folder / f"{index:06d}.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(budgets, 4)))
    return folder


def write_nats_tar(path: Path, content: dict[str, Any]) -> Path:
    """Write the tar of the folder, as README.md of D-X-Y/NATS-Bench has it unpacked: `tar xvf`, no compression."""
    folder = write_nats_folder(path.with_suffix(""), content)
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as packed:
        packed.add(folder, folder.name)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    return path


def write_nats_file(path: Path, content: dict[str, Any]) -> Path:
    """Write the single file (`pickle_save` of `nats_bench/api_utils.py`: bz2, protocol 4)."""
    path.write_bytes(bz2.compress(pickle.dumps(content, 4)))
    return path


def naslib201_content() -> dict[str, Any]:
    """Return what NASLib's nb201_..._full_training.pickle holds (`create_dummy_api`, tests/test_nb201_search_space.py)."""
    rng = np.random.default_rng(3)
    cost = {"flops": 15.64737, "params": 0.129306, "latency": 0.0139, "train_time": 7.25}
    return {
        text: {
            "cifar10-valid": {
                "train_losses": [1.0] * 200,
                "eval_losses": [1.0] * 200,
                "train_acc1es": rng.uniform(0, 100, 200).tolist(),
                "eval_acc1es": rng.uniform(0, 100, 200).tolist(),
                "cost_info": cost,
            }
        }
        for text in TEXTS201
    }


def naslib101_content() -> dict[str, Any]:
    """Return what NASLib's nasbench_only108.pkl holds (`NASBench.__init__` of naslib/utils/nb101_api.py)."""
    rng = np.random.default_rng(4)
    adjacency = np.array([[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]])
    names = ("train_accuracy", "validation_accuracy", "test_accuracy")

    def run() -> dict[str, float]:
        steps = {"halfway": 700.0, "final": 1400.0}
        seconds = {f"{step}_training_time": spent for step, spent in steps.items()}
        return seconds | {f"{step}_{name}": float(rng.uniform()) for step in steps for name in names}

    labels = [["conv3x3-bn-relu", "maxpool3x3"], ["conv1x1-bn-relu", "conv3x3-bn-relu"]]
    fixed = [
        {"module_adjacency": adjacency, "module_operations": ["input", *inner, "output"], "trainable_parameters": 8_000}
        for inner in labels
    ]
    return {f"{i:032x}": (each, {108: [run() for _ in range(3)]}) for i, each in enumerate(fixed)}
