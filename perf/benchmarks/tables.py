"""Time NAS-Bench-101 at full size: a synthetic file in the official format, three runs a cell, against its archive.

An archive is opened in fresh processes, from the call to the first answer and without Python's imports; the official
reader's own dictionaries are filled from the same file in this process, on nadlab's TFRecord and protobuf readers.

\b
python perf/benchmarks/tables.py                # the whole space
python perf/benchmarks/tables.py --cells 42000  # a tenth of it
"""

import base64
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np

from nadlab.benchmarks.archive import write_archive
from nadlab.benchmarks.official.model_metrics import ModelMetrics
from nadlab.benchmarks.official.nasbench101 import read_nasbench101
from nadlab.benchmarks.official.tfrecord import read_records
from nadlab.benchmarks.tabular import open_benchmark
from nadlab.cli.command_line import run_command
from nadlab.spaces import space
from nadlab.spaces.nasbench101 import CELL_COUNT
from perf.benchmarks.nasbench101_file import nasbench101_records, write_records
from perf.measuring import as_json, cpu_seconds, show, spread

LOOK_UPS = 1_000_000
OPEN = """
import time, json, sys
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20
before_imports = time.perf_counter()
from pathlib import Path
from nadlab.benchmarks.tabular import open_benchmark
import_seconds = time.perf_counter() - before_imports
memory = resident()
start, cpu = time.perf_counter(), time.process_time()
oracle = open_benchmark(Path(sys.argv[1]), "cifar10", "nasbench101")
cell = oracle.space.parse("0110/0001/0001/0000;input|conv3x3-bn-relu|maxpool3x3|output")
answer = oracle.evaluate(cell)[0]
first, used = time.perf_counter() - start, time.process_time() - cpu
grown = resident() - memory
figures = {"import_s": import_seconds, "open_to_first_answer_s": first, "cpu_s": used, "memory_mb": grown}
print(json.dumps(figures, allow_nan=False))
"""


def official_structure(path: Path) -> dict[str, dict[int, list[dict[str, float]]]]:
    """Fill the dictionaries that `nasbench/api.py` fills in its constructor, on our TFRecord and protobuf readers."""
    computed: dict[str, dict[int, list[dict[str, float]]]] = {}
    for _, data in read_records(path):
        module, epochs, *_, encoded = json.loads(data)
        metrics = ModelMetrics.FromString(base64.b64decode(encoded))
        point: dict[str, float] = {}
        for prefix, step in zip(("halfway", "final"), metrics.evaluation_data[1:], strict=True):
            for name in ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy"):
                point[f"{prefix}_{name}"] = getattr(step, name)
        computed.setdefault(module, {}).setdefault(epochs, []).append(point)
    return computed


@click.command(help=__doc__)
@click.option("--cells", default=CELL_COUNT, show_default=True, type=click.IntRange(1, CELL_COUNT), help="in the file")
@click.option("--repetitions", default=5, show_default=True, type=click.IntRange(1))
@as_json
def command(cells: int, repetitions: int, as_json: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, archive = Path(folder) / "synthetic_only108.tfrecord", Path(folder) / "nasbench101.safetensors"
        write_records(source, nasbench101_records(space("nasbench101").enumerate()[:cells]))
        figures: dict[str, Any] = {
            "MB of the official file": source.stat().st_size / 1e6,
            "CPU s of the conversion": cpu_seconds(lambda: write_archive(read_nasbench101(source), archive)),
            "MB of the archive": archive.stat().st_size / 1e6,
            "CPU s of filling the official dictionaries": cpu_seconds(lambda: official_structure(source)),
        }
        command = [sys.executable, "-c", OPEN, str(archive)]
        opened = [
            json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            for _ in range(repetitions)
        ]
        oracle = open_benchmark(archive, "cifar10", "nasbench101")
        keys = np.random.default_rng(0).choice(oracle.identities, LOOK_UPS)
        looked_up = [cpu_seconds(lambda: oracle.accuracies(oracle.rows(keys), "valid")) for _ in range(repetitions)]
    figures |= {
        "s from opening the archive to the first answer": spread([each["open_to_first_answer_s"] for each in opened]),
        "CPU s of it": spread([each["cpu_s"] for each in opened]),
        "MB that opening adds to the process": spread([each["memory_mb"] for each in opened]),
        f"CPU s of {LOOK_UPS:,} look-ups by key": spread(looked_up),
    }
    show(figures, as_json)


if __name__ == "__main__":
    sys.exit(run_command(command))
