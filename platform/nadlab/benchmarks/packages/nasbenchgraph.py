"""NAS-Bench-Graph (Qin et al., NeurIPS 2022), PyPI `nas-bench-graph`, Apache-2.0: nine data sets of graphs.

Each file `light/<dataset>.bench` is a pickle: the number of an architecture (`nadlab.spaces.nasbenchgraph`) -> its
`valid_perf` and `perf` (test), fractions, the means of three trainings; `latency` in seconds; `para`, parameters in
millions. The measure is accuracy, on proteins the area under the ROC curve.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.container import Arrays
from nadlab.benchmarks.official.unpickle import PLAIN, read_pickle
from nadlab.benchmarks.oracle import Facts
from nadlab.benchmarks.packages.package import Package
from nadlab.errors import UserError
from nadlab.spaces.nasbenchgraph import all_keys

DATASETS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins")
_COLUMNS = {
    "valid": ("valid_perf", 100.0),
    "test": ("perf", 100.0),
    "latency": ("latency", 1.0),
    "parameters": ("para", 1.0),
}
"""Column here -> name in the file, factor."""


def read(data: bytes, path: Path) -> Arrays:
    """Return `keys` and the columns; raise UserError when the file has another form or unknown architectures."""
    try:
        table = read_pickle(data, PLAIN, path)
        keys = np.array(sorted(table), np.int64)
        columns = {column: _values(table, keys, *source) for column, source in _COLUMNS.items()}
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path} is not a file of nas-bench-graph ({error}): install the package again") from error
    if not len(keys) or not np.isin(keys, all_keys()).all():
        raise UserError(f"{path} has architectures that are no cells of NAS-Bench-Graph: install the package again")
    for column in ("valid", "test"):
        if not ((columns[column] >= 0) & (columns[column] <= 100)).all():
            raise UserError(f"{path} has a {column} performance outside of 0 to 1: install the package again")
    return {"keys": keys, **columns}


def _values(table: Any, keys: NDArray[np.int64], name: str, factor: float) -> NDArray[np.float64]:
    return np.array([float(table[key][name]) for key in keys.tolist()]) * factor


PACKAGE = Package(
    name="nas-bench-graph",
    module="nas_bench_graph",
    space="nasbenchgraph",
    files={dataset: f"light/{dataset}.bench" for dataset in DATASETS},
    answers=lambda _: {"valid": "valid", "test": "test"},
    units={"valid": "%", "test": "%", "latency": "s", "parameters": "million"},
    read=read,
    facts=Facts("stored", "the authors of NAS-Bench-Graph, three trainings an architecture", held_out=True),
)
