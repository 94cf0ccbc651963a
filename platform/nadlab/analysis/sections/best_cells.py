"""The best cells that any trial found, drawn."""

import math

import numpy as np

from nadlab.analysis.cells.drawing import draw_cell
from nadlab.analysis.evidence import Evidence
from nadlab.analysis.figures.style import figure_of, grid
from nadlab.analysis.sections.content import Picture, Section, Table
from nadlab.analysis.sections.provenance import links
from nadlab.errors import UserError
from nadlab.spaces import SPACES, Cells, SearchSpace
from nadlab.study.records import Record

SHOWN = 4


def best_cells(evidence: Evidence, _rng: np.random.Generator) -> Section | None:
    """Return the trials' best cells, isomorphic ones once, by reported accuracy."""
    split, reported = evidence.study.search_split, evidence.study.report_split
    found: dict[int, tuple[str, float, list[Record]]] = {}
    for record in (each for group in evidence.groups.values() for each in group if each.ledger):
        query = max(record.ledger, key=lambda query: query[split])
        found.setdefault(query["key"], (query["cell"], float(query[reported]), []))[2].append(record)
    best = sorted(found.values(), key=lambda cell: -cell[1])[:SHOWN]
    if not best:
        return None
    count = len(evidence.trials)
    table = Table(
        "best_cells",
        ("", f"{evidence.study.reported_by} accuracy %", "found by", "cell"),
        tuple(
            (str(place), f"{accuracy:.2f}", f"{len(records)} of {count} trials", text)
            for place, (text, accuracy, records) in enumerate(best, 1)
        ),
        f"The cells of the best {evidence.study.searched_by} accuracy in their trials; of isomorphic cells, the one met first.",
        tuple(links(evidence, records) for _, _, records in best),
    )
    readable = [(place, accuracy, read) for place, (text, accuracy, _) in enumerate(best, 1) if (read := parsed(text))]
    if not readable:
        return Section("Best cells", (), (), (table,))
    columns = min(2, len(readable))
    panels = grid(
        math.ceil(len(readable) / columns), columns, (4.6 * columns, 2.3 * math.ceil(len(readable) / columns))
    )
    for panel in panels[len(readable) :]:
        panel.axis("off")
    for panel, (place, accuracy, (space, cell)) in zip(panels, readable, strict=False):
        draw_cell(panel, cell, space)
        panel.set_title(f"{place}: {accuracy:.2f} %", fontsize=10, loc="left")
    picture = Picture(
        "best_cells", figure_of(panels[0]), "From input to output; operations that pass nothing on are left out."
    )
    return Section("Best cells", (), (picture,), (table,))


def parsed(text: str) -> tuple[SearchSpace, Cells] | None:
    """Read a cell in the notation of whichever space it is; None where it is of none of them."""
    for space in SPACES.values():
        try:
            return space, space.parse(text)
        except UserError:
            continue
    return None
