"""What the paper prints about 5,000 cells that AG generates under rank 0 on NAS-Bench-101, and how far a reading is from it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from nadlab.analysis.cells.signatures import signature
from nadlab.semigan.diagnostics import Fidelity
from nadlab.spaces import Cells, SearchSpace

PRINTED: Mapping[str, float] = {
    "valid": 0.3673,
    "ratio": 0.7030 / 0.1549,
    "conv 3x3": 0.7478,
    "conv 1x1": 0.0588,
    "max pool": 0.0321,
    "path 1": 0.7081,
    "path 2": 0.2473,
}
"""observable -> its printed value: Section 4.3.2, Table 4 (share of rank 0 over the benchmark's own), Figures 4 and 5"""
GROUPS: Sequence[Sequence[str]] = (("valid",), ("ratio",), tuple(PRINTED)[2:])
"""observables whose errors are averaged before the distance is"""
OPERATIONS = {"conv 3x3": "conv3x3-bn-relu", "conv 1x1": "conv1x1-bn-relu", "max pool": "maxpool3x3"}


class Generated(NamedTuple):
    """What one trained AG made."""

    observables: dict[str, float]
    """as `PRINTED`; NaN where no cell shows it"""
    diversity: float
    """isomorphism classes among the valid cells, 0 where there are none"""


def generated(cells: Cells, judged: Fidelity, space: SearchSpace) -> Generated:
    """Return the observables of the valid generated cells, duplicates counted as the paper does; the ratio is of new classes."""
    observables = dict.fromkeys(PRINTED, float("nan")) | {
        "valid": judged.valid / judged.generated,
        "ratio": judged.ratio,
    }
    if len(cells):
        shares = signature(cells, space)
        observables |= {
            name: float(shares.includes[space.operations.index(operation)]) for name, operation in OPERATIONS.items()
        }
        observables |= {f"path {length}": float(shares.shortest_paths[length - 1]) for length in (1, 2)}
    return Generated(observables, judged.classes / max(1, judged.valid))


def errors(observables: Mapping[str, float]) -> dict[str, float]:
    """Return each observable's absolute error, that of the ratio as a share of the printed one; at most 1, and 1 for NaN."""
    found = {}
    for name, printed in PRINTED.items():
        error = abs(observables[name] - printed) / (printed if name == "ratio" else 1)
        found[name] = 1.0 if np.isnan(error) else min(1.0, error)
    return found


def distance(observables: Mapping[str, float]) -> float:
    """Return the mean error of validity, ratio and signatures, which count alike: 0 is the paper, 1 has nothing of it."""
    each = errors(observables)
    return float(np.mean([np.mean([each[name] for name in group]) for group in GROUPS]))
