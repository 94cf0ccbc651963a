"""Drawings of cells: operations from the input on the left to the output on the right."""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from nadlab.analysis.figures.style import GREY
from nadlab.errors import UserError
from nadlab.spaces import SPACES, Cells, SearchSpace

INPUTS = ("input", "c_k-2", "c_k-1")
IDLE = ("absent", "none")
"""labels of vertices that pass nothing on"""
FILLS = (
    ("input", "#e9edf1"), ("c_k", "#e9edf1"), ("output", "#e9edf1"), ("3x3", "#cfe0ee"), ("5x5", "#b5cfe6"), ("1x1", "#d9ead3"),
    ("pool", "#f6e3bd"), ("skip", "#f3d6cf"),
)  # fmt: skip


def parsed(text: str) -> tuple[SearchSpace, Cells] | None:
    """Read a cell in the notation of whichever space it is; None where it is of none of them."""
    for space in SPACES.values():
        try:
            return space, space.parse(text)
        except UserError:
            continue
    return None


def draw_cell(drawn: Axes, space: SearchSpace, cell: Cells) -> None:
    """Draw a cell's graph: a box an operation, an arrow an edge; what passes nothing on is left out."""
    labels = [space.operations[place] for place in cell.operations[0]]
    kept = [vertex for vertex, label in enumerate(labels) if label not in IDLE]
    edges = [(a, b) for a in kept for b in kept if cell.adjacency[0, a, b]]
    kept = _connected(kept, edges, labels)
    edges = [(a, b) for a, b in edges if a in kept and b in kept]
    places = _places(kept, edges)
    for source, target in edges:
        far = places[target][0] - places[source][0] > 1 and places[source][1] == places[target][1]
        bend = -0.35 if far else 0.0
        drawn.add_patch(
            FancyArrowPatch(
                places[source], places[target], connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>", color=GREY,
                mutation_scale=9, linewidth=1, shrinkA=14, shrinkB=16, zorder=1,
            )
        )  # fmt: skip
    for vertex in kept:
        drawn.text(
            *places[vertex], _short(labels[vertex]), ha="center", va="center", fontsize=8.5, zorder=2,
            bbox={"boxstyle": "round,pad=0.35", "facecolor": _fill(labels[vertex]), "edgecolor": GREY, "linewidth": 0.8},
        )  # fmt: skip
    xs, ys = zip(*places.values(), strict=True)
    drawn.set_xlim(min(xs) - 0.6, max(xs) + 0.6)
    drawn.set_ylim(min(ys) - 0.7, max(ys) + 0.9)
    drawn.axis("off")


def _connected(kept: list[int], edges: list[tuple[int, int]], labels: list[str]) -> list[int]:
    """Return the vertices on a path from an input to the output; vertices are in topological order."""
    inputs = {vertex for vertex in kept if labels[vertex] in INPUTS}
    reached, useful = set(inputs), {kept[-1]}
    for source, target in sorted(edges):
        reached |= {target} if source in reached else set()
    for source, target in sorted(edges, reverse=True):
        useful |= {source} if target in useful else set()
    return [vertex for vertex in kept if vertex in reached & useful or vertex in inputs or vertex == kept[-1]]


def _places(kept: list[int], edges: list[tuple[int, int]]) -> dict[int, tuple[float, float]]:
    """Return (x, y) of every vertex: x is its longest path from an input, vertices of one x stand above each other."""
    depth: dict[int, int] = dict.fromkeys(kept, 0)
    for source, target in sorted(edges):
        depth[target] = max(depth[target], depth[source] + 1)
    depth[kept[-1]] = max(depth.values()) if edges else 1
    columns: dict[int, list[int]] = {}
    for vertex in kept:
        columns.setdefault(depth[vertex], []).append(vertex)
    return {
        vertex: (float(x), float(y))
        for x, column in columns.items()
        for vertex, y in zip(
            column, np.linspace((len(column) - 1) / 2, -(len(column) - 1) / 2, len(column)), strict=True
        )
    }


def _short(label: str) -> str:
    name = label.replace("-bn-relu", "").replace("nor_conv", "conv").replace("_connect", "").replace("_", " ")
    return "\n".join(textwrap.wrap(name, 9, break_long_words=False))


def _fill(label: str) -> str:
    return next((colour for part, colour in FILLS if part in label), "#ffffff")
