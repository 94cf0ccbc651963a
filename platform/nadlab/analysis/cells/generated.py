"""Quality of AG's cells under rank 0 (Section 4.3.2, Table 4): validity, and accuracy of those in the benchmark."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.oracle import Oracle
from nadlab.queries.sampling import one_of_each
from nadlab.semigan.diagnostics import search_accuracies
from nadlab.spaces import Cells


@dataclass(frozen=True, slots=True)
class GeneratedQuality:
    """Shares of cells generated under rank 0; accuracies are the benchmark's search accuracies in percent."""

    share_valid: float
    """valid cells among the generated"""
    classes: int
    """isomorphism classes among the valid"""
    held: int
    """valid cells that the benchmark holds, duplicates counted"""
    held_classes: int
    above: tuple[float, ...]
    """share of the held cells above each threshold, NaN where none is held"""
    table_above: tuple[float, ...]
    """share of the benchmark's own cells above each threshold"""


def quality(cells: Cells, count: int, oracle: Oracle, thresholds: tuple[float, ...]) -> GeneratedQuality:
    """Measure the valid ones of `count` generated cells, duplicates kept, outside any ledger."""
    held = cells[oracle.queryable(cells)]
    return GeneratedQuality(
        share_valid=len(cells) / count,
        classes=len(one_of_each(cells, oracle.space)) if len(cells) else 0,
        held=len(held),
        held_classes=len(one_of_each(held, oracle.space)) if len(held) else 0,
        above=shares_above(search_accuracies(oracle, held), thresholds),
        table_above=shares_above(search_accuracies(oracle, oracle.pool()), thresholds),
    )


def shares_above(accuracies: NDArray[np.float64], thresholds: tuple[float, ...]) -> tuple[float, ...]:
    """Return the share of accuracies above each threshold, NaN for an empty array."""
    if not len(accuracies):
        return (float("nan"),) * len(thresholds)
    return tuple(float((accuracies > threshold).mean()) for threshold in thresholds)
