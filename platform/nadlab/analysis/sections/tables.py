"""Tables with a row for each level, and the links of rows to MLflow runs."""

from collections.abc import Collection, Mapping, Sequence

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.sections.content import RunLink, Table
from nadlab.study.records import Record

_MARKS = (0.1, 0.25, 0.5, 1.0)


def marks_of(queries: int) -> list[int]:
    """Return after how many of so many queries a table reads curves."""
    return sorted({max(1, round(part * queries)) for part in _MARKS})


def links(evidence: Evidence, records: Sequence[Record]) -> tuple[RunLink, ...]:
    """Return the MLflow runs of records; empty without a store."""
    if not evidence.runs:
        return ()
    study, runs = evidence.study, evidence.runs
    found = [(record.trial, runs.children.get(record.trial.id)) for record in records]
    return tuple(
        RunLink(run, runs.link(run), f"{study.factor} {study.level(trial)}, seed {trial.seed}")
        for trial, run in found
        if run
    )


def level_table(
    evidence: Evidence,
    name: str,
    heading: Sequence[str],
    rows: Mapping[str, Sequence[str]],
    caption: str,
    marked: Collection[str] = (),
    reference: Sequence[Record] = (),
) -> Table:
    """Return a table of levels -> cells, each row linked to the runs of its level and of the reference."""
    return Table(
        name,
        (evidence.study.factor, *heading),
        tuple((level, *cells) for level, cells in rows.items()),
        caption,
        tuple(links(evidence, [*evidence.groups[level], *reference]) for level in rows),
        frozenset(place for place, level in enumerate(rows) if level in marked),
    )
