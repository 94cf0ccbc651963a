"""What may and what may not be concluded from a study, in sentences."""

from collections.abc import Sequence

from nadlab.analysis.statistics.comparisons import (
    SMALL_DIFFERENCE,
    Comparison,
    fewest_seeds,
    pooled_spread,
    seeds_needed,
    visible_difference,
)
from nadlab.analysis.summary import LevelSummary
from nadlab.analysis.text import interval_text, listed, p_equals
from nadlab.study.records import StudyRecord

LISTED = 8
"""levels beyond which a sentence names their number instead"""


def conclusions(study: StudyRecord, rows: Sequence[LevelSummary]) -> list[str]:
    """Return a sentence each."""
    default, factor = study.default_level, study.factor
    if not any(row.is_default for row in rows):
        return [f"The default level {factor} = {default} has no finished trial: nothing can be compared with it."]
    compared = [(row, row.comparison) for row in rows if row.comparison]
    if not compared:
        return []
    said = [
        f"{factor} = {row.level} is {'better' if found.difference.mean > 0 else 'worse'} than the default {default} by "
        f"{abs(found.difference.mean):.2f} points ({interval_text(found.difference)}, {found.difference.n} paired seeds, "
        f"{p_equals(found.p_value)})."
        for row, found in compared
        if found.is_significant
    ]
    return [*_highest(study, rows), *said, *_alike(study, rows), *_test([found for _, found in compared])]


def _highest(study: StudyRecord, rows: Sequence[LevelSummary]) -> list[str]:
    """Say which levels have the highest mean, whether or not the difference is real."""
    highest = max(round(row.accuracy.mean, 2) for row in rows)
    best = [_level(row.level) for row in rows if round(row.accuracy.mean, 2) == highest]
    if len(best) > LISTED:
        return []
    return [f"{study.factor} = {listed(best)} {'has' if len(best) == 1 else 'have'} the highest mean, {highest:.2f} %."]


def _level(name: str) -> str:
    return f"({name})" if ", " in name else name


def _alike(study: StudyRecord, rows: Sequence[LevelSummary]) -> list[str]:
    """Say which levels can't be told apart from the default, and what that leaves open."""
    alike = [(row, row.comparison) for row in rows if row.comparison and not row.comparison.is_significant]
    if not alike:
        return []
    factor, default = study.factor, study.default_level
    seeds = min(found.difference.n for _, found in alike)
    with_seeds = f"with {seeds} seed{'s' * (seeds != 1)}"
    if span := _span(study, rows):
        said = [
            f"{factor} between {span[0]} and {span[1]} can't be told apart from the default {default} {with_seeds}."
        ]
    elif len(alike) <= LISTED:
        names = listed([_level(row.level) for row, _ in alike])
        said = [f"{factor} = {names} can't be told apart from the default {default} {with_seeds}."]
    else:
        compared = sum(row.comparison is not None for row in rows)
        said = [
            f"Of {compared} other levels, {len(alike)} can't be told apart from the default {default} {with_seeds}."
        ]
    ends_found = [abs(end) for _, found in alike for end in (found.difference.low, found.difference.high) if end]
    if ends_found:
        said.append(
            "That does not show that they are equal: by the 95 % intervals they may differ by up to "
            f"{max(ends_found):.2f} points."
        )
    return said


def _span(study: StudyRecord, rows: Sequence[LevelSummary]) -> tuple[str, str] | None:
    """Return the ends of the levels that are alike, where they are numbers and a run around the default of three or more."""
    kind, *others = (type(value) for value in study.default.values())
    alike = [bool(row.is_default or (row.comparison and not row.comparison.is_significant)) for row in rows]
    first, last = alike.index(True), len(alike) - 1 - alike[::-1].index(True)
    numbers = not others and kind in (int, float) and all(row.level != "none" for row in rows)
    if not numbers or last - first < 2 or not all(alike[first : last + 1]):
        return None
    return rows[first].level, rows[last].level


def _test(comparisons: Sequence[Comparison]) -> list[str]:
    count, seeds = len(comparisons), min(found.difference.n for found in comparisons)
    corrected = f" with Holm's correction over {count} comparisons" if count > 1 else ""
    said = [f"Tested by Wilcoxon's signed-rank test on paired seeds at 5 %{corrected}."]
    least = fewest_seeds(count)
    if seeds < least:
        said.append(
            f"Under {least} seeds this test can't establish any difference{corrected}, and bootstrap intervals are too "
            "narrow: read them as a hint and run more with --seeds."
        )
    spread = pooled_spread(comparisons)
    if spread:
        needed = seeds_needed(spread, count)
        visible = visible_difference(spread, count, seeds)
        now = f", and {seeds} seeds show one of {visible:.2f}" if visible else ""
        said.append(
            f"To see a difference of {SMALL_DIFFERENCE} points with 80 % power, about {needed} seeds are needed{now} "
            f"(differences vary by {spread:.2f} points from seed to seed)."
        )
    return said
