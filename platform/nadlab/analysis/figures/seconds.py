"""The best cell so far over what the search had spent on trainings."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.figures.search import level_strokes, line
from nadlab.analysis.figures.style import axes, figure_of, legend
from nadlab.analysis.statistics.intervals import Values
from nadlab.analysis.text import level_name

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


def anytime_seconds(evidence: Evidence, title: str, rng: np.random.Generator) -> Figure | None:
    """Draw regret or accuracy by seconds of training, each level up to where its first search ends; None where a query has none."""
    spent, study = {level: evidence.seconds(level) for level in evidence.drawn}, evidence.study
    if any(np.isnan(each).any() for each in spent.values()):
        return None
    drawn = axes("seconds of training", title)
    for level, stroke in level_strokes(evidence).items():
        courses = list(zip(spent[level], evidence.anytime(level), strict=True))
        label = level_name(level, study.default_level, study.reference)
        draw_courses(drawn, courses, float(spent[level][:, -1].min()), label, stroke, rng)
    legend(drawn)
    return figure_of(drawn)
