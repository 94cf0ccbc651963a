"""Searches as tables on the screen, and as tables and curves in a folder."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nadlab.cli.tables import print_table

if TYPE_CHECKING:
    from nadlab.benchmarks.oracle import Oracle
    from nadlab.engine.searches.result import Search
    from nadlab.queries.goals import Goals


def print_searches(
    rows: Sequence["Search"], oracle: "Oracle", limits: str | None, heading: str, several: Sequence[Mapping[str, Any]]
) -> None:
    """Print searches of one benchmark, the methods' means, and with several objectives (`fronts`) their hypervolumes."""
    from nadlab.benchmarks.oracle import metric_of
    from nadlab.benchmarks.presets import WORDS, benchmark_text
    from nadlab.engine.searches.comparison import compared, hypervolumes

    metric, split = metric_of(oracle), oracle.report_split
    title = f"{benchmark_text(rows[0].benchmark, rows[0].protocol)}: {metric.label}"
    print_table(title, [row.row() for row in rows], metric.places)
    if best := compared(rows, oracle):
        by, judged = WORDS[oracle.search_split], WORDS[split]
        print_table(f"best cell by {by}, its {judged} {metric.name}, mean over seeds", best)
    if none := sum(not row.found(split) for row in rows):
        click.echo(
            f"{none} of {len(rows)} searches found no cell with at most {limits}: they are left out of the means"
        )
    if several:
        print_table(heading, hypervolumes(rows, several))


def write_tables(
    folder: Path, rows: Sequence["Search"], oracle: "Oracle", goals: "Goals", several: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Write searches.csv, one row per search, queries.csv, one row per query, and anytime.png and .svg; return their names.

    With several objectives (`fronts`) also fronts.csv, one row per cell of a search's Pareto front.
    """
    import pandas as pd

    from nadlab.analysis.figures.searches import anytime
    from nadlab.analysis.figures.style import save
    from nadlab.benchmarks.oracle import metric_of
    from nadlab.benchmarks.presets import WORDS
    from nadlab.study.incumbents import query_row

    pd.DataFrame([row.row() for row in rows]).to_csv(folder / "searches.csv", index=False)
    queries = [
        {"method": row.method, "seed": row.seed, **query_row(asdict(query))} for row in rows for query in row.ledger
    ]
    pd.DataFrame(queries).to_csv(folder / "queries.csv", index=False)
    front = [
        {"method": row.method, "seed": row.seed, **cell}
        for row, found in zip(rows, several, strict=bool(several))
        for cell in found["front"]
    ]
    if several:
        pd.DataFrame(front).to_csv(folder / "fronts.csv", index=False)
    ledgers: dict[str, list[Any]] = {}
    for row in rows:
        ledgers.setdefault(row.method, []).append(row.ledger)
    metric, split = metric_of(oracle), oracle.report_split
    figure = anytime(ledgers, oracle.search_split, split, metric, goals, f"{WORDS[split]} {metric.heading}")
    drawn = [path.name for path in save(figure, folder, "anytime")[1]] if figure else []
    return ["searches.csv", "queries.csv", *(["fronts.csv"] if several else []), *drawn]
