"""A cell as a graph, from its input on the left to its output on the right; operations are coloured vertices."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from nadlab.spaces import Cells, SearchSpace

ENDS = {"input": "in", "output": "out", "c_k-2": "in 1", "c_k-1": "in 2"}
GREY = "0.88"
COLOURS = colormaps["Set2"]
"""of operations, light enough for black text"""


def draw_cell(axes: Axes, cell: Cells, space: SearchSpace) -> None:
    """Draw one cell (a batch of one); vertices without edges, and NAS-Bench-201's `none`, are left out."""
    labels = [space.operations[operation] for operation in cell.operations[0].tolist()]
    edges = [(int(a), int(b)) for a, b in np.argwhere(cell.adjacency[0]) if "none" not in (labels[a], labels[b])]
    drawn = sorted({vertex for edge in edges for vertex in edge})
    kinds = [label for label in space.operations if label not in ENDS]
    place = {vertex: (2.0 * column, 0.0) for column, vertex in enumerate(drawn)}
    for source, target in edges:
        _arrow(axes, place[source], place[target], above=source % 2 == 0)
    for vertex, (x, y) in place.items():
        label = labels[vertex]
        colour = GREY if label in ENDS else COLOURS(kinds.index(label) % COLOURS.N)
        box = {"boxstyle": "round,pad=0.35", "facecolor": colour, "edgecolor": "0.3", "linewidth": 0.8}
        axes.text(x, y, short(label), ha="center", va="center", fontsize=8, color="black", bbox=box, zorder=3)
    widest = max((b - a for a, b in edges), default=1)
    axes.set(xlim=(-1, 2 * len(drawn) - 1), ylim=(-0.75 * widest, 0.75 * widest))
    axes.axis("off")


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


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], above: bool) -> None:
    """Draw an edge; the more vertices it skips, the wider its arc, on the side of its source."""
    straight = end[0] - start[0] <= 2
    bend = 0.0 if straight else (-0.42 if above else 0.42)
    axes.add_patch(
        FancyArrowPatch(
            start, end, connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>", mutation_scale=9, color="0.35",
            linewidth=1.0, shrinkA=11, shrinkB=11, zorder=2,
        )
    )  # fmt: skip
