"""One study on several benchmarks: levels compared over all of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.page import Page
from nadlab.analysis.sections.content import RunLink, Section, Table
from nadlab.analysis.sections.effects import ranking_pictures
from nadlab.analysis.sections.tables import links
from nadlab.analysis.statistics.comparisons import superiority
from nadlab.analysis.statistics.intervals import Values, aggregate_iqm, aggregate_mean, stratified_interval
from nadlab.analysis.statistics.rankings import Ranking, rank
from nadlab.analysis.text import estimate, listed, mean_and_deviation, p_equals, with_unit
from nadlab.errors import UserError

HEADING = (
    "mean regret", "95 % interval", "IQM", "95 % interval ", "chance to beat the default", "95 % interval  ", "mean rank",
)  # fmt: skip
FEW = 6
"""benchmarks below which the tests detect only large differences"""


def across(benchmarks: Sequence[Evidence], rng: np.random.Generator) -> tuple[Page, list[Section]]:
    """Return a page over several benchmarks of one study and one metric that know their optimum, by regret.

    Raises UserError when no level ran on all of them.
    """
    study, metric = benchmarks[0].study, benchmarks[0].study.measured
    unit = metric.difference_unit
    names = [each.study.benchmark_text for each in benchmarks]
    shared = [level for level in benchmarks[0].drawn if all(level in each.groups for each in benchmarks)]
    if not shared:
        raise UserError(
            f"no level of {study.study} ran on all of {listed(names)}: there is nothing to compare across them"
        )
    regrets = {level: [each.regrets(level) for each in benchmarks] for level in shared}
    means = {level: [-values.mean() for values in strata] for level, strata in regrets.items()}
    ranking = rank(pd.DataFrame(means, index=names))
    page = Page(
        f"{study.study} · {len(names)} benchmarks",
        study.question,
        study.expectation,
        _conclusions(ranking, len(names)),
        f"Compared by regret{f', in {unit},' * bool(unit)} from each table's best {metric.name}. Intervals are 95 % stratified "
        "percentile bootstraps: seeds are drawn within each benchmark.",
        [each.runs for each in benchmarks if each.runs],
    )
    accuracies = {level: [_accuracy(each, level) for each in benchmarks] for level in shared}
    tables = (
        _table(
            benchmarks,
            "across",
            HEADING,
            _aggregates(study.default_level, regrets, ranking, metric.places, rng),
            "IQM: interquartile mean over all runs of all benchmarks. A, the chance that a run beats one of the default, is "
            "averaged over benchmarks.",
        ),
        _table(
            benchmarks,
            "by_benchmark",
            [with_unit(name, metric) for name in names],
            accuracies,
            f"Mean {metric.name} and standard deviation over seeds.",
        ),
    )
    pictures = ranking_pictures(regrets, study.default_level, ranking, "benchmarks", study)
    return page, [Section("Over all benchmarks", (), tuple(pictures), tables)]


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
    default: str, regrets: dict[str, list[Values]], ranking: Ranking | None, places: int, rng: np.random.Generator
) -> dict[str, list[str]]:
    rows = {}
    for level, strata in regrets.items():
        mean, middle = (stratified_interval(strata, statistic, rng) for statistic in (aggregate_mean, aggregate_iqm))
        better = ("", "")
        if default in regrets and level != default:
            gains, reference = ([-values for values in each] for each in (strata, regrets[default]))
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


def _accuracy(evidence: Evidence, level: str) -> str:
    accuracies = [record.accuracy for record in evidence.groups[level]]
    return mean_and_deviation(accuracies, evidence.study.measured.places)
