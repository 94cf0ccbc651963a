"""What the studies of the paper's tables share: every method at the paper's number of queries and at one number."""

from collections.abc import Mapping, Sequence

from nadlab.published import PublishedRow
from nadlab.records import level_text
from nadlab.searchers import SEARCHERS
from nadlab.study import Level


def rows_of(table: Sequence[PublishedRow], queries: int) -> tuple[tuple[Level, ...], ...]:
    """Return (method, queries): each row of the table, and each method that we have at the same number."""
    equal = [(method, queries) for method in SEARCHERS]
    published = [(row.method, row.queries) for row in table if row.method in SEARCHERS]
    return tuple(dict.fromkeys([*equal, *published]))


def levels_of(table: Sequence[PublishedRow], queries: int) -> dict[str, Sequence[Level]]:
    """Return every method and number of queries of `rows_of`."""
    numbers = sorted({row.queries for row in table} | {queries})
    return {"method": tuple(SEARCHERS), "queries": tuple(numbers)}


def beside(table: Sequence[PublishedRow]) -> Mapping[str, Mapping[str, float]]:
    """Return benchmark -> level as text -> the paper's accuracy."""
    found: dict[str, dict[str, float]] = {}
    for row in table:
        for benchmark, accuracy in row.accuracies.items():
            level = level_text({"method": row.method, "queries": row.queries})
            found.setdefault(benchmark, {})[level] = accuracy
    return found
