"""Writers of NAS-Bench-201's and NATS-Bench's official formats, for tests."""

import bz2
import pickle
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


def _state(index: int, epochs: int, seeds: tuple[int, ...], rng: np.random.Generator) -> dict[str, Any]:
    splits = {"cifar10-valid": ("x-valid", "ori-test"), "cifar10": ("ori-test",), "cifar100": ("x-valid", "x-test")}
    trials = {(name, seed): _result(name, seed, epochs, parts, rng) for name, parts in splits.items() for seed in seeds}
    return {
        "arch_index": index,
        "arch_str": TEXTS201[index],
        "all_results": trials,
        "dataset_seed": {name: list(seeds) for name in splits},
        "clear_net_done": True,
    }


def nasbench201_content(count: int = 6) -> dict[str, Any]:
    """Return what NAS-Bench-201's torch file holds, of the first cells of CELLS201."""
    rng = np.random.default_rng(1)
    infos = {
        i: {"less": _state(i, 12, (777,), rng), "full": _state(i, 200, (777, 888, 999)[: 1 + i % 3], rng)}
        for i in range(count)
    }
    return {"meta_archs": TEXTS201, "total_archs": 6, "arch2infos": infos, "evaluated_indexes": set(range(count))}


def write_nats(folder: Path, content: dict[str, Any]) -> None:
    """Write NATS-Bench's folder from what NAS-Bench-201's file would hold."""
    folder.mkdir()
    meta = {"meta_archs": content["meta_archs"], "total_archs": 6, "arch2infos": None, "evaluated_indexes": set()}
    (folder / "meta.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(meta, 4)))
    for index, info in content["arch2infos"].items():
        budgets = {"12": info["less"], "200": info["full"]}
        (folder / f"{index:06d}.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(budgets, 4)))
