"""Final accuracies: by level, by each of several factors, by a number, against queries."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.figures.style import (
    DEFAULT,
    GREY,
    OTHER,
    SHADES,
    SIZE,
    axes,
    figure_of,
    grid,
    legend,
    log_ticks,
    mark,
    name_levels,
    strokes,
)
from nadlab.analysis.statistics.intervals import mean_interval
from nadlab.analysis.text import outcome_label


def accuracy_by_level(evidence: Evidence) -> Figure:
    """Draw each seed as a line over the levels, and the means with their intervals."""
    rows, trials = evidence.rows, evidence.trials
    drawn = axes(evidence.study.factor, outcome_label(evidence.study))
    places = {row.level: place for place, row in enumerate(rows)}
    for _, seed in trials.groupby("seed"):
        drawn.plot(seed["level"].map(places), seed["accuracy"], color="0.8", linewidth=0.8, marker=".", zorder=1)
    for row in rows:
        mark(drawn, places[row.level], row.accuracy, DEFAULT if row.is_default else OTHER)
    name_levels(drawn, [row.level for row in rows], evidence.study.default_level, evidence.study.reference)
    return figure_of(drawn)


def accuracy_by_factor(evidence: Evidence, factors: Sequence[str], rng: np.random.Generator) -> Figure:
    """Draw each factor's own effect: means over all trials of a level, whatever the other factors are."""
    panels = grid(1, len(factors), (min(11.0, 3.8 * len(factors)), 4.4))
    for panel, factor in zip(panels, factors, strict=True):
        groups = evidence.trials.groupby(evidence.trials[factor].astype(str), sort=False)["accuracy"]
        found = {str(level): mean_interval(values.to_numpy(), rng) for level, values in groups}
        for place, (level, interval) in enumerate(found.items()):
            mark(panel, place, interval, DEFAULT if level == str(evidence.study.default[factor]) else OTHER)
        panel.plot(range(len(found)), [each.mean for each in found.values()], color="0.8", zorder=1)
        panel.set(xlabel=factor, ylabel=outcome_label(evidence.study) if panel is panels[0] else "")
        name_levels(panel, list(found), "")
    return figure_of(panels[0])


def interaction(evidence: Evidence, first: str, second: str) -> Figure:
    """Draw the mean accuracy over the levels of one factor, a line for every level of another: parallel, no interaction."""
    table = evidence.trials.astype({first: str, second: str})
    means = table.pivot_table("accuracy", first, second, "mean", sort=False)
    spread = table.pivot_table("accuracy", first, second, "sem", sort=False)
    drawn = axes(first, outcome_label(evidence.study), (7.0, 4.6))
    for level, stroke in strokes([str(level) for level in means]).items():
        error = spread[level].reindex(means.index) if level in spread else None
        label = f"{second} = {level}"
        drawn.errorbar(range(len(means)), means[level], error, capsize=3, **stroke, label=label)
    name_levels(drawn, list(means.index), "")
    legend(drawn)
    return figure_of(drawn)


def accuracy_by_number(evidence: Evidence, number: str, rng: np.random.Generator) -> Figure:
    """Draw the mean accuracy over a numeric factor, a line for every level of the others, with 95 % bands."""
    others = [factor for factor in evidence.varied if factor != number]
    trials = evidence.trials.astype(dict.fromkeys(others, str))
    groups = trials.groupby(others, sort=False) if others else [("", trials)]
    lines = {", ".join(map(str, key)) if isinstance(key, tuple) else str(key): table for key, table in groups}
    drawn = axes(number, outcome_label(evidence.study))
    for level, stroke in strokes(list(lines)).items():
        table = lines[level]
        numbers = sorted({float(value) for value in table[number]})
        points = {at: mean_interval(table.loc[table[number] == at, "accuracy"].to_numpy(), rng) for at in numbers}
        drawn.plot(list(points), [each.mean for each in points.values()], **stroke, label=level)
        ends = [(each.low, each.high) for each in points.values()]
        if all(low is not None for low, _ in ends):
            drawn.fill_between(list(points), *np.array(ends, float).T, alpha=0.12, color=stroke["color"], linewidth=0)
    if evidence.study.optimum is not None and evidence.study.outcomes[0] == "final":
        drawn.axhline(evidence.study.optimum, color=GREY, linestyle=":", linewidth=1, label="best of the table")
    log_ticks(drawn, trials[number])
    legend(drawn, 1 + (len(lines) > 6))
    return figure_of(drawn)


def pareto(points: pd.DataFrame, evidence: Evidence) -> Figure:
    """Draw levels by their number of queries and mean accuracy; the Pareto front is joined.

    points: a row a level with `level`, `queries`, `accuracy` and `is_best`.
    """
    drawn = axes("queries", outcome_label(evidence.study))
    front = points[points["is_best"]].sort_values("queries")
    drawn.step(front["queries"], front["accuracy"], where="post", color=DEFAULT, zorder=1)
    for _, row in points.iterrows():
        place = row["queries"], row["accuracy"]
        drawn.plot(*place, "o", color=DEFAULT if row["is_best"] else GREY, ms=5)
        if row["is_best"]:
            drawn.annotate(str(row["level"]), place, (4, 5), textcoords="offset points", fontsize=8)
    log_ticks(drawn, points["queries"])
    return figure_of(drawn)


def parallel_coordinates(table: pd.DataFrame, target: str) -> Figure:
    """Draw every row of a table as a line over its columns, coloured by the column `target`; numbers and text alike."""
    scaled, ends = {}, {}
    for name, column in table.items():
        numbers = column if pd.api.types.is_numeric_dtype(column) else pd.Series(pd.factorize(column)[0], column.index)
        low, high = float(numbers.min()), float(numbers.max())
        scaled[name] = (numbers - low) / (high - low) if high > low else numbers * 0 + 0.5
        texts = list(column.astype(str))
        places = int(numbers.argmin()), int(numbers.argmax())
        ends[name] = (f"{low:.4g}", f"{high:.4g}") if numbers is column else (texts[places[0]], texts[places[1]])
    drawn = axes("", "", (min(11.0, 1.5 * len(scaled) + 1.5), SIZE[1]))
    values, column_of_target = np.array(list(scaled.values()), float).T, list(scaled).index(target)
    for row in values[np.argsort(values[:, column_of_target])]:
        drawn.plot(row, color=SHADES(row[column_of_target]), alpha=0.65, linewidth=1)
    numbers = table[target]
    scale = ScalarMappable(Normalize(float(numbers.min()), float(numbers.max())), SHADES)
    figure_of(drawn).colorbar(scale, ax=drawn, label=target, shrink=0.8, pad=0.02)
    for place, (low_text, high_text) in enumerate(ends.values()):
        drawn.axvline(place, color=GREY, linewidth=1)
        drawn.text(place, -0.03, low_text, ha="center", va="top", fontsize=8)
        drawn.text(place, 1.03, high_text, ha="center", va="bottom", fontsize=8)
    drawn.set_xticks(range(len(scaled)), [str(name).replace("_", "\n") for name in scaled])
    drawn.tick_params(axis="x", length=0, pad=14)
    drawn.set_yticks([])
    drawn.set_ylim(-0.02, 1.02)
    drawn.spines[:].set_visible(False)
    drawn.grid(visible=False)
    return figure_of(drawn)
