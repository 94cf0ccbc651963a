"""Searches outside a study: the best cell so far over queries and, where answers say what they cost, over seconds."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from nadlab.analysis.figures.search import zoom
from nadlab.analysis.figures.seconds import Course, draw_courses
from nadlab.analysis.figures.style import figure_of, grid, legend, strokes
from nadlab.analysis.statistics.intervals import Values
from nadlab.benchmarks.oracle import Metric, Split
from nadlab.evaluations.answers import SECONDS
from nadlab.queries.goals import Goals
from nadlab.queries.ledger import Query
from nadlab.study.incumbents import curve_of

Ledgers = Mapping[str, Sequence[Sequence[Query]]]
"""method -> the queries of each of its searches in order"""
SHOWN_FROM = 0.1
"""share of the budget: before it, all that is seen is how bad the first cells are"""


def anytime(ledgers: Ledgers, search: Split, report: Split, metric: Metric, goals: Goals, y: str) -> Figure | None:
    """Draw the reported answer of the best cell so far, means with 95 % bands; None where some search found no cell."""
    courses = {
        method: [_course(queries, curve_of(queries, search, report, metric, goals)) for queries in each]
        for method, each in ledgers.items()
    }
    every = [course for each in courses.values() for course in each]
    if not all(len(values) for _, _, values in every):
        return None
    has_seconds = not any(np.isnan(seconds).any() for _, seconds, _ in every)
    panels = grid(1, 1 + has_seconds, (7.0 + 3.5 * has_seconds, 4.2))
    rng = np.random.default_rng(0)
    for place, (panel, x) in enumerate(zip(panels, ("queries", "seconds of training"), strict=False)):
        for method, stroke in strokes(list(courses), default=next(iter(courses))).items():
            drawn: list[Course] = [(course[place], course[2]) for course in courses[method]]
            draw_courses(panel, drawn, min(float(spent[-1]) for spent, _ in drawn), method, stroke, rng)
        panel.set(xlabel=x, ylabel=y)
        zoom(panel, SHOWN_FROM * panel.dataLim.x1)
    legend(panels[0])
    return figure_of(panels[0])


def _course(queries: Sequence[Query], values: Sequence[float]) -> tuple[Values, Values, Values]:
    """Return queries, seconds and values from the first feasible query on; seconds are NaN where an answer does not say its own."""
    known = np.isfinite(values)
    seconds = np.cumsum(np.array([query.extras.get(SECONDS.name, np.nan) for query in queries], np.float64))
    number = np.arange(1.0, len(queries) + 1)
    return number[known], seconds[known], np.array(values, np.float64)[known]
