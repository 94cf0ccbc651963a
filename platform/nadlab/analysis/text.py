"""Numbers as text: the formats that the tables and sentences of every report share."""

from collections.abc import Sequence

import numpy as np

from nadlab.analysis.statistics.comparisons import Comparison, seeds_needed
from nadlab.analysis.statistics.intervals import Interval
from nadlab.analysis.summary import LevelSummary
from nadlab.benchmarks.oracle import Metric
from nadlab.benchmarks.presets import PAPER
from nadlab.study.outcomes import measured, primary
from nadlab.study.records import StudyRecord

UNITS = (("hours", 3600), ("minutes", 60), ("seconds", 1))
"""of durations, in seconds"""


def with_unit(word: str, metric: Metric) -> str:
    """Return a heading with the metric's unit, such as `best %`."""
    return f"{word} {metric.unit}".rstrip()


def accuracy_headings(metric: Metric) -> tuple[str, ...]:
    """Return the headings of `accuracy_cells`."""
    return (
        "n",
        metric.heading,
        "95 % interval",
        "SD",
        *(with_unit(word, metric) for word in ("best", "median", "worst")),
    )


def accuracy_cells(row: LevelSummary, metric: Metric) -> tuple[str, ...]:
    """Return the metric of a level for a table; a single seed has no SD."""
    places = metric.places
    return (
        str(row.accuracy.n),
        *estimate(row.accuracy, places=places),
        number(row.deviation, places),
        number(row.best, places),
        number(row.median, places),
        number(row.worst, places),
    )


def comparison_cells(found: Comparison | None, metric: Metric) -> tuple[str, ...]:
    """Return difference, interval, p, chance to beat the reference and its interval for a table; empty without a comparison."""
    if found is None:
        return ("",) * 5
    return (*estimate(found.difference, "+", metric.places), p_text(found.p_value), *estimate(found.superiority))


def equivalence_cells(found: Comparison, comparisons: int, effect: float | None) -> tuple[str, ...]:
    """Return the p-value of equivalence and the seeds that the pair needs, by its own spread; nothing without an effect."""
    if effect is None or found.p_equivalent is None:
        return ()
    needed = "" if found.spread is None else str(seeds_needed(found.spread, comparisons, effect))
    return (p_text(found.p_equivalent), needed)


def equivalence_note(metric: Metric, effect: float | None) -> str:
    """Return the sentences about those cells, a space before them; empty without them."""
    if effect is None:
        return ""
    return (
        f" Equivalence: two one-sided t-tests that the mean difference is within {metric.difference(effect)} of zero, with Holm's "
        "correction. Seeds needed: to detect a difference of that size with 80 % power, given the spread of this pair."
    )


def published_cells(study: StudyRecord, level: str) -> tuple[str, ...]:
    """Return the cell of the column for a paper's results, which a study without them has not."""
    return (number(study.published.get(level)),) if _published(study) else ()


def published_heading(study: StudyRecord) -> tuple[str, ...]:
    """Return the heading of that column: it names the protocol of a paper's results where ours are by another."""
    mixed = "" if study.preset == PAPER else f" (protocol {PAPER})"
    return (f"paper{mixed} %",) if _published(study) else ()


def published_note(study: StudyRecord) -> str:
    """Return the sentences about that column, a space before them; empty without it."""
    if not _published(study):
        return ""
    note = " The last column is the paper's best result."
    if study.preset == PAPER:
        return note
    ours = f"{study.preset}, searched by {study.searched_by} and reported by {study.reported_by} {study.measured.name}"
    return f"{note} The table mixes protocols: the paper's result uses the protocol {PAPER}, ours {ours}."


def _published(study: StudyRecord) -> bool:
    return bool(study.published) and study.outcomes[0] == "final"


def outcome_label(study: StudyRecord) -> str:
    """Return the study's first outcome with its unit, as an axis has it."""
    metric = measured(study)
    if study.outcomes[0] != "final":
        return metric.label
    return f"{study.reported_by} {metric.label.replace(metric.name, f'{metric.name} of the best cell')}"


def settings_text(study: StudyRecord) -> str:
    """Say on which benchmarks the settings were chosen, whether this is one of them, and whether it is held out."""
    chosen: dict[str, list[str]] = {}
    for name, benchmarks in study.chosen_on.items():
        chosen.setdefault(_chosen(benchmarks, study.benchmark), []).append(name)
    said = "; ".join(f"{', '.join(owners)}: {how}" for how, owners in chosen.items())
    held = f"No setting may be chosen on {study.benchmark}: it is held out." if study.held_out else ""
    return " ".join(filter(None, [f"How settings were chosen: {said or 'not recorded'}.", held]))


def _chosen(benchmarks: Sequence[str] | None, benchmark: str) -> str:
    if benchmarks is None:
        return "not known"
    if not benchmarks:
        return "published settings"
    if benchmark in benchmarks:
        return f"tuned on {', '.join(benchmarks)}, including this benchmark, so its results here are optimistic"
    return f"tuned on {', '.join(benchmarks)}, not on this benchmark"


def regret_cells(study: StudyRecord, regret: float | None) -> tuple[str, ...]:
    """Return the cell of the column for regret, which a study without an optimum has not."""
    return () if study.optimum is None else (number(regret, study.measured.places),)


def level_name(level: str, default: str, word: str = "default") -> str:
    """Return a level as it is shown; word: what the level that others are compared with is called."""
    return f"{level} ({word})" if level == default else level


def accuracy_note(study: StudyRecord) -> str:
    """Say what the answers and, where the optimum is known, regret are in a study."""
    metric = study.measured
    if study.outcomes[0] != "final":
        asked = measured(study)
        return f"Outcome: {asked.label}; {'more' if asked.maximise else 'less'} is better.{primary(study).note}"
    regret = "" if study.optimum is None else f"; regret is relative to the table's best, {metric.text(study.optimum)}"
    return (
        f"{metric.name.capitalize()} is the {study.reported_by} {metric.name} of the cell with the best {study.searched_by} "
        f"{metric.name} among those queried{'' if metric.maximise else ' (lower is better)'}{regret}."
    )


def number(value: float | None, places: int = 2) -> str:
    """Return a number with so many digits; empty for None."""
    return "" if value is None else f"{value:.{places}f}"


def setting(value: object) -> str:
    """Return a setting, floats with three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def mean_and_deviation(values: Sequence[float], places: int = 2) -> str:
    """Return mean and standard deviation; a single value has no deviation."""
    mean = f"{np.mean(values):.{places}f}"
    return f"{mean} ± {np.std(values, ddof=1):.{places}f}" if len(values) > 1 else mean


def ends(interval: Interval, sign: str = "+", places: int = 2) -> str:
    """Return the ends of an interval."""
    if interval.low is None or interval.high is None:
        return "no interval"
    return f"{interval.low:{sign}.{places}f} to {interval.high:{sign}.{places}f}"


def estimate(interval: Interval, sign: str = "", places: int = 2) -> tuple[str, str]:
    """Return a statistic and the ends of its interval."""
    return f"{interval.mean:{sign}.{places}f}", ends(interval, sign, places)


def hypervolume_text(found: Interval | None) -> str:
    """Return a hypervolume, or a difference of two, with its interval; empty without one."""
    if found is None or found.low is None or found.high is None:
        return "" if found is None else f"{found.mean:.4f}"
    return f"{found.mean:.4f} ({found.low:.4f} to {found.high:.4f})"


def interval_text(interval: Interval, sign: str = "+", places: int = 2) -> str:
    """Return an interval for a sentence."""
    found = ends(interval, sign, places)
    return found if interval.low is None else f"95 % interval {found}"


def p_text(p_value: float) -> str:
    """Return a p-value with its significant digits."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}" if p_value < 0.1 else f"{p_value:.2f}"


def p_equals(p_value: float) -> str:
    """Return a p-value for a sentence, such as `p = 0.03` or `p < 0.001`."""
    text = p_text(p_value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def duration(seconds: float) -> str:
    """Return a duration in the largest unit of which it has two."""
    unit, size = next((each for each in UNITS if seconds >= 2 * each[1]), UNITS[-1])
    return f"{max(1.0, seconds / size):.3g} {unit}"


def listed(names: Sequence[str]) -> str:
    """Return names as a list in a sentence."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def markdown_table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table in Markdown."""
    return [f"| {' | '.join(heading)} |", f"|{'---|' * len(heading)}", *(f"| {' | '.join(row)} |" for row in rows)]
