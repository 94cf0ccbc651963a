"""The course of a trial: regret or accuracy by query, losses by epoch, shares of generated cells."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.figures.style import GREY, axes, colours, figure_of, grid, legend, name_levels
from nadlab.analysis.statistics.intervals import band
from nadlab.analysis.text import level_name

LOSSES = {"discriminator": "D: equation 6, negated", "generator": "AG: equation 10", "predictor": "PP: equation 8"}
SMALL_REGRET = 0.05
"""percentage points below which the axis is linear; of another metric, the share of the largest mean regret"""


def anytime_curves(evidence: Evidence, rng: np.random.Generator) -> Figure:
    """Draw the mean regret of the best cell so far by query, a line a level, with 95 % bands; accuracy without an optimum."""
    known = evidence.study.optimum is not None
    metric = evidence.study.measured
    regret = ", ".join(filter(None, ["regret", metric.difference_unit]))
    drawn = axes(
        "queries", regret if known else metric.label.replace(metric.name, f"{metric.name} of the best cell so far")
    )
    for level, colour in level_colours(evidence).items():
        curves = evidence.anytime(level)
        queries = np.arange(1, curves.shape[1] + 1)
        drawn.step(
            queries,
            curves.mean(axis=0),
            where="post",
            color=colour,
            label=level_name(level, evidence.study.default_level, evidence.study.reference),
        )
        if len(curves) > 1:
            drawn.fill_between(queries, *band(curves, rng), step="post", alpha=0.13, color=colour, linewidth=0)
    if known:
        drawn.set_yscale("symlog", linthresh=linear_below(evidence))
        drawn.set_ylim(bottom=0)
        drawn.yaxis.set_major_formatter("{x:g}")
    legend(drawn, 1 + (len(evidence.drawn) > 5))
    return figure_of(drawn)


def linear_below(evidence: Evidence) -> float:
    """Return the regret below which the axis is linear, in the metric's unit."""
    if evidence.study.measured.unit == "%":
        return SMALL_REGRET
    largest = max(float(evidence.anytime(level).mean(axis=0).max()) for level in evidence.drawn)
    return float(f"{SMALL_REGRET * largest:.1g}") or 1e-9


def losses(evidence: Evidence, histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the losses of D, AG and PP by epoch, means over seeds, a line a level.

    histories: level -> a row an epoch.
    """
    panels = grid(1, len(LOSSES), (10.5, 3.4))
    for panel, (name, title) in zip(panels, LOSSES.items(), strict=True):
        for level, colour in level_colours(evidence).items():
            if level in histories:
                panel.plot(
                    histories[level].index,
                    histories[level][name],
                    color=colour,
                    label=level_name(level, evidence.study.default_level, evidence.study.reference),
                )
        panel.set_title(title, fontsize=10, loc="left")
        panel.set_xlabel("epoch")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(panels[-1])
    return figure_of(panels[0])


def shares(means: pd.DataFrame, evidence: Evidence) -> Figure:
    """Draw shares by level, means over seeds; means: a row a level, a column a share."""
    drawn = axes(evidence.study.factor, "share")
    for name, colour in colours([str(name) for name in means], ordered=False).items():
        drawn.plot(range(len(means)), means[name], marker="o", color=colour, label=name.removeprefix("share_"))
    drawn.set_ylim(-0.02, 1.02)
    drawn.axhline(1, color=GREY, linewidth=0.8)
    name_levels(drawn, [str(level) for level in means.index], evidence.study.default_level, evidence.study.reference)
    legend(drawn)
    return figure_of(drawn)


def level_colours(evidence: Evidence) -> dict[str, str]:
    """Return the colour of every level that is drawn as a line."""
    values = list(evidence.study.default.values())
    ordered = len(values) == 1 and type(values[0]) in (int, float)
    return colours(evidence.drawn, ordered)
