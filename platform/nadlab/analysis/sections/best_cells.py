"""The best cells that any trial found, drawn."""

import math
from collections.abc import Sequence

import numpy as np

from nadlab.analysis.cells.drawing import draw_cell
from nadlab.analysis.evidence import Evidence
from nadlab.analysis.figures.style import figure_of, grid
from nadlab.analysis.sections.content import Picture, Section, Table
from nadlab.analysis.sections.tables import links
from nadlab.benchmarks.oracle import accuracy
from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.plugins import is_plugin
from nadlab.queries.ledger import Query
from nadlab.spaces import SPACES, Cells, SearchSpace
from nadlab.study.incumbents import incumbent_of
from nadlab.study.records import Record

SHOWN = 4


def best_cells(evidence: Evidence, _rng: np.random.Generator) -> Section | None:
    """Return the trials' best cells, isomorphic ones once, by reported accuracy."""
    study, metric = evidence.study, evidence.study.measured
    trials = sum(map(len, evidence.groups.values()))
    found: dict[int, tuple[Query, list[Record]]] = {}
    for record in (each for group in evidence.groups.values() for each in group if each.ledger):
        if query := incumbent_of(record, study):
            found.setdefault(query.key, (query, []))[1].append(record)
    shown = sorted(found.values(), key=lambda cell: -metric.score(accuracy(cell[0], study.report_split)))[:SHOWN]
    if not shown:
        return None
    texts = [f"{accuracy(query, study.report_split):.{metric.places}f}" for query, _ in shown]
    quantities = sorted({name for query, _ in shown for name in query.extras})
    table = Table(
        "best_cells",
        ("", f"{study.reported_by} {metric.heading}", *quantities, "found by", "cell"),
        tuple(
            (str(place), text, *_values(query, quantities), f"{len(records)} of {trials} trials", query.cell)
            for place, (text, (query, records)) in enumerate(zip(texts, shown, strict=True), 1)
        ),
        f"The cells with the best {study.searched_by} {metric.name} of their trials; of isomorphic cells, the first.",
        tuple(links(evidence, records) for _, records in shown),
    )
    own = own_space(study.benchmark)
    readable = [(place, read) for place, (query, _) in enumerate(shown) if (read := parsed(query.cell, own))]
    if not readable:
        return Section("Best cells", (), (), (table,))
    columns = min(2, len(readable))
    rows = math.ceil(len(readable) / columns)
    panels = grid(rows, columns, (4.6 * columns, 2.3 * rows))
    for panel in panels[len(readable) :]:
        panel.axis("off")
    for panel, (place, (space, cell)) in zip(panels, readable, strict=False):
        draw_cell(panel, cell, space)
        panel.set_title(f"{place + 1}: {texts[place]} {metric.unit}".rstrip(), fontsize=10, loc="left")
    picture = Picture(
        "best_cells", figure_of(panels[0]), "From input to output; operations that pass nothing on are left out."
    )
    return Section("Best cells", (), (picture,), (table,))


def _values(query: Query, quantities: Sequence[str]) -> list[str]:
    return [f"{query.extras[name]:.4g}" if name in query.extras else "" for name in quantities]


def own_space(name: str) -> SearchSpace | None:
    """Return the space of a benchmark of one's own; None of another, or where its module is not here to be loaded."""
    try:
        return benchmark(name).space if is_plugin(name) else None
    except UserError:
        return None


def parsed(text: str, own: SearchSpace | None) -> tuple[SearchSpace, Cells] | None:
    """Read a cell in the notation of one's own space, or of any of the package's; None where it is of none of them."""
    for space in [own] if own else SPACES.values():
        try:
            return space, space.parse(text)
        except UserError:
            continue
    return None
