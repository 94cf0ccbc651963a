"""The conclusions of a study, in sentences."""

from collections.abc import Sequence

from nadlab.analysis.cautions import ceiling, pool_filled
from nadlab.analysis.statistics.comparisons import (
    SIGNIFICANCE,
    Comparison,
    fewest_seeds,
    seeds_needed,
    visible_difference,
)
from nadlab.analysis.summary import LevelSummary, finished
from nadlab.analysis.text import interval_text, listed, p_equals
from nadlab.study.outcomes import measured, smallest_effect
from nadlab.study.records import Record, StudyRecord

LISTED = 8
"""levels beyond which a sentence names their number instead"""

Compared = Sequence[tuple[LevelSummary, Comparison]]


def conclusions(study: StudyRecord, rows: Sequence[LevelSummary], records: Sequence[Record]) -> list[str]:
    """Return the sentences in order."""
    metric = measured(study)
    if not rows and finished(records):
        return [f"No finished trial has the outcome {metric.name}: choose another with --outcome."]
    if not any(row.is_default for row in rows):
        return [
            f"The {study.reference} level {study.factor} = {study.default_level} has no finished trial, so nothing can be compared "
            "with it; --baseline sets another level."
        ]
    compared = [(row, row.comparison) for row in rows if row.comparison]
    if not compared:
        return [*ceiling(study, records), *pool_filled(study, records)]
    return [
        *_highest(study, rows),
        *_significant(study, compared),
        *_equivalent(study, compared),
        *_undecided(study, rows, compared),
        *ceiling(study, records),
        *pool_filled(study, records),
        *_test(compared),
        *_power(study, compared),
        *_looks(study, compared),
    ]


def _highest(study: StudyRecord, rows: Sequence[LevelSummary]) -> list[str]:
    """Name the levels with the best mean, significant or not."""
    metric = measured(study)
    extreme = max((round(row.accuracy.mean, metric.places) for row in rows), key=metric.score)
    best = [_level(row.level) for row in rows if round(row.accuracy.mean, metric.places) == extreme]
    if len(best) > LISTED:
        return []
    which = "highest" if metric.maximise else "lowest"
    has = "has" if len(best) == 1 else "have"
    named = "" if study.outcomes[0] == "final" else f" {metric.name}"
    return [f"{study.factor} = {listed(best)} {has} the {which} mean{named}, {metric.text(extreme)}."]


def _level(name: str) -> str:
    return f"({name})" if ", " in name else name


def _significant(study: StudyRecord, compared: Compared) -> list[str]:
    metric, effect = measured(study), smallest_effect(study)
    return [
        f"{study.factor} = {row.level} is {'better' if metric.score(found.difference.mean) > 0 else 'worse'} than the "
        f"{study.reference} {study.default_level} by {metric.difference(abs(found.difference.mean))} "
        f"({interval_text(found.difference, places=metric.places)}, {found.difference.n} paired seeds, {p_equals(found.p_value)})"
        + (
            f", less than the smallest effect of interest, {metric.difference(effect or 0)}."
            if found.is_equivalent
            else "."
        )
        for row, found in compared
        if found.is_significant
    ]


def _equivalent(study: StudyRecord, compared: Compared) -> list[str]:
    """Name the levels whose mean difference is shown to be smaller than the smallest effect of interest."""
    metric, effect = measured(study), smallest_effect(study)
    alike = [
        (row.level, found.p_equivalent) for row, found in compared if found.is_equivalent and not found.is_significant
    ]
    if not alike or effect is None:
        return []
    greatest = max(p_value for _, p_value in alike if p_value is not None)
    is_one = len(alike) == 1
    subject = (
        f"{study.factor} = {listed([_level(level) for level, _ in alike])} {'is' if is_one else 'are'}"
        if len(alike) <= LISTED
        else f"Of {len(compared)} other levels, {len(alike)} are"
    )
    return [
        f"{subject} equivalent to the {study.reference} {study.default_level}: the mean difference is within "
        f"{metric.difference(effect)} of zero (two one-sided t-tests, {'' if is_one else 'largest '}{p_equals(greatest)})."
    ]


def _undecided(study: StudyRecord, rows: Sequence[LevelSummary], compared: Compared) -> list[str]:
    """Name the levels that show neither a difference nor equivalence, and the largest difference still possible."""
    alike = [
        (row.level, found.difference) for row, found in compared if not found.is_significant and not found.is_equivalent
    ]
    if not alike:
        return []
    factor, seeds = study.factor, min(difference.n for _, difference in alike)
    whole = not any(found.is_equivalent for _, found in compared)
    if whole and (span := _span(study, rows)):
        subject = f"{factor} between {span[0]} and {span[1]}"
    elif len(alike) <= LISTED:
        subject = f"{factor} = {listed([_level(level) for level, _ in alike])}"
    else:
        subject = f"Of {len(compared)} other levels, {len(alike)}"
    verb = "does" if subject.startswith(f"{factor} between") or len(alike) == 1 else "do"
    said = [
        f"{subject} {verb} not differ significantly from the {study.reference} {study.default_level} with {seeds} "
        f"seed{'s' * (seeds != 1)}."
    ]
    ends = [abs(end) for _, difference in alike for end in (difference.low, difference.high) if end]
    if ends:
        said.append(
            "This does not show that they are equal: the 95 % intervals allow differences of up to "
            f"{measured(study).difference(max(ends))}."
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


def _test(compared: Compared) -> list[str]:
    count = len(compared)
    corrected = f" with Holm's correction over {count} comparisons" if count > 1 else ""
    said = [f"Tested with the exact signed-rank test on paired seeds at 5 %{corrected}."]
    least = fewest_seeds(count)
    few = [(row.level, found) for row, found in compared if found.nonzero < least]
    if not few:
        return said
    seeds, differing = (max(found.difference.n for _, found in few), max(found.nonzero for _, found in few))
    which = (
        "no difference"
        if len(few) == count
        else f"no difference of {listed([_level(level) for level, _ in few[:LISTED]])}"
    )
    said.append(
        f"With fewer than {least} pairs that differ, {which} can be significant{corrected}; here {_pairs(differing, seeds)}"
        f"{', and bootstrap intervals from so few seeds are too narrow' * (seeds < least)}."
    )
    return said


def _pairs(differing: int, seeds: int) -> str:
    return f"there are {seeds} pairs" if differing == seeds else f"at most {differing} of {seeds} pairs differ"


def _power(study: StudyRecord, compared: Compared) -> list[str]:
    """Say how many seeds the smallest effect of interest needs, or what these seeds detect, by each pair's own spread."""
    metric, effect, count = measured(study), smallest_effect(study), len(compared)
    spreads = [(row.level, found.spread, found.difference.n) for row, found in compared if found.spread]
    if not spreads:
        return []
    if effect is not None:
        needed = sorted((seeds_needed(spread, count, effect), _level(level)) for level, spread, _ in spreads)
        (fewest, first), (most, last) = needed[0], needed[-1]
        seeds = f"about {most}" if fewest == most else f"from about {fewest} (for {first}) to {most} (for {last})"
        more = most > min(n for _, _, n in spreads)
        return [
            f"To detect a difference of {metric.difference(effect)} with 80 % power, {seeds} seeds are needed, given the spread of "
            "the paired differences."
            + " Fix the number before you run them: if you add seeds until a difference appears, you will always find one."
            * more
        ]
    visible = [(seen, level) for level, spread, n in spreads if (seen := visible_difference(spread, count, n))]
    if not visible:
        return []
    (least, lower), (greatest, upper) = min(visible), max(visible)
    span = (
        metric.difference(greatest)
        if lower == upper
        else f"{metric.difference(least)} ({lower}) to {metric.difference(greatest)} ({upper})"
    )
    return [f"These seeds detect a difference of {span} with 80 % power, given the spread of the paired differences."]


def _looks(study: StudyRecord, compared: Compared) -> list[str]:
    """Say that a study grew: each look at its results is a chance more to find a difference that is not there.

    A look with too few seeds for any difference to be significant gave no such chance.
    """
    least = fewest_seeds(len(compared))
    grown = [len({seed for seeds in study.looks[:look] for seed in seeds}) for look in range(1, len(study.looks) + 1)]
    sizes = [seeds for seeds in grown if seeds >= least]
    if len(sizes) < 2:
        return []
    return [
        f"This study grew: it was run with {', then '.join(map(str, sizes))} seeds, {len(sizes)} looks at its results, but the "
        f"p-values assume one. Corrected for all looks, a difference is significant below p = {SIGNIFICANCE / len(sizes):.3f}."
    ]
