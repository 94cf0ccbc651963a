"""Sentences on results that show less than they seem to."""

from collections.abc import Sequence

from nadlab.analysis.statistics.comparisons import fewest_seeds
from nadlab.analysis.summary import by_level, finished
from nadlab.analysis.text import listed
from nadlab.study.outcomes import measured, primary, queries_to_best, value
from nadlab.study.records import Record, StudyRecord

CEILING = 0.5
"""share of trials at the best value from which on that is said"""
FILLED = 0.5
"""share of the final queries without a cell of AG from which on that is said"""


def ceiling(study: StudyRecord, records: Sequence[Record]) -> list[str]:
    """Return the sentence that says how many trials have the best value there is, or all the same, where these are many."""
    valued = [(record, value(record, study)) for record in finished(records)]
    ended = [record for record, each in valued if each is not None]
    values = [each for _, each in valued if each is not None]
    levels = {study.level(record.trial) for record in ended}
    if len(levels) < 2 or not values:
        return []
    outcome, metric, count = primary(study), measured(study), len(values)
    found = [queries_to_best(record, study, outcome.queries) for record in ended] if outcome.has_ceiling else []
    at_best = sum(number is not None for number in found)
    advice = "use fewer queries, another --benchmark or another --outcome."
    if at_best >= CEILING * count:
        # a pair differs only where one of its trials is not among them
        cannot = count - at_best < fewest_seeds(len(levels) - 1)
        within = f" within {outcome.queries} queries" if outcome.queries else ""
        return [
            f"{at_best} of {count} trials reach the best cell of the benchmark{within}: this outcome "
            f"{'cannot' if cannot else 'can hardly'} show a difference between levels; {advice}"
        ]
    if count > 1 and len(set(values)) == 1:
        return [
            f"All {count} finished trials of {len(levels)} levels have the same {metric.name}, {metric.text(values[0])}: this "
            f"outcome cannot show a difference between levels; {advice}"
        ]
    return []


def pool_filled(study: StudyRecord, records: Sequence[Record]) -> list[str]:
    """Return the sentence that names the levels at which AG had no new cell for many of the final queries."""
    shares = {level: found for level, group in by_level(study, records).items() if (found := _filled(group)) >= FILLED}
    if not shares:
        return []
    named = listed([f"{level} ({share:.0%})" for level, share in shares.items()])
    return [
        f"AG had no new cell for many of the final queries at {study.factor} = {named}; PP chose these from the pool, so "
        "they say nothing of AG."
    ]


def _filled(records: Sequence[Record]) -> float:
    """Return the share of the final queries that the pool filled where AG's cells were to be queried; 0 without such trials."""
    asked = [
        each for each in records if each.trial.settings.get("candidates_from", "generator") in ("generator", "both")
    ]
    counts = [(each.metrics.get("pool_fallback") or 0, each.trial.settings.get("final_k") or 0) for each in asked]
    return sum(filled for filled, _ in counts) / (sum(final for _, final in counts) or 1)
