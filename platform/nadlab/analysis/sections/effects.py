"""Accuracy of the levels, their comparisons, and the effects and interactions of crossed factors."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.figures.comparisons import critical_differences, differences, profile_lines
from nadlab.analysis.figures.levels import accuracy_by_factor, accuracy_by_level, interaction
from nadlab.analysis.sections.content import Picture, Section, Table
from nadlab.analysis.sections.tables import level_table, links
from nadlab.analysis.statistics.comparisons import SIGNIFICANCE
from nadlab.analysis.statistics.factorial import variance_shares
from nadlab.analysis.statistics.intervals import Values
from nadlab.analysis.statistics.rankings import Ranking, rank
from nadlab.analysis.text import (
    comparison_cells,
    equivalence_cells,
    equivalence_note,
    estimate,
    number,
    p_equals,
    p_text,
    published_cells,
    published_heading,
    published_note,
    with_unit,
)
from nadlab.study.outcomes import smallest_effect
from nadlab.study.records import Record, StudyRecord

FEWEST_BLOCKS = 6
"""seeds below which the chi-squared distribution is a poor approximation of Friedman's statistic"""


def levels(evidence: Evidence, _rng: np.random.Generator) -> Section | None:
    """Return every level's accuracy."""
    if not evidence.rows:
        return None
    study, metric = evidence.study, evidence.metric
    table = level_table(
        evidence,
        "levels",
        (
            *("n", metric.heading, "95 % interval", "SD"),
            *("difference", "95 % interval ", "p (Holm)", "queries", "seconds", *published_heading(study)),
        ),
        {
            row.level: (
                str(row.accuracy.n), *estimate(row.accuracy, places=metric.places), number(row.deviation, metric.places),
                *comparison_cells(row.comparison, metric)[:3], *_cost(evidence.groups[row.level]), *published_cells(study, row.level),
            )
            for row in evidence.rows
        },
        f"Differences to the {study.reference} (marked) are paired by seed; SD: standard deviation over seeds; p: exact signed-rank "
        "test, Holm-corrected. Queries and seconds are means per trial; seconds include everything that the trial computed."
        + published_note(study),
        [study.default_level],
    )  # fmt: skip
    places = metric.places
    robust = any(round(row.iqm.mean, places) != round(row.accuracy.mean, places) for row in evidence.rows)
    spread = level_table(
        evidence,
        "spread",
        (
            *(with_unit(word, metric) for word in ("best", "median", "worst")),
            *((with_unit("IQM", metric), "95 % interval of the IQM") if robust else ()),
        ),
        {
            row.level: (
                *(number(each, places) for each in (row.best, row.median, row.worst)),
                *(estimate(row.iqm, places=places) if robust else ()),
            )
            for row in evidence.rows
        },
        "IQM: interquartile mean, robust to one failed seed." if robust else "",
        [study.default_level],
    )
    picture = Picture(
        "accuracy_by_" + study.factor.replace(" ", "_"),
        accuracy_by_level(evidence),
        "Each grey line is a seed, each point a mean with its 95 % interval.",
    )
    tables = (table, replace(spread, folded="Best, median and worst seed"))
    return Section("Main effects", (), (picture,), tables)


def _cost(records: Sequence[Record]) -> tuple[str, str]:
    """Return mean queries and seconds of trials."""
    seconds = np.mean([record.ended - record.started for record in records])
    return (
        f"{np.mean([len(record.ledger) for record in records]):.0f}",
        f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}",
    )


def comparisons(evidence: Evidence, _rng: np.random.Generator) -> Section | None:
    """Return the tests of every level against the default, and of all levels together."""
    compared = {row.level: row.comparison for row in evidence.rows if row.comparison}
    if not compared:
        return None
    default, metric = evidence.study.default_level, evidence.metric
    unit = f" in {metric.difference_unit}" if metric.difference_unit else ""
    effect = smallest_effect(evidence.study)
    equivalence = () if effect is None else ("p of equivalence", "seeds needed")
    table = level_table(
        evidence,
        "comparisons",
        (
            *("pairs", "that differ", f"difference to {default}", "95 % interval", "p (Holm)"),
            *(f"chance to beat {default}", "95 % interval ", *equivalence),
        ),
        {
            level: (
                *(str(found.difference.n), str(found.nonzero), *comparison_cells(found, metric)),
                *equivalence_cells(found, len(compared), effect),
            )
            for level, found in compared.items()
        },
        f"Differences{unit}, paired by seed{'' if metric.maximise else '; below zero is better'}. p: exact signed-rank test, "
        f"Holm-corrected. Chance to beat {default}: the chance that a run of the level beats one of {default}, ties counting half; "
        f"0.5 means no difference (probability of improvement, Vargha and Delaney).{equivalence_note(metric, effect)}",
        [level for level, found in compared.items() if found.is_significant],
        evidence.groups[default],
    )
    picture = Picture(
        "differences",
        differences(compared, default, metric),
        f"Left: mean difference to {default} with its 95 % interval. Right: chance to beat {default}. Red: significant.",
    )
    scores = evidence.trials.pivot_table("accuracy", "seed", "level", sort=False)
    ranking = rank(scores * metric.score(1))
    said = []
    if ranking:
        verdict = "some levels differ" if ranking.is_significant else "they do not differ significantly"
        doubt = " With so few seeds this p-value is a rough approximation." * (ranking.blocks < FEWEST_BLOCKS)
        said.append(
            f"All {len(ranking.ranks)} levels together, ranked within each of {ranking.blocks} seeds: Friedman's test gives "
            f"{p_equals(ranking.p_value)}, so {verdict}, at 5 %.{doubt}"
        )
    regrets = {} if evidence.study.optimum is None else {each: [evidence.regrets(each)] for each in evidence.drawn}
    return Section(
        "Comparisons",
        tuple(said),
        (picture, *ranking_pictures(regrets, default, ranking, "seeds", evidence.study)),
        (replace(table, folded="Tests of every level"),),
    )


def ranking_pictures(
    regrets: Mapping[str, Sequence[Values]], default: str, ranking: Ranking | None, blocks: str, study: StudyRecord
) -> list[Picture]:
    """Return performance profiles and, where levels differ, mean ranks; each level has one array a benchmark.

    Without regrets there are no profiles.
    """
    averaged = ", averaged over benchmarks" if blocks == "benchmarks" else ""
    pictures = []
    if regrets:
        caption = f"Share of runs whose regret is below a bound{averaged}: higher is better."
        pictures.append(Picture("performance_profiles", profile_lines(regrets, default, study), caption, folded=True))
    if ranking and ranking.is_significant:
        pictures.append(
            Picture(
                "critical_differences",
                critical_differences(ranking),
                f"Mean ranks over {blocks}, 1 the best; a bar joins levels that do not differ significantly by Nemenyi's test "
                f"(critical difference {ranking.critical_difference:.2f}).",
                folded=True,
            )
        )
    return pictures


def factors(evidence: Evidence, rng: np.random.Generator) -> Section | None:
    """Return the effect of each factor and the interactions of crossed factors."""
    is_crossed = len(evidence.varied) > 1 and not evidence.study.one_at_a_time
    effects = variance_shares(evidence.trials, evidence.varied) if is_crossed else []
    if not effects:
        return None
    said = [
        f"{' and '.join(effect.factors)}: {100 * effect.share:.0f} % of the variation that other effects leave "
        f"({p_equals(effect.p_value)})."
        for effect in effects
    ]
    together = [effect.factors for effect in effects if len(effect.factors) > 1 and effect.p_value < SIGNIFICANCE]
    verdict = (
        f"The effect of {together[0][0]} depends on {together[0][1]}: read them together."
        if together
        else "No interaction is significant: each factor can be read on its own."
    )
    table = Table(
        "factors",
        ("effect", "partial eta squared", "F", "p"),
        tuple(
            (" x ".join(each.factors), f"{each.share:.3f}", f"{each.f_value:.2f}", p_text(each.p_value))
            for each in effects
        ),
        "Analysis of variance, seeds as blocks, type II sums of squares. Its p-values assume normal errors: where runs pile "
        "up at the optimum, trust the comparisons above.",
        tuple(links(evidence, evidence.records) for _ in effects),
    )
    alone = Picture(
        "accuracy_by_factor",
        accuracy_by_factor(evidence, evidence.varied, rng),
        "Each factor by itself: means over all trials of a level, with 95 % intervals.",
    )
    pairs = (
        Picture(
            f"interaction_{first}_{second}",
            interaction(evidence, first, second),
            f"Lines of {second} that are not parallel over {first} are an interaction; bars are standard errors.",
            folded=True,
        )
        for first, second in combinations(evidence.varied, 2)
    )
    return Section("Factors and interactions", (verdict, *said), (alone, *pairs), (table,))
