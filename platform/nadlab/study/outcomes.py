"""What a study can be asked for: outcomes of a trial, each a function of its record alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import Literal

from nadlab.benchmarks.oracle import Metric, Oracle, facts_of, optimum_of, search_optimum_of
from nadlab.errors import UserError, did_you_mean
from nadlab.study.incumbents import feasible, incumbents, reaching
from nadlab.study.records import Record, StudyRecord

BUDGETS = (20, 40, 80, 160)
"""queries after which regret is an outcome"""
CENSORED = " A trial that does not find it counts as one query more than it made."
SMALL_POINTS = 0.05
"""percentage points: the smallest effect of interest in accuracy and regret, where a study names no other"""


@dataclass(frozen=True)
class Outcome:
    """One number of a trial."""

    of: Callable[[Record, StudyRecord], float | None]
    """None where the trial has none, such as PP's tau of a method without PP"""
    metric: Callable[[StudyRecord], Metric]
    """name, unit and direction"""
    smallest_effect: float | None
    """smallest difference of interest in that unit; None: where a study names none, equivalence is not tested"""
    queries: int | None = None
    """of the first so many queries; None: of the whole trial"""
    needs: Literal["nothing", "optimum", "free answers"] = "nothing"
    """what a benchmark must have for it"""
    has_ceiling: bool = False
    """a trial that found the benchmark's best cell can't have a better value"""
    note: str = ""
    """a sentence for tables, a space before it"""


def check_outcomes(wanted: Sequence[str]) -> None:
    """Raise UserError when there is no outcome, one twice, or an unknown one."""
    for name in wanted:
        if name not in OUTCOMES:
            raise UserError(
                f"{name!r} is not an outcome: {did_you_mean(name, OUTCOMES)}choose from {', '.join(OUTCOMES)}; final is the reported "
                "accuracy"
            )
    if not wanted or len(set(wanted)) < len(wanted):
        raise UserError(f"name each outcome once: {', '.join(wanted) or 'none is named'}")


def fitting(wanted: Sequence[str], oracle: Oracle) -> tuple[tuple[str, ...], list[str]]:
    """Return the outcomes that a benchmark allows, and a sentence for each of the others.

    Where the first is not allowed, `final` takes its place.
    """
    reasons = (
        {}
        if facts_of(oracle).free
        else {
            "free answers": "may answer by a training, and this outcome asks for cells beyond the budget (see `facts` in docs/own_benchmark.md)"
        }
    )
    if optimum_of(oracle) is None or search_optimum_of(oracle) is None:
        reasons["optimum"] = "does not know its optimum"
    left_out = {name: reasons[needs] for name in wanted if (needs := OUTCOMES[name].needs) in reasons}
    said = [f"The outcome {name} is left out: {oracle.name} {reason}." for name, reason in left_out.items()]
    allowed = tuple(name for name in wanted if name not in left_out)
    return allowed if wanted[0] in allowed else ("final", *(name for name in allowed if name != "final")), said


def primary(study: StudyRecord) -> Outcome:
    """Return the outcome that a study's report is about: the first."""
    return OUTCOMES[study.outcomes[0]]


def measured(study: StudyRecord) -> Metric:
    """Return name, unit and direction of the study's first outcome."""
    return primary(study).metric(study)


def value(record: Record, study: StudyRecord) -> float | None:
    """Return a trial's value of the study's first outcome, None where it has none."""
    return primary(study).of(record, study)


def smallest_effect(study: StudyRecord) -> float | None:
    """Return the smallest difference of interest: the study's own, else the outcome's; None where neither has one."""
    if study.smallest_effect is not None:
        return study.smallest_effect
    found, unit = primary(study).smallest_effect, measured(study).unit
    return None if primary(study).has_ceiling and unit not in ("%", "points") else found


def queries_to_best(record: Record, study: StudyRecord, queries: int | None = None) -> int | None:
    """Return the number of the first query that finds it; None where it was not found or the best is unknown."""
    if study.search_optimum is None:
        return None
    asked = [query for query in feasible(record) if queries is None or query.number <= queries]
    return reaching(asked, study.search_split, study.measured, study.search_optimum)


def _final(record: Record, _: StudyRecord) -> float | None:
    return record.metrics.get("best_reported")


def _regret_after(queries: int) -> Outcome:
    def of(record: Record, study: StudyRecord) -> float | None:
        if study.optimum is None or len(record.ledger) < queries:
            return None
        reported = incumbents(record, study)[queries - 1]
        score = study.measured.score
        return score(study.optimum) - score(reported) if isfinite(reported) else None

    def metric(study: StudyRecord) -> Metric:
        unit = "points" if study.measured.unit == "%" else study.measured.unit
        return Metric(f"regret after {queries} queries", unit, maximise=False, high=None)

    return Outcome(of, metric, SMALL_POINTS, queries, "optimum", has_ceiling=True)


def _queries_to_best(record: Record, study: StudyRecord) -> float | None:
    if study.search_optimum is None:
        return None
    return float(queries_to_best(record, study) or len(record.ledger) + 1)


def _of_metric(name: str, words: str, smallest: float, maximise: bool = True) -> Outcome:
    metric = _fixed(words, maximise=maximise)
    return Outcome(lambda record, _: record.metrics.get(name), metric, smallest, needs="free answers")


def _novelty(record: Record, _: StudyRecord) -> float | None:
    unique, novel = record.metrics.get("share_unique"), record.metrics.get("share_novel")
    return None if unique is None or novel is None else unique * novel


def _seconds(record: Record, _: StudyRecord) -> float | None:
    return record.metrics.get("train_seconds", record.metrics.get("search_seconds"))


def _fixed(words: str, unit: str = "", maximise: bool = True) -> Callable[[StudyRecord], Metric]:
    return lambda _: Metric(words, unit, maximise, low=None, high=None)


OUTCOMES: Mapping[str, Outcome] = MappingProxyType({
    "final": Outcome(_final, lambda study: study.measured, SMALL_POINTS, has_ceiling=True),
    **{f"regret-{queries}": _regret_after(queries) for queries in BUDGETS},
    "queries-to-best": Outcome(_queries_to_best, _fixed("time until the best cell", "queries", maximise=False), 5.0, needs="optimum", note=CENSORED),
    "predictor-tau": _of_metric("predictor_tau", "rank correlation of PP", 0.02),
    "predictor-tau-top": _of_metric("predictor_tau_top", "rank correlation of PP in the best 5 %", 0.05),
    "calibration": _of_metric("predictor_calibration", "calibration error of PP", 0.02, maximise=False),
    "fidelity": _of_metric("rank_fidelity", "fidelity of AG to its rank", 0.05),
    "lift": _of_metric("rank0_lift", "rank-0 share of AG over the base rate", 0.5),
    "novelty": Outcome(_novelty, _fixed("new classes per valid cell of AG"), 0.05),
    "seconds": Outcome(_seconds, _fixed("seconds", "s", maximise=False), None),
})  # fmt: skip
"""name -> outcome.

`final`: the reported answer of the last incumbent. `regret-N`: how far that of the incumbent after N queries is from the
optimum. `queries-to-best`: the number of the query that finds the benchmark's best cell by the search split; a trial that
does not is censored, and counts as one query more than it made. `predictor-tau`, `predictor-tau-top`,
`calibration`, `fidelity`, `lift`:
`nadlab.semigan.diagnostics`. `novelty`: classes up to isomorphism without a label a valid cell that AG generates under rank 0.
"""
