"""Writers of the benchmarks' official formats, for tests: small files, or full-size synthetic ones."""

import base64
import bz2
import json
import pickle
import struct
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np

from nadlab.benchmarks.official.model_metrics import ModelMetrics
from nadlab.benchmarks.official.tfrecord import masked_crc
from nadlab.spaces import Cells, space
from nadlab.spaces.nasbench101 import ABSENT, OPERATIONS


def write_records(path: Path, records: Iterable[bytes]) -> None:
    """Write a TFRecord file."""
    with path.open("wb") as file:
        for record in records:
            length = struct.pack("<Q", len(record))
            file.write(length + struct.pack("<I", masked_crc(length)))
            file.write(record + struct.pack("<I", masked_crc(record)))


def nasbench101_records(
    cells: Cells, budgets: tuple[int, ...] = (108,), runs: int = 3, seed: int = 0
) -> Iterator[bytes]:
    """Yield official records of made-up trainings, architecture after architecture."""
    rng = np.random.default_rng(seed)
    for i in range(len(cells)):
        present = cells.operations[i] != ABSENT
        digits = "".join(map(str, cells.adjacency[i][np.ix_(present, present)].ravel().tolist()))
        labels = ",".join(OPERATIONS[o] for o in cells.operations[i][present])
        module = md5(f"{digits}{labels}".encode(), usedforsecurity=False).hexdigest()
        accuracies = rng.random((len(budgets), runs, 3, 3)).tolist()
        for budget, by_run in zip(budgets, accuracies, strict=True):
            for by_step in by_run:
                metrics = _metrics(budget, by_step, 1_000_000 + i)
                yield json.dumps([module, budget, digits, labels, metrics]).encode()


def _metrics(budget: int, by_step: list[list[float]], parameters: int) -> str:
    metrics = ModelMetrics(trainable_parameters=parameters, total_time=2.0 * budget)
    for step, (train, valid, test) in enumerate(by_step):
        metrics.evaluation_data.add(
            current_epoch=budget * step / 2,
            training_time=10.0 * budget * step / 2,
            train_accuracy=train,
            validation_accuracy=valid,
            test_accuracy=test,
        )
    return base64.b64encode(metrics.SerializeToString()).decode()


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
