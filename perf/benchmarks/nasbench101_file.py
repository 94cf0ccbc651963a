"""A writer of NAS-Bench-101's official format: made-up trainings of any cells, up to the whole space."""

import base64
import struct
from collections.abc import Iterable, Iterator
from hashlib import md5
from pathlib import Path

import numpy as np

from nadlab.benchmarks.official.model_metrics import ModelMetrics
from nadlab.benchmarks.official.tfrecord import masked_crc
from nadlab.json_text import strict_json
from nadlab.spaces import Cells
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
                yield strict_json([module, budget, digits, labels, metrics]).encode()


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
