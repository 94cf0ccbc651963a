"""One study on several benchmarks: levels compared over all of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nadlab.analysis.conclusions import ends, listed, p_equals
from nadlab.analysis.evidence import Evidence
from nadlab.analysis.figures.comparisons import critical_differences, profile_lines
from nadlab.analysis.page import Page
from nadlab.analysis.sections.content import Picture, RunLink, Section, Table
from nadlab.analysis.sections.provenance import links
from nadlab.analysis.statistics.comparisons import superiority
from nadlab.analysis.statistics.intervals import Interval, Values, aggregate_iqm, aggregate_mean, stratified_interval
from nadlab.analysis.statistics.rankings import Ranking, rank
from nadlab.errors import UserError


def across(benchmarks: Sequence[Evidence], rng: np.random.Generator) -> tuple[Page, list[Section]]:
    """Return a page over several benchmarks of one study, by regret, which all benchmarks share.

    Raises UserError when no level ran on all of them.
    """
    study = benchmarks[0].study
    names = [each.study.benchmark for each in benchmarks]
    shared = [level for level in benchmarks[0].drawn if all(level in each.groups for each in benchmarks)]
    if not shared:
        raise UserError(
            f"no level of {study.study} ran on all of {listed(names)}: there is nothing to compare across them"
        )
    regrets = {level: [_regrets(each, level) for each in benchmarks] for level in shared}
    means = pd.DataFrame(
        {level: [-values.mean() for values in strata] for level, strata in regrets.items()}, index=names
    )
    ranking = rank(means)
    page = Page(
        f"{study.study} · {len(names)} benchmarks",
        study.question,
        study.expectation,
        _conclusions(ranking, len(names)),
        "Compared by regret, in percentage points below each table's best. Intervals are 95 % stratified percentile bootstraps: "
        "seeds are drawn within each benchmark.",
        [each.runs for each in benchmarks if each.runs],
    )
    pictures = [
        Picture(
            "performance_profiles",
            profile_lines(regrets, study.default_level),
            "Share of runs whose regret is below a bound, averaged over benchmarks.",
        )
    ]
    if ranking and ranking.is_established:
        pictures.append(
            Picture(
                "critical_differences",
                critical_differences(ranking),
                "Mean ranks over benchmarks, 1 the best; a bar joins levels that Nemenyi's comparison can't tell apart (critical "
                f"difference {ranking.critical_difference:.2f}).",
            )
        )
    runs = tuple(tuple(link for each in benchmarks for link in _links(each, level)) for level in shared)
    return page, [
        Section(
            "Over all benchmarks",
            (),
            tuple(pictures),
            (_aggregates(benchmarks, regrets, ranking, runs, rng), _by_benchmark(benchmarks, shared, runs)),
        )
    ]


def _aggregates(
    benchmarks: Sequence[Evidence],
    regrets: dict[str, list[Values]],
    ranking: Ranking | None,
    runs: tuple[tuple[RunLink, ...], ...],
    rng: np.random.Generator,
) -> Table:
    study = benchmarks[0].study
    default = regrets.get(study.default_level)
    rows = []
    for level, strata in regrets.items():
        mean, middle = (stratified_interval(strata, statistic, rng) for statistic in (aggregate_mean, aggregate_iqm))
        better = (
            _texts(superiority([-values for values in strata], [-values for values in default], rng))
            if default and level != study.default_level
            else ("", "")
        )
        rows.append((level, *_texts(mean), *_texts(middle), *better, f"{ranking.ranks[level]:.2f}" if ranking else ""))
    return Table(
        "across",
        (
            study.factor,
            "mean regret",
            "95 % interval",
            "IQM",
            "95 % interval ",
            "chance to beat the default",
            "95 % interval  ",
            "mean rank",
        ),
        tuple(rows),
        "IQM: interquartile mean over all runs of all benchmarks. A, the chance that a run beats one of the default, is averaged over benchmarks.",
        runs,
    )


def _by_benchmark(
    benchmarks: Sequence[Evidence], shared: Sequence[str], runs: tuple[tuple[RunLink, ...], ...]
) -> Table:
    return Table(
        "by_benchmark",
        (benchmarks[0].study.factor, *(f"{each.study.benchmark} %" for each in benchmarks)),
        tuple((level, *(_accuracy(each, level) for each in benchmarks)) for level in shared),
        "Mean accuracy and standard deviation over seeds.",
        runs,
    )


def _conclusions(ranking: Ranking | None, benchmarks: int) -> list[str]:
    if ranking is None:
        return ["Friedman's test needs three levels and two benchmarks: no ranking over benchmarks can be tested."]
    said = [
        f"Friedman's test over {benchmarks} benchmarks gives {p_equals(ranking.p_value)}: "
        + ("some levels differ." if ranking.is_established else "no difference among the levels is established at 5 %.")
    ]
    if ranking.is_established:
        best = min(ranking.ranks, key=ranking.ranks.__getitem__)
        worse = [
            level for level, mean in ranking.ranks.items() if mean - ranking.ranks[best] > ranking.critical_difference
        ]
        said.append(
            f"{best} has the best mean rank; by Nemenyi's comparison it is better than {listed(worse)}."
            if worse
            else f"{best} has the best mean rank, but Nemenyi's comparison can't tell it apart from any other."
        )
    return (
        [*said, "With few benchmarks these tests see only large and consistent differences."]
        if benchmarks < 6
        else said
    )


def _regrets(evidence: Evidence, level: str) -> Values:
    return np.array([record.metrics["regret"] for record in evidence.groups[level]], float)


def _links(evidence: Evidence, level: str) -> tuple[RunLink, ...]:
    found = links(evidence, evidence.groups[level])
    return tuple(RunLink(each.run, each.url, f"{evidence.study.benchmark}, {each.words}") for each in found)


def _texts(interval: Interval) -> tuple[str, str]:
    return f"{interval.mean:.2f}", ends(interval, "")


def _accuracy(evidence: Evidence, level: str) -> str:
    values = np.array([record.accuracy for record in evidence.groups[level]])
    return f"{values.mean():.2f}" + (f" ± {values.std(ddof=1):.2f}" if len(values) > 1 else "")
