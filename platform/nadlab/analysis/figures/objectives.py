"""Several objectives: Pareto fronts and hypervolume against queries."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from nadlab.analysis.figures.style import axes, figure_of, legend, strokes
from nadlab.analysis.statistics.intervals import Values, band
from nadlab.benchmarks.oracle import Metric

WIDE = 10
"""ratio of the ends of an objective from which its axis is logarithmic"""


def fronts(found: Mapping[str, Sequence[Values]], metrics: Sequence[Metric]) -> Figure:
    """Draw the Pareto front of every search by its first two objectives, a colour a level.

    found: level -> for each seed the objectives of its front, (front, M), in their own units.
    """
    first, second = metrics[:2]
    drawn = axes(second.label, first.label)
    for level, stroke in strokes(list(found)).items():
        for place, front in enumerate(found[level]):
            ordered = front[np.argsort(front[:, 1])]
            label = level if place == 0 else None
            drawn.plot(ordered[:, 1], ordered[:, 0], linewidth=0.6, alpha=0.55, **stroke, label=label)
    every = np.concatenate([front[:, 1] for level in found.values() for front in level])
    if every.min() > 0 and every.max() > WIDE * every.min():
        drawn.set_xscale("log")
    legend(drawn)
    return figure_of(drawn)


def hypervolume_curves(curves: Mapping[str, Values], rng: np.random.Generator) -> Figure:
    """Draw one less the mean hypervolume by query, a line a level, with 95 % bands; curves: level -> (seeds, queries)."""
    drawn = axes("queries", "1 - hypervolume")
    for level, stroke in strokes(list(curves)).items():
        queries = np.arange(1, curves[level].shape[1] + 1)
        missing = 1 - curves[level]
        drawn.step(queries, missing.mean(axis=0), where="post", **stroke, markevery=0.1, label=level)
        if len(missing) > 1:
            drawn.fill_between(
                queries, *band(missing, rng), step="post", alpha=0.13, color=stroke["color"], linewidth=0
            )
    drawn.set_yscale("log")
    drawn.yaxis.set_major_formatter("{x:g}")
    legend(drawn)
    return figure_of(drawn)
