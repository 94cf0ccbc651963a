"""The course of a trial: regret or accuracy by query, losses by epoch, shares of generated cells."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.figures.style import GREY, axes, figure_of, grid, legend, name_levels, strokes
from nadlab.analysis.statistics.intervals import Values, band
from nadlab.analysis.text import level_name

LOSSES = {
    "discriminator": ("D: equation 6, negated", "nats"),
    "generator": ("AG: equation 10 without its factor 1 - alpha", "nats"),
    "labelled_error": ("PP: gamma_2 of equation 9", "squared error of labelled cells"),
}
"""losses of a history -> title and axis: those that alpha and alpha_p do not scale"""
SMALL_REGRET = 0.05
"""percentage points below which a logarithmic axis is linear; of another metric, the share of the largest mean regret"""
WIDE = 10
"""ratio of the ends of regret from which its axis is logarithmic"""


def anytime_curves(evidence: Evidence, rng: np.random.Generator) -> Figure:
    """Draw the best cell so far by query, a line a level with 95 % bands: what is reported of it, and what search saw.

    Reported: the mean regret, or accuracy where the optimum is unknown. The axes begin where the levels begin to differ.
    """
    study, known = evidence.study, evidence.study.optimum is not None
    metric, two = study.measured, study.searched_by != study.reported_by
    regret = ", ".join(filter(None, [f"{study.reported_by} regret", metric.difference_unit]))
    panels = grid(1, 2, (10.5, 4.2)) if two else [axes("", "")]
    start = _start(evidence)
    named = level_strokes(evidence)
    for level, stroke in named.items():
        label = level_name(level, study.default_level, study.reference)
        _line(panels[0], evidence.anytime(level), label, stroke, rng)
        if two:
            _line(panels[1], evidence.search_curves[level], label, stroke, rng)
    if evidence.random_search is not None:
        reported, searched = evidence.random_search
        grey = {"color": GREY, "linestyle": ":"}
        _line(panels[0], study.regret(reported) if known else reported, "random search", grey, rng)
        if two:
            _line(panels[1], searched, "random search", grey, rng)
    titles = (regret if known else f"{study.reported_by} {metric.heading}", f"{study.searched_by} {metric.heading}")
    for panel, title in zip(panels, titles, strict=False):
        panel.set(xlabel="queries", ylabel=title)
        zoom(panel, start)
        for labels in evidence.initial_queries:
            panel.axvline(labels, color=GREY, linewidth=0.8)
        if len(evidence.initial_queries) == 1:
            panel.text(
                evidence.initial_queries[0], 1.01, "labels end", transform=panel.get_xaxis_transform(), ha="center",
                fontsize=8, color="#4a545e",
            )  # fmt: skip
    low, high = panels[0].get_ylim()
    if known and min(float(np.min(line.get_ydata())) for line in panels[0].lines[: len(named)]) * WIDE < high:
        panels[0].set_yscale("symlog", linthresh=linear_below(evidence))
        panels[0].set_ylim(max(0.0, low), high)
        panels[0].yaxis.set_major_formatter("{x:g}")
    legend(panels[-1], 1 + (len(named) > 5))
    return figure_of(panels[0])


def linear_below(evidence: Evidence) -> float:
    """Return the regret below which a logarithmic axis is linear, in the metric's unit."""
    if evidence.study.measured.unit == "%":
        return SMALL_REGRET
    largest = max(float(evidence.anytime(level).mean(axis=0).max()) for level in evidence.drawn)
    return float(f"{SMALL_REGRET * largest:.1g}") or 1e-9


def losses(evidence: Evidence, histories: Mapping[str, Mapping[str, Values]], rng: np.random.Generator) -> Figure:
    """Draw the losses of D, AG and PP by epoch, a line a level with 95 % bands over seeds.

    histories: level -> loss -> (seeds, epochs).
    """
    panels = grid(1, len(LOSSES), (11.0, 3.6))
    for panel, (name, (title, unit)) in zip(panels, LOSSES.items(), strict=True):
        for level, stroke in level_strokes(evidence).items():
            if level in histories and np.isfinite(histories[level][name]).all():
                label = level_name(level, evidence.study.default_level, evidence.study.reference)
                _line(panel, histories[level][name], label, stroke, rng)
        panel.set_title(title, fontsize=9, loc="left")
        panel.set(xlabel="epoch", ylabel=unit)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(panels[0])
    return figure_of(panels[0])


def shares(means: pd.DataFrame, deviations: pd.DataFrame, evidence: Evidence) -> Figure:
    """Draw shares by level, means and standard deviations over seeds; both tables: a row a level, a column a share."""
    drawn = axes(evidence.study.factor, "share")
    for place, (name, stroke) in enumerate(strokes([str(name) for name in means]).items()):
        at = np.arange(len(means)) + 0.06 * (place - (means.shape[1] - 1) / 2)
        drawn.errorbar(at, means[name], deviations[name], capsize=3, label=name.removeprefix("share_"), **stroke)
    drawn.set_ylim(-0.02, 1.05)
    name_levels(drawn, [str(level) for level in means.index], evidence.study.default_level, evidence.study.reference)
    legend(drawn)
    return figure_of(drawn)


def level_strokes(evidence: Evidence) -> dict[str, dict[str, Any]]:
    """Return colour, dashes and marker of every level that is drawn as a line."""
    values = list(evidence.study.default.values())
    is_number = len(values) == 1 and type(values[0]) in (int, float)
    return strokes(evidence.drawn, is_number, evidence.study.default_level)


def _line(panel: Axes, curves: Values, label: str, stroke: dict[str, Any], rng: np.random.Generator) -> None:
    line(panel, np.arange(1.0, curves.shape[1] + 1), curves, label, stroke, rng)


def line(
    panel: Axes, steps: Values, curves: Values, label: str, stroke: dict[str, Any], rng: np.random.Generator
) -> None:
    """Draw the mean of curves, (seeds, steps), with its band."""
    every = max(2, len(steps) // 10)
    marks = (len(panel.lines) % every, every)  # where curves lie on each other, each still shows its own
    panel.step(steps, curves.mean(axis=0), where="post", label=label, markevery=marks, **stroke)
    if len(curves) > 1:
        panel.fill_between(steps, *band(curves, rng), step="post", alpha=0.13, color=stroke["color"], linewidth=0)


def zoom(panel: Axes, start: float) -> None:
    """Begin the axis at a query, and fit the other one to what is drawn from there on."""
    steps = [np.asarray(line.get_xdata(), float) for line in panel.lines]
    seen = np.concatenate([
        np.asarray(line.get_ydata(), float)[at >= start] for line, at in zip(panel.lines, steps, strict=True)
    ])  # fmt: skip
    last = max(float(at.max()) for at in steps)
    margin = 0.06 * float(np.nanmax(seen) - np.nanmin(seen)) or 0.01
    panel.set_xlim(start if start < last else 1, last + 0.02 * (last - start))
    panel.set_ylim(float(np.nanmin(seen)) - margin, float(np.nanmax(seen)) + margin)


def _start(evidence: Evidence) -> int:
    """Return the query shortly before the mean curves of two levels first differ; 1 where they never do."""
    means = [curves.mean(axis=0) for curves in map(evidence.anytime, evidence.drawn)]
    longest = max(map(len, means))
    padded = [np.pad(mean, (0, longest - len(mean)), constant_values=np.nan) for mean in means]
    with np.errstate(invalid="ignore"):
        differ = np.flatnonzero(np.fmax.reduce(padded) - np.fmin.reduce(padded) > 1e-9)
    return max(1, int(differ[0]) + 1 - longest // 10) if len(differ) else 1
