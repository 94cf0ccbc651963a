"""Figures 2 to 6 of the paper: signatures of generated cells beside those of the benchmark's best."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nadlab.analysis.cells.drawing import draw_cell, short
from nadlab.analysis.cells.signatures import Signature, largest, mean_signature
from nadlab.analysis.statistics.intervals import band
from nadlab.spaces import Cells, SearchSpace

Groups = Mapping[str, Sequence[Signature]]
"""name of a group of cells -> its signature with each seed, one of the benchmark's own, in the order of the legend"""
PAIRS = colormaps["Paired"]
"""colours: a group light, its best dark"""
MARKED_EDGES = 9
"""edges that a cell of NAS-Bench-101 may have: as many are marked (Section 4.3.3)"""


def edges_and_operations(groups: Groups, space: SearchSpace) -> Figure:
    """Figure 2: where the cells of each group have edges (above) and operations (below)."""
    figure = Figure(figsize=(3.4 * len(groups) + 0.6, 5.6), layout="constrained")
    grid = figure.subplots(2, len(groups), squeeze=False, height_ratios=(space.vertices, 4))
    last = space.vertices - 1
    vertices = ["in", *map(str, range(1, last)), "out"]
    inner = [place for place, label in enumerate(space.operations) if label not in ("input", "output")]
    for column, (name, each) in enumerate(groups.items()):
        found = mean_signature(each)
        above, below = grid[0, column], grid[1, column]
        _heat(above, found.edges, vertices, vertices, largest(found.edges, MARKED_EDGES))
        shares = found.operations[1:last, inner].T
        _heat(below, shares, [short(space.operations[place]) for place in inner], vertices[1:last], best_rows(shares))
        above.set(title=name, xlabel="to vertex")
        below.set_xlabel("vertex")
    grid[0, 0].set_ylabel("from vertex")
    return figure


def edge_operations(groups: Groups, space: SearchSpace) -> Figure:
    """Figure 3: which operation the cells of each group have on each edge of NAS-Bench-201."""
    figure = Figure(figsize=(3.6 * len(groups) + 0.6, 3.2), layout="constrained")
    names = ["i→n1", "i→n2", "n1→n2", "i→o", "n1→o", "n2→o"]
    for axes, (name, each) in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups.items(), strict=True):
        shares = mean_signature(each).operations[1:-1, 1:-1].T
        _heat(axes, shares, [short(label) for label in space.operations[1:-1]], names, best_rows(shares))
        axes.set(title=name, xlabel="edge")
    return figure


def included_operations(groups: Groups, space: SearchSpace) -> Figure:
    """Figure 4: how many cells of each group have an operation at all."""
    kinds = [place for place, label in enumerate(space.operations) if label not in ("input", "output", "absent")]
    shares = {name: np.array([found.includes[kinds] for found in each]) for name, each in groups.items()}
    return _bars(shares, [short(space.operations[place]) for place in kinds], "cells with the operation, %")


def shortest_paths(groups: Groups) -> Figure:
    """Figure 5: how long the shortest way from input to output is, 1 for a skip over the whole cell."""
    shares = {name: np.array([found.shortest_paths for found in each]) for name, each in groups.items()}
    lengths = [str(length) for length in range(1, next(iter(shares.values())).shape[1] + 1)]
    figure = _bars(shares, lengths, "cells, %")
    figure.axes[0].set_xlabel("edges on the shortest path from input to output")
    return figure


def drawn_cells(rows: Mapping[str, Sequence[tuple[Cells, str]]], space: SearchSpace) -> Figure:
    """Figure 6: cells as graphs, a row a group, each under its caption."""
    width = max(map(len, rows.values()))
    figure = Figure(figsize=(4.6 * width, 2.3 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), width, squeeze=False)
    for row, (name, cells) in zip(grid, rows.items(), strict=True):
        for axes in row:
            axes.axis("off")
        for place, (axes, (cell, caption)) in enumerate(zip(row, cells, strict=False), start=1):
            draw_cell(axes, cell, space)
            axes.set_title(f"{name}, {place}: {caption}", fontsize=9)
    return figure


def best_rows(shares: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where each column has its largest entry, (as `shares`)."""
    return np.asarray(np.arange(len(shares))[:, None] == shares.argmax(axis=0))


def _heat(
    axes: Axes, shares: NDArray[np.float64], rows: Sequence[str], columns: Sequence[str], marks: NDArray[np.bool_]
) -> None:
    """Draw shares divided by their maximum, darker for more, with an X on the marked ones."""
    scaled = shares / max(float(shares.max()), 1e-12)
    axes.imshow(scaled, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.argwhere(marks & (shares > 0)):
        colour = "white" if scaled[row, column] > 0.55 else "0.2"
        axes.text(column, row, "X", ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(columns)), columns, fontsize=8)
    axes.set_yticks(range(len(rows)), rows, fontsize=8)


def _bars(shares: Mapping[str, NDArray[np.float64]], names: Sequence[str], label: str) -> Figure:
    """Draw the mean over seeds of shares, each (seeds, bars), with its 95 % interval where there are several."""
    figure = Figure(figsize=(6.8, 3.4), layout="constrained")
    axes = figure.subplots()
    colours = [PAIRS(place) for place in range(len(shares))]
    width = 0.8 / len(shares)
    for place, (group, of_seeds) in enumerate(shares.items()):
        values, errors = of_seeds.mean(axis=0), None
        if len(of_seeds) > 1:
            low, high = band(of_seeds, np.random.default_rng(0))
            # a mean may lie outside its percentile interval by rounding alone
            errors = 100 * np.clip([values - low, high - values], 0, None)
        left = np.arange(len(names)) + (place - (len(shares) - 1) / 2) * width
        bars = axes.bar(
            left, 100 * values, width * 0.92, yerr=errors, label=group, color=colours[place],
            error_kw={"ecolor": "0.25", "elinewidth": 0.9, "capsize": 1.5},
        )  # fmt: skip
        axes.bar_label(bars, fmt=lambda share: f"{share:.0f}" if share else "", fontsize=7)
    axes.set_xticks(range(len(names)), names)
    axes.set(ylabel=label, ylim=(0, 110))
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=len(shares), fontsize=8, frameon=False)
    return figure
