"""Reproduce Figures 2 to 6: are the cells that AG generates under rank 0 built like the benchmark's best?

Only new classes of generated cells count: one cell of each isomorphism class, none of them labelled. 64 cells are
compared on each side: the benchmark's best, and the generated ones that PP ranks highest. Figures 2, 4, 5 and 6 are of
NAS-Bench-101's space, Figure 3 of NAS-Bench-201's. Bars and numbers are means over seeds with 95 % intervals; Figure 6
shows the first seed. Seeds are those of studies/reproduce_table4.py, read from its folder or run.

\b
    python studies/reproduce_figures.py --smoke
    python studies/reproduce_figures.py --seeds 20
    python studies/reproduce_figures.py --benchmark nasbench201/cifar10
"""

# first, so that Ctrl-C ends the imports below in one line
from nadlab.cli.command_line import run_command

# isort: split
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from nadlab import benchmark
from nadlab.analysis.cells import signature_figures as figures
from nadlab.analysis.cells.generated import DRAWN, TOP, Generated, benchmark_cells
from nadlab.analysis.cells.signatures import Signature, overlap, signature
from nadlab.analysis.figures.style import save
from nadlab.analysis.statistics.intervals import mean_interval
from nadlab.benchmarks.oracle import Oracle
from nadlab.errors import UserError
from nadlab.json_text import strict_json
from nadlab.semigan.diagnostics import search_accuracies
from nadlab.spaces import Cells, SearchSpace
from studies.reproduce_table4 import LABELS, generated, generation_options

Numbers = dict[str, object]


def best_of(oracle: Oracle, cells: Cells) -> Cells:
    """Return the queryable cells with the best search accuracies, best first."""
    return cells[np.argsort(-search_accuracies(oracle, cells), kind="stable")[:TOP]]


def caption(oracle: Oracle, cell: Cells) -> str:
    if not oracle.queryable(cell)[0]:
        return "not in the table"
    return f"{search_accuracies(oracle, cell)[0]:.2f} %"


def drawings(oracle: Oracle, groups: Mapping[str, Sequence[Cells]]) -> Figure:
    """Draw Figure 6: the first cells of each group under their search accuracies."""
    rows = {name: [(cell, caption(oracle, cell)) for cell in cells] for name, cells in groups.items()}
    return figures.drawn_cells(rows, oracle.space)


def interval(values: ArrayLike) -> Numbers:
    """Return the mean over seeds of values (n,) with its interval."""
    found = mean_interval(np.asarray(values, np.float64), np.random.default_rng(0))
    ends = (found.low, found.high)
    low, high = (None if end is None else round(end, 4) for end in ends)
    return {"mean": round(found.mean, 4), "low": low, "high": high, "seeds": found.n}


def shares(found: Sequence[Signature], space: SearchSpace) -> Numbers:
    """Return the shares of Figures 4 and 5 over the seeds of a group."""
    kinds = {name: place for place, name in enumerate(space.operations) if name not in ("input", "output")}
    said: Numbers = {"includes": {name: interval([each.includes[at] for each in found]) for name, at in kinds.items()}}
    if space.name == "nasbench101":  # elsewhere every cell has the same graph
        lengths = range(1, space.vertices)
        said["shortest_path"] = {at: interval([each.shortest_paths[at - 1] for each in found]) for at in lengths}
    return said


def reproduce(oracle: Oracle, rows: Sequence[Generated]) -> tuple[dict[str, Figure], Numbers]:
    """Return the figures of the benchmark's space, and their numbers."""
    space, pool = oracle.space, benchmark_cells(oracle)
    made = [row.signature for row in rows if row.signature]
    best = [row.best_signature for row in rows if row.best_signature]
    if not best:
        raise UserError(f"AG made no new valid cell on {oracle.name} with any seed: choose others with --seeds")
    cells = best_of(oracle, pool)
    truth = signature(cells, space)
    top = {f"benchmark's best {TOP}": [truth], f"generated, PP's best {TOP}": best}
    (first, theirs), (second, ours) = top.items()
    groups = {"benchmark": [signature(pool, space)], first: theirs, "generated": made, second: ours}
    if space.name == "nasbench101":
        drawn = next(row.best for row in rows if row.best)
        six = {
            "benchmark": [cells[place : place + 1] for place in range(DRAWN)],
            "generated": [space.parse(text) for text in drawn],
        }
        found = {
            "figure2": figures.edges_and_operations(top, space),
            "figure4": figures.included_operations(groups, space),
            "figure5": figures.shortest_paths(groups),
            "figure6": drawings(oracle, six),
        }
        alike = [overlap(truth.edges, each.edges, figures.MARKED_EDGES) for each in best]
        agreement = {"edges_of_the_first_9": interval(alike)}
    else:
        found = {"figure3": figures.edge_operations(top, space)}
        most = truth.operations.argmax(1)
        alike = [int((most == each.operations.argmax(1))[1:-1].sum()) for each in best]
        agreement = {"edges_with_the_same_operation": interval(alike)}
    numbers = {name: shares(each, space) for name, each in groups.items()}
    return found, {"seeds_without_a_new_cell": len(rows) - len(made), "agreement": agreement, "groups": numbers}


@click.command(help=__doc__)
@generation_options("nasbench101")
def command(name: str, protocol: str, **given: Any) -> None:
    space = benchmark(name, protocol).space
    if space.name not in LABELS:
        raise UserError(f"the paper has no figure of the space {space.name}: name another --benchmark")
    run, rows = generated(name, protocol, **given)
    found, numbers = reproduce(run.oracle, rows)
    about = {"benchmark": name, "protocol": protocol, "seeds": [row.seed for row in rows]}
    (run.out / "figures.json").write_text(strict_json(about | numbers, indent=1) + "\n", encoding="utf-8")
    for figure_name, figure in found.items():
        save(figure, run.out, figure_name)
    click.echo(f"{name}: {', '.join(found)} and figures.json in {run.out}")


if __name__ == "__main__":
    sys.exit(run_command(command))
