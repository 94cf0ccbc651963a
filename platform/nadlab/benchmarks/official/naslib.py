"""NASLib's own files: plain pickles of NAS-Bench-201's and NAS-Bench-101's results (`naslib/utils/get_dataset_api.py`).

`nb201_cifar10_full_training.pickle`, and those of cifar100, ImageNet16 and ninapro: architecture -> data set (CIFAR-10 as
`cifar10-valid`) -> `train_acc1es` and `eval_acc1es`, lists of percent a epoch, and `cost_info` with `flops` and `params`
in millions, `latency` in seconds and `train_time`, seconds of one epoch. There is one curve: whether of one seed or a
mean is not stated. NASLib answers by it for validation and for test; here it is validation, and there is no test.

`nasbench_only108.pkl`: hash -> (adjacency, labels and parameters, epochs -> runs of `halfway_...` and `final_...`), the
content of NAS-Bench-101's official file (`naslib/utils/nb101_api.py`).
"""

from pathlib import Path
from typing import Any

import numpy as np

from nadlab.benchmarks.archive import Archive
from nadlab.benchmarks.official.nasbench101 import Records, archive_of
from nadlab.benchmarks.official.results import MALFORMED, Architecture, Trial, cost_of, name_of, numbers_of, tables
from nadlab.benchmarks.official.unpickle import ARRAYS, PLAIN, NumberArray, read_pickle_file
from nadlab.errors import UserError

_COSTS = {"parameters": "params", "flops": "flops", "latency": "latency"}
_MEASURED = ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy")


def read_naslib201(path: Path) -> Archive:
    """Read a pickle of NAS-Bench-201; raise UserError that names the architecture where it is damaged, or the hostile name."""
    content = _content(path, read_pickle_file(path, PLAIN))
    architectures: list[Architecture] = []
    for text, by_dataset in content.items():
        try:
            architectures.append(_architecture(text, by_dataset))
        except MALFORMED as error:
            raise UserError(_damaged(path, text, error)) from error
    arrays = tables(architectures, path)
    answers: dict[str, dict[str, dict[str, str]]] = {}
    for training in sorted({each for architecture in architectures for each in architecture.trainings}):
        dataset, epochs = training.split("/")
        answers.setdefault(dataset, {})[epochs] = {"valid": f"{training}/valid"}
    return Archive("nasbench201", answers, {"source": path.name, "architectures": str(len(architectures))}, arrays)


def read_naslib101(path: Path) -> Archive:
    """Read a pickle of NAS-Bench-101; raise UserError that names the architecture where it is damaged, or the hostile name."""
    records = Records()
    for module, parts in _content(path, read_pickle_file(path, ARRAYS)).items():
        try:
            fixed, computed = parts
            digits, labels = _digits(fixed["module_adjacency"]), ",".join(fixed["module_operations"])
            for epochs, runs in computed.items():
                for run in runs:
                    steps = (("halfway", epochs / 2), ("final", epochs))
                    values = [n for step, epoch in steps for n in (epoch, *(run[f"{step}_{m}"] for m in _MEASURED))]
                    records.add(module, digits, labels, fixed["trainable_parameters"], epochs, values)
        except MALFORMED as error:
            raise UserError(_damaged(path, module, error)) from error
    return archive_of(records, path)


def _architecture(text: str, by_dataset: Any) -> Architecture:
    trainings: dict[str, dict[int, Trial]] = {}
    costs: dict[str, float] = {}
    for dataset, found in by_dataset.items():
        info = found["cost_info"]
        accuracy = {
            "train": numbers_of(found["train_acc1es"], 100.0),
            "valid": numbers_of(found["eval_acc1es"], 100.0),
        }
        epochs = len(accuracy["valid"])
        if not 1 <= epochs == len(accuracy["train"]) <= 1_000:
            raise ValueError(f"{len(accuracy['train'])} epochs of training, {epochs} of validation")
        seconds = numbers_of([cost_of(info["train_time"]) * epoch for epoch in range(1, epochs + 1)], 1e12)
        trainings[f"{name_of(dataset)}/{epochs}"] = {0: Trial(accuracy, seconds, {})}
        costs |= {f"{dataset}/{ours}": cost_of(_mean(info[theirs])) for ours, theirs in _COSTS.items()}
    if not isinstance(text, str) or not trainings:
        raise ValueError("it has no training")
    return Architecture(text, trainings, costs)


def _mean(value: Any) -> Any:
    # the script that makes ninapro's pickle leaves the single measurements (`scripts/prestore_nasbench360.py`)
    return np.mean(value) if isinstance(value, list) else value


def _digits(adjacency: Any) -> str:
    values = adjacency.values if isinstance(adjacency, NumberArray) else np.array(adjacency)
    if not np.isin(values, (0, 1)).all():
        raise ValueError("an adjacency matrix must be 0s and 1s")
    return "".join(str(int(digit)) for digit in values.ravel())


def _content(path: Path, content: Any) -> dict[Any, Any]:
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no dictionary of architectures: it is none of NASLib's files")
    return content


def _damaged(path: Path, what: object, error: Exception) -> str:
    return f"{path}, {what!r:.120}: it is none of NASLib's results ({error!r:.200}); download it again"
