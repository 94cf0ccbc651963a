"""The answer of a study in one sentence, and which levels differ: what a reader of two minutes takes away."""

from collections.abc import Sequence

from nadlab.analysis.statistics.comparisons import Comparison, fewest_seeds, seeds_needed
from nadlab.analysis.summary import LevelSummary
from nadlab.analysis.text import interval_text, listed
from nadlab.study.outcomes import measured, smallest_effect
from nadlab.study.records import StudyRecord

LISTED = 6
"""levels beyond which their number is said"""


def answer(study: StudyRecord, rows: Sequence[LevelSummary]) -> str:
    """Return what may be concluded, with the interval of the largest difference to the default."""
    compared = [(row.level, row.comparison) for row in rows if row.comparison]
    if not compared:
        return "No comparison yet: there is one level, or no finished trial of the default."
    significant = [each for each in compared if each[1].is_significant]
    largest = max(significant or compared, key=lambda each: abs(each[1].difference.mean))
    claim = _claim(study, *largest)
    if significant:
        if len(compared) == 1:
            return f"A significant difference: {claim}."
        return f"{len(significant)} of {len(compared)} levels differ significantly; the largest difference: {claim}."
    least, seeds = fewest_seeds(len(compared)), min(found.difference.n for _, found in compared)
    most = claim if len(compared) == 1 else f"the largest difference: {claim}"
    if seeds < least:
        return f"Inconclusive: {seeds} seed{'s' * (seeds != 1)}, but at least {least} are needed; {most}."
    effect, metric = smallest_effect(study), measured(study)
    if effect is not None and all(found.is_equivalent for _, found in compared):
        return f"No difference of interest: every level is within {metric.difference(effect)} of the {study.reference}; {most}."
    needed = [
        seeds_needed(found.spread, len(compared), effect)
        for _, found in compared
        if found.spread and effect is not None
    ]
    power = (
        f"; to detect {metric.difference(effect)}, about {max(needed)} seeds are needed"
        if effect is not None and needed and max(needed) > seeds
        else ""
    )
    return f"No significant difference with {seeds} seeds; {most}{power}."


def found_text(study: StudyRecord, rows: Sequence[LevelSummary]) -> str:
    """Return the levels by what was found of them, to be read against what was expected; empty without a comparison."""
    score, kinds = measured(study).score, dict[str, list[str]]()
    compared = [(row.level, row.comparison) for row in rows if row.comparison]
    if not compared:
        return ""
    for level, found in compared:
        if found.is_significant:
            kind = "better" if score(found.difference.mean) > 0 else "worse"
        else:
            kind = "equivalent" if found.is_equivalent else "no significant difference"
        kinds.setdefault(kind, []).append(level)
    order = ("better", "worse", "equivalent", "no significant difference")
    said = "; ".join(f"{kind}: {_levels(kinds[kind])}" for kind in order if kind in kinds)
    few = min(found.difference.n for _, found in compared) < fewest_seeds(len(compared))
    held = "With so few seeds it is undecided whether the expectation holds. " if few else ""
    return f"{held}Compared with the {study.reference} {study.factor} = {study.default_level}, {said}."


def _levels(names: Sequence[str]) -> str:
    return listed(names) if len(names) <= LISTED else f"{len(names)} levels"


def _claim(study: StudyRecord, level: str, found: Comparison) -> str:
    metric = measured(study)
    return (
        f"{study.factor} = {level} differs from the {study.reference} {study.default_level} in {metric.name} by "
        f"{metric.difference(found.difference.mean, '+')} ({interval_text(found.difference, places=metric.places)})"
    )
