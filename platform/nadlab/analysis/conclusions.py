"""The conclusions of a study, in sentences."""

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
from nadlab.benchmarks.oracle import Metric
from nadlab.study.records import StudyRecord

LISTED = 8
"""levels beyond which a sentence names their number instead"""


def conclusions(study: StudyRecord, rows: Sequence[LevelSummary]) -> list[str]:
    """Return the sentences in order."""
    default, factor, metric = study.default_level, study.factor, study.measured
    if not any(row.is_default for row in rows):
        return [
            f"The {study.reference} level {factor} = {default} has no finished trial: nothing can be compared with it; "
            "--baseline names another level."
        ]
    compared = [(row, row.comparison) for row in rows if row.comparison]
    if not compared:
        return []
    said = [
        f"{factor} = {row.level} is {'better' if metric.score(found.difference.mean) > 0 else 'worse'} than the "
        f"{study.reference} {default} by "
        f"{metric.difference(abs(found.difference.mean))} ({interval_text(found.difference, places=metric.places)}, "
        f"{found.difference.n} paired seeds, "
        f"{p_equals(found.p_value)})."
        for row, found in compared
        if found.is_significant
    ]
    return [
        *_highest(study, rows),
        *said,
        *_not_significant(study, rows),
        *_test([found for _, found in compared], metric),
    ]


def _highest(study: StudyRecord, rows: Sequence[LevelSummary]) -> list[str]:
    """Name the levels with the best mean, significant or not."""
    metric = study.measured
    extreme = max((round(row.accuracy.mean, metric.places) for row in rows), key=metric.score)
    best = [_level(row.level) for row in rows if round(row.accuracy.mean, metric.places) == extreme]
    if len(best) > LISTED:
        return []
    which = "highest" if metric.maximise else "lowest"
    has = "has" if len(best) == 1 else "have"
    return [f"{study.factor} = {listed(best)} {has} the {which} mean, {metric.text(extreme)}."]


def _level(name: str) -> str:
    return f"({name})" if ", " in name else name


def _not_significant(study: StudyRecord, rows: Sequence[LevelSummary]) -> list[str]:
    """Name the levels without a significant difference to the default, and the largest difference still possible."""
    compared = [(row.level, row.comparison) for row in rows if row.comparison]
    alike = [(level, found.difference) for level, found in compared if not found.is_significant]
    if not alike:
        return []
    factor, seeds = study.factor, min(difference.n for _, difference in alike)
    if span := _span(study, rows):
        subject = f"{factor} between {span[0]} and {span[1]}"
    elif len(alike) <= LISTED:
        subject = f"{factor} = {listed([_level(level) for level, _ in alike])}"
    else:
        subject = f"Of {len(compared)} other levels, {len(alike)}"
    verb = "does" if span or len(alike) == 1 else "do"
    said = [
        f"{subject} {verb} not differ significantly from the {study.reference} {study.default_level} with {seeds} "
        f"seed{'s' * (seeds != 1)}."
    ]
    ends = [abs(end) for _, difference in alike for end in (difference.low, difference.high) if end]
    if ends:
        said.append(
            "That does not show that they are equal: by the 95 % intervals they may differ by up to "
            f"{study.measured.difference(max(ends))}."
        )
    return said


def _span(study: StudyRecord, rows: Sequence[LevelSummary]) -> tuple[str, str] | None:
    """Return the ends of the levels without a significant difference, where they are three or more numbers in a row."""
    kind, *others = (type(value) for value in study.default.values())
    alike = [bool(row.is_default or (row.comparison and not row.comparison.is_significant)) for row in rows]
    first, last = alike.index(True), len(alike) - 1 - alike[::-1].index(True)
    numbers = not others and kind in (int, float) and all(row.level != "none" for row in rows)
    if not numbers or last - first < 2 or not all(alike[first : last + 1]):
        return None
    return rows[first].level, rows[last].level


def _test(comparisons: Sequence[Comparison], metric: Metric) -> list[str]:
    count, seeds = len(comparisons), min(found.difference.n for found in comparisons)
    corrected = f" with Holm's correction over {count} comparisons" if count > 1 else ""
    said = [f"Tested by Wilcoxon's signed-rank test on paired seeds at 5 %{corrected}."]
    least = fewest_seeds(count)
    if seeds < least:
        said.append(
            f"With fewer than {least} seeds no difference can be significant{corrected}, and bootstrap intervals are too "
            "narrow: read them as a hint and run more with --seeds."
        )
    spread = pooled_spread(comparisons)
    visible = visible_difference(spread, count, seeds) if spread else None
    if spread and metric.unit == "%":
        needed = seeds_needed(spread, count)
        now = f", and {seeds} seeds detect one of {visible:.2f}" if visible else ""
        said.append(
            f"To detect a difference of {SMALL_DIFFERENCE} points with 80 % power, about {needed} seeds are needed{now} "
            f"(differences vary by {spread:.2f} points from seed to seed)."
        )
    elif spread and visible:  # which difference is small is known of percentages alone
        said.append(
            f"{seeds} seeds detect a difference of {metric.difference(visible)} with 80 % power (differences vary by "
            f"{metric.difference(spread)} from seed to seed)."
        )
    return said
