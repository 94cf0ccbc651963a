"""AnalogNAS-Bench, PyPI `analog-nasbench` (states no licence): NAS-Bench-201's cells trained anew on CIFAR-10.

Its file is a pickle: six operation numbers -> accuracies in percent after digital training (`baseline`), quantised
after (`ptq`) and while training (`qat`), with noise, trained for analog hardware, and of the first and the last on analog
hardware after 60 to 2,592,000 seconds of drift. The package does not say on which images: all are taken as test.
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
from nadlab.spaces.nasbench201 import CELL_COUNT, EDGE_OPERATIONS, EDGES, cells_of, index_of

OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
"""What its numbers stand for; the package does not say. Found by rank correlation with NAS-Bench-201's own accuracies
on CIFAR-10 over all orders of operations and edges: 0.991, and tested."""
ITS_EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
"""(source, target) of its six numbers, found alike."""
ACCURACIES = tuple(f"{name}_accuracy" for name in ("baseline", "ptq", "qat", "noisy", "analog"))
DRIFTS = tuple(
    f"{name}_drift_{seconds}" for name in ("baseline", "analog") for seconds in (60, 3_600, 86_400, 2_592_000)
)


class _Record:
    """Stands in for the package's two classes: what they hold."""

    state: dict[str, Any]

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.state = state


_CLASSES = {("analognasbench.data", name): _Record for name in ("Architecture", "DriftMeasurement")}


def cell_indices(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place in NAS-Bench-201's enumeration of the package's operation numbers, (N, 6) -> (N,)."""
    ours = np.array([EDGE_OPERATIONS.index(operation) for operation in OPERATIONS])
    order = [ITS_EDGES.index(edge) for edge in EDGES]
    return index_of(cells_of(ours[numbers[:, order]]))


def read(data: bytes, path: Path) -> Arrays:
    """Return `keys`, ascending, and every metric; raise UserError when the file has another form."""
    try:
        table = read_pickle(data, {**PLAIN, **_CLASSES}, path)
        numbers = np.array(list(table), np.int64)
        if numbers.ndim != 2 or numbers.shape[1] != len(EDGES) or not np.isin(numbers, range(len(OPERATIONS))).all():
            raise ValueError("its keys are not six operation numbers")
        states = [record.state for record in table.values()]
        columns = {name: np.array([float(state[name]) for state in states]) for name in ACCURACIES}
        columns |= {name: np.array([float(state[name].state["value"]) for state in states]) for name in DRIFTS}
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path} is not a file of analog-nasbench ({error}): install the package again") from error
    for name, values in columns.items():
        if not ((values >= 0) & (values <= 100)).all():
            raise UserError(f"{path} has a {name} outside of 0 to 100 percent: install the package again")
    keys, order = np.unique(cell_indices(numbers), return_index=True)
    if len(keys) != CELL_COUNT:
        raise UserError(f"{path} has {len(keys):,} cells instead of {CELL_COUNT:,}: install the package again")
    return {"keys": keys, **{name: values[order] for name, values in columns.items()}}


PACKAGE = Package(
    name="analog-nasbench",
    module="analognasbench",
    space="nasbench201",
    files=dict.fromkeys((*ACCURACIES, *DRIFTS), "data.anb"),
    answers=lambda metric: {"test": metric},
    units=dict.fromkeys((*ACCURACIES, *DRIFTS), "%"),
    read=read,
    facts=Facts("stored", "the authors of AnalogNAS-Bench"),
    maximised=(*ACCURACIES, *DRIFTS),
)
