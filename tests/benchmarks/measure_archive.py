"""Measure NAS-Bench-101 at full size: a synthetic file in the official format, 423,624 cells, three runs.

    python -m tests.benchmarks.measure_archive FOLDER

Prints the seconds and megabytes of the conversion, of opening the archive to the first answer in a fresh process
(less Python's imports), of the same through the official reader's own data structure, and look-ups a second.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from nadlab.benchmarks.archive import write_archive
from nadlab.benchmarks.archived import open_benchmark
from nadlab.benchmarks.official.nasbench101 import read_nasbench101
from nadlab.benchmarks.official.tfrecord import read_records
from nadlab.spaces import space
from tests.benchmarks.official_files import nasbench101_records, write_records

OPEN = """
import time, json, sys
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20
before_imports = time.perf_counter()
from pathlib import Path
from nadlab.benchmarks.archived import open_benchmark
from nadlab.spaces import space
import_seconds = time.perf_counter() - before_imports
memory = resident()
start = time.perf_counter()
oracle = open_benchmark(Path(sys.argv[1]), "cifar10", "nasbench101")
cell = oracle.space.parse("0110/0001/0001/0000;input|conv3x3-bn-relu|maxpool3x3|output")
answer = oracle.evaluate(cell)[0]
first = time.perf_counter() - start
grown = resident() - memory
print(json.dumps({"import_s": import_seconds, "open_to_first_answer_s": first, "memory_mb": grown}))
"""


def official_structure(path: Path) -> dict[str, dict[int, list[dict[str, float]]]]:
    """Fill the dictionaries that `nasbench/api.py` fills in its constructor, on our TFRecord and protobuf readers."""
    import base64

    from nadlab.benchmarks.official.model_metrics import ModelMetrics

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


def main(folder: Path) -> None:
    """Make the files where they are absent, then measure."""
    folder.mkdir(parents=True, exist_ok=True)
    source, archive = folder / "synthetic_only108.tfrecord", folder / "nasbench101.safetensors"
    if not source.exists():
        write_records(source, nasbench101_records(space("nasbench101").enumerate()))
    start = time.perf_counter()
    digest = write_archive(read_nasbench101(source), archive)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"convert {source.stat().st_size / 1e6:.0f} MB -> {archive.stat().st_size / 1e6:.0f} MB: ", end="")
    print(f"{time.perf_counter() - start:.1f} s, peak {peak:.0f} MB, digest {digest[:12]}")
    for _ in range(5):
        print(subprocess.run([sys.executable, "-c", OPEN, archive], capture_output=True, text=True, check=True).stdout)
    oracle = open_benchmark(archive, "cifar10", "nasbench101")
    keys = np.random.default_rng(0).choice(oracle.opened.content.arrays["keys"], 1_000_000)
    start = time.perf_counter()
    oracle.accuracies(oracle.rows(keys), "valid")
    print(f"1,000,000 look-ups by key: {time.perf_counter() - start:.3f} s")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    held = official_structure(source)
    print(f"official data structure: {time.perf_counter() - start:.1f} s for {len(held):,} architectures, ", end="")
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB (peak before: {before:.0f} MB)")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
