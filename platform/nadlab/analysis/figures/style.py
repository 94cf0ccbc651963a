"""Style of every plot, and its files as SVG and PNG."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nadlab.analysis.statistics.intervals import Interval

SIZE = (7.0, 4.2)
DEFAULT = "#c8553d"
"""colour of the default level"""
OTHER = "#2f6690"
GREY = "#8a94a0"
COLOURS = ("#2f6690", "#c8553d", "#3a7d44", "#e0a030", "#7b4b94", "#2a9d8f", "#9d6b53", "#d36aa0", "#6c757d", "#101820")
SHADES = matplotlib.colors.LinearSegmentedColormap.from_list("shades", ["#9cc3dd", OTHER, "#10283c"])
"""of numbers, and of levels that are numbers"""
DASHES = ((0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)), (0, (3, 1, 1, 1, 1, 1)), (0, (9, 3)))
MARKERS = ("s", "^", "D", "v", "P", "X", "<", ">", "*")
STYLE: dict[Any, Any] = {
    "font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#8a94a0",
    "axes.labelcolor": "#2b333b", "xtick.color": "#4a545e", "ytick.color": "#4a545e", "axes.grid": True,
    "grid.color": "#e4e8ec", "axes.axisbelow": True, "lines.linewidth": 1.6, "svg.fonttype": "none",
}  # fmt: skip


def axes(x: str, y: str, size: tuple[float, float] = SIZE) -> Axes:
    """Return the axes of a new figure."""
    with matplotlib.rc_context(STYLE):
        drawn = Figure(figsize=size, layout="constrained").add_subplot()
    drawn.set(xlabel=x, ylabel=y)
    return drawn


def grid(rows: int, columns: int, size: tuple[float, float]) -> list[Axes]:
    """Return the axes of a new figure with several of them, row by row."""
    with matplotlib.rc_context(STYLE):
        found = Figure(figsize=size, layout="constrained").subplots(rows, columns, squeeze=False)
    return list(found.flat)


def legend(drawn: Axes, columns: int = 1) -> None:
    """Name the lines."""
    drawn.legend(ncols=columns, frameon=False, fontsize="small")


def figure_of(drawn: Axes) -> Figure:
    """Return the figure of some axes."""
    figure = drawn.get_figure(root=True)
    assert figure is not None
    return figure


def strokes(levels: Sequence[str], ordered: bool = False, default: str = "") -> dict[str, dict[str, Any]]:
    """Return colour, dashes and marker of each level's line, all three its own: colour alone is not enough for all readers.

    The default is solid and has its own colour; ordered levels get shades in order.
    """
    others = [level for level in levels if level != default]
    free = [colour for colour in COLOURS if colour != DEFAULT]
    found: dict[str, dict[str, Any]] = {}
    for place, level in enumerate(others):
        shade = matplotlib.colors.to_hex(SHADES(place / max(1, len(others) - 1)))
        colour = shade if ordered and len(others) > 1 else free[place % len(free)]
        found[level] = {
            "color": colour,
            "linestyle": DASHES[place % len(DASHES)],
            "marker": MARKERS[place % len(MARKERS)],
        }
    found[default] = {"color": DEFAULT, "linestyle": "-", "marker": "o", "linewidth": 2.6, "zorder": 1.9}
    return {level: {"markersize": 4.5, "markeredgewidth": 0, **found[level]} for level in levels}


def mark(drawn: Axes, place: float, interval: Interval, colour: str) -> None:
    """Draw a mean with its interval as an upright bar."""
    ends = None
    if interval.low is not None and interval.high is not None:
        ends = [[max(0.0, interval.mean - interval.low)], [max(0.0, interval.high - interval.mean)]]
    drawn.errorbar(place, interval.mean, yerr=ends, fmt="o", capsize=4, color=colour)


def log_ticks(drawn: Axes, numbers: Iterable[float]) -> None:
    """Make the x axis logarithmic, with a tick at each number."""
    ticks = sorted({float(value) for value in numbers})
    drawn.set_xscale("log")
    drawn.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    drawn.minorticks_off()


def name_levels(drawn: Axes, levels: Sequence[str], default: str, word: str = "default") -> None:
    """Label the x axis with the levels, upright where they would overlap."""
    texts = [f"{level}\n({word})" if level == default and len(levels) <= 7 else level for level in levels]
    crowded = len(levels) > 7 or max(map(len, levels)) * len(levels) > 80
    drawn.set_xticks(range(len(levels)), texts, rotation=90 if crowded else 0, fontsize="small" if crowded else None)


def svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element for a page; `name` keeps its inner names apart from other figures'."""
    written = io.StringIO()
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        figure.savefig(written, format="svg", metadata={"Date": None}, transparent=True)
    text = written.getvalue()
    return text[text.index("<svg") :]


def save(figure: Figure, folder: Path, name: str) -> tuple[str, list[Path]]:
    """Write NAME.png and NAME.svg; return the SVG element and the paths. A colon of a plugin's name is no part of a file's."""
    # laid out once, not again for each file
    layout = figure.get_layout_engine()
    assert layout is not None
    layout.execute(figure)
    figure.set_layout_engine(None)
    element = svg(figure, name)
    file = name.replace(":", ".")
    paths = [folder / f"{file}.png", folder / f"{file}.svg"]
    with matplotlib.rc_context(STYLE):
        figure.savefig(paths[0], dpi=130)
    paths[1].write_text(f'<?xml version="1.0" encoding="utf-8"?>\n{element}', encoding="utf-8")
    return element, paths
