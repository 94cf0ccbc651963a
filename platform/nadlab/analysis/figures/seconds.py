"""The best cell so far over what the search had spent on trainings."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from nadlab.analysis.figures.search import line
from nadlab.analysis.statistics.intervals import Values

POINTS = 400
Course = tuple[Values, Values]
"""of one search: what was spent at each of its points, ascending, and the value from there on"""


def draw_courses(
    panel: Axes, courses: Sequence[Course], end: float, label: str, stroke: dict[str, Any], rng: np.random.Generator
) -> None:
    """Draw the mean over searches with its band, from where each of them has a value up to `end`."""
    begin = max(spent[0] for spent, _ in courses)
    at = np.linspace(begin, max(begin, end), POINTS)
    held = [values[np.searchsorted(spent, at, side="right") - 1] for spent, values in courses]
    line(panel, at, np.array(held), label, stroke, rng)
