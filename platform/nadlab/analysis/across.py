"""One study on several benchmarks: levels compared over all of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.page import Page
from nadlab.analysis.sections.content import RunLink, Section, Table
from nadlab.analysis.sections.effects import ranking_pictures
from nadlab.analysis.sections.tables import links
from nadlab.analysis.statistics.comparisons import SIGNIFICANCE, holm, superiority
from nadlab.analysis.statistics.intervals import Values, aggregate_iqm, aggregate_mean, stratified_interval
from nadlab.analysis.statistics.rankings import Ranking, rank
from nadlab.analysis.summary import values_of
from nadlab.analysis.text import estimate, listed, mean_and_deviation, p_equals, settings_text, with_unit
from nadlab.errors import UserError

FEW = 6
"""benchmarks below which the tests detect only large differences"""


def across(benchmarks: Sequence[Evidence], rng: np.random.Generator) -> tuple[Page, list[Section]]:
    """Return a page over several benchmarks of one study and one metric, by its first outcome; by regret for the last accuracy.

    Raises UserError when no level ran on all of them.
    """
    study, metric = benchmarks[0].study, benchmarks[0].metric
    is_final = study.outcomes[0] == "final"
    names = [each.study.benchmark_text for each in benchmarks]
    ran = [{row.level for row in each.rows} for each in benchmarks]
    shared = [row.level for row in benchmarks[0].rows if all(row.level in levels for levels in ran)]
    if not shared:
        raise UserError(f"no level of {study.study} was run on all of {listed(names)}, so there is nothing to compare")
    losses = {level: [each.losses(level) for each in benchmarks] for level in shared}
    ranking = rank(
        pd.DataFrame({level: [-values.mean() for values in strata] for level, strata in losses.items()}, index=names)
    )
    corrected = _corrected(benchmarks, shared)
    unit = metric.difference_unit
    what = f"regret{f', in {unit},' * bool(unit)} from each table's best {metric.name}" if is_final else metric.label
    said = [*_conclusions(ranking, len(names)), *_significant(benchmarks, corrected)]
    page = Page(
        f"{study.study} · {len(names)} benchmarks",
        study.question,
        said[-1],
        {"Expected": study.expectation},
        [],
        [*said, *map(_settings, benchmarks)],
        f"Compared by {what}. Intervals are 95 % stratified percentile bootstraps: seeds are drawn within each benchmark.",
        [each.runs for each in benchmarks if each.runs],
    )
    sign = 1 if is_final or not metric.maximise else -1
    tables = (
        _table(
            benchmarks,
            "across",
            (
                *(f"mean {'regret' if is_final else metric.name}", "95 % interval", "IQM", "95 % interval "),
                *(f"chance to beat the {study.reference}", "95 % interval  ", "mean rank"),
            ),
            _aggregates(study.default_level, losses, sign, ranking, metric.places, rng),
            f"IQM: interquartile mean over all runs of all benchmarks. The chance that a run beats one of the {study.reference} is "
            "averaged over benchmarks.",
        ),
        _table(
            benchmarks,
            "by_benchmark",
            [with_unit(name, metric) for name in names],
            {level: [_outcome(each, level) for each in benchmarks] for level in shared},
            f"Mean {metric.name} and standard deviation over seeds.",
        ),
        _table(
            benchmarks,
            "differences_by_benchmark",
            names,
            {
                level: [
                    _difference(each, level, corrected.get((place, level))) for place, each in enumerate(benchmarks)
                ]
                for level in shared
                if level != study.default_level
            },
            f"Mean difference to {study.default_level}, paired by seed, and p from the exact signed-rank test, Holm-corrected over "
            "all levels and benchmarks together.",
        ),
    )
    regrets = {level: losses[level] for level in benchmarks[0].drawn if level in losses} if is_final else {}
    pictures = ranking_pictures(regrets, study.default_level, ranking, "benchmarks", study)
    return page, [Section("Over all benchmarks", (), tuple(pictures), tables)]


def _corrected(benchmarks: Sequence[Evidence], shared: Sequence[str]) -> dict[tuple[int, str], float]:
    """Return (benchmark, level) -> p-value, all of them one family."""
    alone = {
        (place, row.level): row.comparison.p_alone
        for place, each in enumerate(benchmarks)
        for row in each.rows
        if row.comparison and row.level in shared
    }
    return dict(zip(alone, holm(list(alone.values())), strict=True))


def _significant(benchmarks: Sequence[Evidence], corrected: dict[tuple[int, str], float]) -> list[str]:
    if not corrected:
        return []
    found: dict[str, list[str]] = {}
    for (place, level), p_value in corrected.items():
        if p_value < SIGNIFICANCE:
            each = benchmarks[place]
            (row,) = (row for row in each.rows if row.level == level)
            assert row.comparison
            word = "better" if each.metric.score(row.comparison.difference.mean) > 0 else "worse"
            found.setdefault(f"{level} is {word} than {each.study.default_level}", []).append(each.study.benchmark_text)
    said = "; ".join(f"{claim} on {listed(names)}" for claim, names in found.items())
    return [
        f"With Holm's correction over all {len(corrected)} comparisons of levels and benchmarks "
        + (f"{said}." if said else "no difference is significant.")
    ]


def _settings(evidence: Evidence) -> str:
    return f"{evidence.study.benchmark_text}: {settings_text(evidence.study)}"


def _difference(evidence: Evidence, level: str, p_value: float | None) -> str:
    (row,) = (row for row in evidence.rows if row.level == level)
    if row.comparison is None or p_value is None:
        return ""
    return f"{row.comparison.difference.mean:+.{evidence.metric.places}f} ({p_equals(p_value)})"


def _table(
    benchmarks: Sequence[Evidence], name: str, heading: Sequence[str], rows: dict[str, list[str]], caption: str
) -> Table:
    return Table(
        name,
        (benchmarks[0].study.factor, *heading),
        tuple((level, *cells) for level, cells in rows.items()),
        caption,
        tuple(tuple(link for each in benchmarks for link in _links(each, level)) for level in rows),
    )


def _aggregates(
    default: str,
    losses: dict[str, list[Values]],
    sign: int,
    ranking: Ranking | None,
    places: int,
    rng: np.random.Generator,
) -> dict[str, list[str]]:
    """Return the cells of each level; sign: -1 where the outcome is the negated loss."""
    rows = {}
    for level, strata in losses.items():
        shown = [sign * values for values in strata]
        mean, middle = (stratified_interval(shown, statistic, rng) for statistic in (aggregate_mean, aggregate_iqm))
        better = ("", "")
        if default in losses and level != default:
            gains, reference = ([-values for values in each] for each in (strata, losses[default]))
            better = estimate(superiority(gains, reference, rng))
        rank_text = f"{ranking.ranks[level]:.2f}" if ranking else ""
        rows[level] = [*estimate(mean, places=places), *estimate(middle, places=places), *better, rank_text]
    return rows


def _conclusions(ranking: Ranking | None, benchmarks: int) -> list[str]:
    if ranking is None:
        return ["Friedman's test needs three levels and two benchmarks: no ranking over benchmarks can be tested."]
    said = [
        f"Friedman's test over {benchmarks} benchmarks gives {p_equals(ranking.p_value)}: "
        + ("some levels differ." if ranking.is_significant else "the levels do not differ significantly at 5 %.")
    ]
    if ranking.is_significant:
        best = min(ranking.ranks, key=ranking.ranks.__getitem__)
        worse = [
            level for level, mean in ranking.ranks.items() if mean - ranking.ranks[best] > ranking.critical_difference
        ]
        said.append(
            f"{best} has the best mean rank; by Nemenyi's test it is better than {listed(worse)}."
            if worse
            else f"{best} has the best mean rank, but by Nemenyi's test it does not differ significantly from any other."
        )
    if benchmarks < FEW:
        said.append("With few benchmarks these tests detect only large and consistent differences.")
    return said


def _links(evidence: Evidence, level: str) -> tuple[RunLink, ...]:
    found = links(evidence, evidence.groups[level])
    return tuple(RunLink(each.run, each.url, f"{evidence.study.benchmark_text}, {each.label}") for each in found)


def _outcome(evidence: Evidence, level: str) -> str:
    return mean_and_deviation(list(values_of(evidence.study, evidence.groups[level]).values()), evidence.metric.places)
