"""Numbers as text: the formats that the tables and sentences of every report share."""

from collections.abc import Sequence

import numpy as np

from nadlab.analysis.statistics.comparisons import Comparison
from nadlab.analysis.statistics.intervals import Interval
from nadlab.analysis.summary import LevelSummary
from nadlab.benchmarks.oracle import Metric
from nadlab.benchmarks.presets import PAPER
from nadlab.study.records import StudyRecord


def with_unit(word: str, metric: Metric) -> str:
    """Return a heading with the metric's unit, such as `best %`."""
    return f"{word} {metric.unit}".rstrip()


def accuracy_headings(metric: Metric) -> tuple[str, ...]:
    """Return the headings of `accuracy_cells`."""
    return ("n", metric.heading, "95 % interval", "SD", with_unit("best", metric))


def accuracy_cells(row: LevelSummary, metric: Metric) -> tuple[str, ...]:
    """Return the metric of a level for a table; a single seed has no SD."""
    places = metric.places
    return (
        str(row.accuracy.n),
        *estimate(row.accuracy, places=places),
        number(row.deviation, places),
        number(row.best, places),
    )


def comparison_cells(found: Comparison | None, metric: Metric) -> tuple[str, ...]:
    """Return difference, interval, p, A and its interval for a table; empty without a comparison."""
    if found is None:
        return ("",) * 5
    return (*estimate(found.difference, "+", metric.places), p_text(found.p_value), *estimate(found.superiority))


def published_cells(study: StudyRecord, level: str) -> tuple[str, ...]:
    """Return the cell of the column for a paper's results, which a study without them has not."""
    return (number(study.published.get(level)),) if study.published else ()


def published_heading(study: StudyRecord) -> tuple[str, ...]:
    """Return the heading of that column: it names the protocol of a paper's results where ours are by another."""
    mixed = "" if study.preset == PAPER else f" (protocol {PAPER})"
    return (f"paper{mixed} %",) if study.published else ()


def published_note(study: StudyRecord) -> str:
    """Return the sentences about that column, a space before them; empty without it."""
    if not study.published:
        return ""
    note = " The last column is the paper's result, its best."
    if study.preset == PAPER:
        return note
    ours = f"{study.preset}, searched by {study.searched_by} and reported by {study.reported_by} {study.measured.name}"
    return f"{note} The table mixes protocols: the paper's result is by the protocol {PAPER}, ours by {ours}."


def regret_cells(study: StudyRecord, regret: float | None) -> tuple[str, ...]:
    """Return the cell of the column for regret, which a study without an optimum has not."""
    return () if study.optimum is None else (number(regret, study.measured.places),)


def level_name(level: str, default: str, word: str = "default") -> str:
    """Return a level as it is shown; word: what the level that others are compared with is called."""
    return f"{level} ({word})" if level == default else level


def accuracy_note(study: StudyRecord) -> str:
    """Say what the answers and, where the optimum is known, regret are in a study."""
    metric = study.measured
    regret = "" if study.optimum is None else f"; regret is counted from the table's best, {metric.text(study.optimum)}"
    return (
        f"{metric.name.capitalize()} is the {study.reported_by} {metric.name} of the cell with the best {study.searched_by} "
        f"{metric.name} among those queried{'' if metric.maximise else ', the least being best'}{regret}."
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


def listed(names: Sequence[str]) -> str:
    """Return names as a list in a sentence."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
