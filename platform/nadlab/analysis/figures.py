"""The report's plots, drawn without a display."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nadlab.analysis.intervals import band
from nadlab.analysis.summary import LevelSummary, by_level
from nadlab.records import Record, StudyRecord, incumbents

SIZE = (7.0, 4.5)
FLAT_LABELS = 7
"""levels beyond which labels would overlap"""


def accuracy_by_level(path: Path, study: StudyRecord, records: Sequence[Record], rows: Sequence[LevelSummary]) -> None:
    """Draw each seed as a line over the levels, and the means with their intervals."""
    axes = _axes(study, study.factor, f"best cell's {study.report_split} accuracy, %")
    positions = {row.level: place for place, row in enumerate(rows)}
    seeds: dict[int, list[tuple[int, float]]] = {}
    for level, group in by_level(study, records).items():
        for record in group:
            seeds.setdefault(record.trial.seed, []).append((positions[level], record.accuracy))
    for points in seeds.values():
        axes.plot(*zip(*points, strict=True), color="0.75", linewidth=0.8, marker=".", zorder=1)
    for row in rows:
        mean, low, high = row.accuracy.mean, row.accuracy.low, row.accuracy.high
        spread = None if low is None or high is None else [[max(0.0, mean - low)], [max(0.0, high - mean)]]
        colour = "C1" if row.is_default else "C0"
        axes.errorbar(positions[row.level], mean, yerr=spread, fmt="o", capsize=4, color=colour, zorder=2)
    axes.set_xticks(
        list(positions.values()),
        [f"{row.level}\n(default)" if row.is_default else row.level for row in rows],
        rotation=90 if len(rows) > FLAT_LABELS else 0,
        fontsize="small" if len(rows) > FLAT_LABELS else None,
    )
    _save(axes, path)


def best_so_far(path: Path, study: StudyRecord, records: Sequence[Record], rng: np.random.Generator) -> None:
    """Draw the mean best accuracy after each query for every level, with 95 % bands."""
    axes = _axes(study, "queries", f"best {study.report_split} accuracy so far, %")
    lowest = []
    for level, group in by_level(study, records).items():
        curves = _stack([incumbents(record, study) for record in group])
        queries = np.arange(1, curves.shape[1] + 1)
        (line,) = axes.step(queries, curves.mean(axis=0), where="post", label=f"{study.factor} = {level}")
        if len(curves) > 1:
            axes.fill_between(queries, *band(curves, rng), step="post", alpha=0.15, color=line.get_color())
        lowest.append(float(curves.mean(axis=0)[len(queries) // 10]))
    axes.axhline(study.optimum, color="0.3", linestyle=":", linewidth=1, label="best in the table")
    # the first random queries are far below: they would flatten all that matters
    axes.set_ylim(bottom=min(lowest), top=study.optimum + 0.05 * (study.optimum - min(lowest) + 1e-6))
    axes.legend(fontsize="small")
    _save(axes, path)


def accuracy_by_number(path: Path, study: StudyRecord, records: Sequence[Record], rng: np.random.Generator) -> None:
    """Draw the mean accuracy over the second factor, a number, for every level of the first, with 95 % bands."""
    first, second = study.default
    groups: dict[str, dict[float, list[float]]] = {}
    for group in by_level(study, records).values():
        settings = group[0].trial.settings
        accuracies = [record.accuracy for record in group]
        groups.setdefault(str(settings[first]), {})[float(settings[second])] = accuracies
    axes = _axes(study, second, f"best cell's {study.report_split} accuracy, %")
    for level, points in groups.items():
        numbers = sorted(points)
        (line,) = axes.plot(numbers, [np.mean(points[number]) for number in numbers], marker=".", label=level)
        if min(map(len, points.values())) > 1:
            ends = [band(np.array(points[number])[:, None], rng) for number in numbers]
            low, high = (np.concatenate(side) for side in zip(*ends, strict=True))
            axes.fill_between(numbers, low, high, alpha=0.15, color=line.get_color())
    axes.axhline(study.optimum, color="0.3", linestyle=":", linewidth=1, label="best in the table")
    axes.set_xscale("log")
    ticks = sorted({number for points in groups.values() for number in points})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.legend(fontsize="small", ncols=2)
    _save(axes, path)


def _stack(curves: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    longest = max(map(len, curves))
    return np.array([[*curve, *[curve[-1]] * (longest - len(curve))] for curve in curves])


def _axes(study: StudyRecord, x: str, y: str) -> Axes:
    axes = Figure(figsize=SIZE, layout="constrained").add_subplot()
    axes.set(xlabel=x, ylabel=y, title=f"{study.study} on {study.benchmark}")
    axes.grid(alpha=0.3)
    return axes


def _save(axes: Axes, path: Path) -> None:
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.savefig(path, dpi=150)
