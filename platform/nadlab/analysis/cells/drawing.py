"""A cell as a graph, from its input on the left to its output on the right; operations are coloured vertices."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch

from nadlab.analysis.figures.style import COLOURS
from nadlab.spaces import Cells, SearchSpace
from nadlab.spaces.nasbench201 import EDGES, NASBench201

ENDS = {"input": "in", "output": "out", "c_k-2": "in 1", "c_k-1": "in 2"}
GREY = "0.88"
TINTS = [tuple(0.45 * part + 0.55 for part in to_rgb(colour)) for colour in COLOURS]
"""of operations, light enough for black text"""
NODES = ((0.0, 0.0), (2.0, 1.0), (2.0, -1.0), (4.0, 0.0))
"""places of NAS-Bench-201's nodes, which hold sums; its operations are edges"""


def draw_cell(axes: Axes, cell: Cells, space: SearchSpace) -> None:
    """Draw one cell (a batch of one); vertices without edges, and NAS-Bench-201's edges `none`, are left out."""
    if isinstance(space, NASBench201):
        _draw_edges(axes, cell, space)
        return
    labels = [space.operations[operation] for operation in cell.operations[0].tolist()]
    edges = [(int(a), int(b)) for a, b in np.argwhere(cell.adjacency[0]) if "none" not in (labels[a], labels[b])]
    drawn = sorted({vertex for edge in edges for vertex in edge})
    kinds = [label for label in space.operations if label not in ENDS]
    place = {vertex: (2.0 * column, 0.0) for column, vertex in enumerate(drawn)}
    for source, target in edges:
        _arrow(axes, place[source], place[target], above=source % 2 == 0)
    for vertex, (x, y) in place.items():
        label = labels[vertex]
        _box(axes, (x, y), short(label), GREY if label in ENDS else TINTS[kinds.index(label) % len(TINTS)])
    widest = max((b - a for a, b in edges), default=1)
    axes.set(xlim=(-1, 2 * len(drawn) - 1), ylim=(-0.75 * widest, 0.75 * widest))
    axes.axis("off")


def _draw_edges(axes: Axes, cell: Cells, space: SearchSpace) -> None:
    """Draw four nodes and the operations on the edges between them."""
    drawn = {0, 3}
    for operation, (source, target) in zip(cell.operations[0, 1:7].tolist(), EDGES, strict=True):
        label = space.operations[operation]
        if label == "none":
            continue
        drawn |= {source, target}
        start, end = NODES[source], NODES[target]
        _arrow(axes, start, end, above=False, bend=0.0)
        part = 0.3 if (source, target) == (0, 3) else 0.5  # beside the edge that crosses it
        at = (start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1]))
        _box(axes, at, short(label), TINTS[(operation - 1) % len(TINTS)])
    for node in sorted(drawn):
        _box(axes, NODES[node], ("in", "1", "2", "out")[node], GREY, "circle,pad=0.3")
    axes.set(xlim=(-0.6, 4.6), ylim=(-1.5, 1.5))
    axes.axis("off")


def _box(axes: Axes, place: tuple[float, float], text: str, colour: object, shape: str = "round,pad=0.35") -> None:
    box = {"boxstyle": shape, "facecolor": colour, "edgecolor": "0.3", "linewidth": 0.8}
    axes.text(*place, text, ha="center", va="center", fontsize=8, color="black", bbox=box, zorder=3)


def short(label: str) -> str:
    """Return an operation's name as it fits into a figure, `3x3` for a convolution."""
    known = {
        "absent": "no vertex",
        "conv3x3-bn-relu": "3x3",
        "conv1x1-bn-relu": "1x1",
        "maxpool3x3": "max",
        "nor_conv_1x1": "1x1",
        "nor_conv_3x3": "3x3",
        "avg_pool_3x3": "avg",
        "skip_connect": "skip",
    }
    return ENDS.get(label) or known.get(label) or label.replace("_", " ")


def _arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], above: bool, bend: float | None = None
) -> None:
    """Draw an edge; the more vertices it skips, the wider its arc, on the side of its source."""
    straight = end[0] - start[0] <= 2
    if bend is None:
        bend = 0.0 if straight else (-0.42 if above else 0.42)
    axes.add_patch(
        FancyArrowPatch(
            start, end, connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>", mutation_scale=9, color="0.35",
            linewidth=1.0, shrinkA=11, shrinkB=11, zorder=2,
        )
    )  # fmt: skip
