"""What the levels reach, how they compare, and what crossed factors do alone and together."""

from itertools import combinations

import numpy as np

from nadlab.analysis.conclusions import ACCURACY, accuracy_cells, ends, p_equals, p_text
from nadlab.analysis.evidence import Evidence
from nadlab.analysis.figures.comparisons import critical_differences, differences, profiles
from nadlab.analysis.figures.levels import accuracy_by_factor, accuracy_by_level, interaction
from nadlab.analysis.sections.content import Picture, Section, Table
from nadlab.analysis.sections.provenance import links
from nadlab.analysis.statistics.factorial import variance_shares
from nadlab.analysis.statistics.rankings import rank

HEADING = (*ACCURACY, "IQM %", "95 % interval of the IQM", "regret")


def levels(evidence: Evidence, _rng: np.random.Generator) -> Section | None:
    """Return every level's accuracy."""
    if not evidence.rows:
        return None
    published = evidence.study.published
    rows = tuple(
        (
            row.level,
            *accuracy_cells(row),
            f"{row.iqm.mean:.2f}",
            ends(row.iqm, ""),
            f"{row.regret:.2f}",
            *((f"{published[row.level]:.2f}" if row.level in published else "",) if published else ()),
        )
        for row in evidence.rows
    )
    table = Table(
        "levels",
        (evidence.study.factor, *HEADING, *(("paper %",) if published else ())),
        rows,
        "The default is set off. SD: standard deviation over seeds. IQM: interquartile mean, which one failed seed can't move."
        + (" Last column: what the paper reports, its best result." if published else ""),
        tuple(links(evidence, evidence.groups[row.level]) for row in evidence.rows),
        frozenset(place for place, row in enumerate(evidence.rows) if row.is_default),
    )
    picture = Picture(
        "accuracy_by_" + evidence.study.factor.replace(" ", "_"),
        accuracy_by_level(evidence),
        "Each grey line is a seed, each point a mean with its 95 % interval.",
    )
    return Section("Main effects", (), (picture,), (table,))


def comparisons(evidence: Evidence, _rng: np.random.Generator) -> Section | None:
    """Return the tests of every level against the default, and of all levels together."""
    compared = [(row.level, row.comparison) for row in evidence.rows if row.comparison]
    if not compared:
        return None
    default = evidence.study.default_level
    table = Table(
        "comparisons",
        (
            evidence.study.factor,
            "pairs",
            f"difference to {default}",
            "95 % interval",
            "p (Holm)",
            "A",
            "95 % interval ",
        ),
        tuple(
            (
                level,
                str(found.difference.n),
                f"{found.difference.mean:+.2f}",
                ends(found.difference),
                p_text(found.p_value),
                f"{found.superiority.mean:.2f}",
                ends(found.superiority, ""),
            )
            for level, found in compared
        ),
        "Differences in percentage points, paired by seed. p: Wilcoxon's signed-rank test, corrected by Holm. A: Vargha and "
        "Delaney's chance that a run beats one of the default (probability of improvement), 0.5 where they are alike.",
        tuple(links(evidence, [*evidence.groups[level], *evidence.groups[default]]) for level, _ in compared),
        frozenset(place for place, (_, found) in enumerate(compared) if found.is_established),
    )
    pictures = [
        Picture(
            "differences",
            differences(evidence.rows, default),
            f"Left: mean difference to {default} with its 95 % interval. Right: A with its own. Red: established.",
        ),
        Picture(
            "performance_profiles", profiles(evidence), "Share of runs whose regret is below a bound: higher is better."
        ),
    ]
    scores = evidence.trials.pivot_table("accuracy", "seed", "level", sort=False)
    ranking = rank(scores[evidence.drawn])
    said = []
    if ranking:
        verdict = "some levels differ" if ranking.is_established else "no difference among them is established"
        said.append(
            f"All {len(ranking.ranks)} levels together, ranked within each of {ranking.blocks} seeds: Friedman's test gives "
            f"{p_equals(ranking.p_value)}, so {verdict} at 5 %."
        )
        if ranking.is_established:
            pictures.append(
                Picture(
                    "critical_differences",
                    critical_differences(ranking),
                    "Mean ranks over seeds, 1 the best; a bar joins levels that Nemenyi's comparison can't tell apart "
                    f"(critical difference {ranking.critical_difference:.2f}).",
                )
            )
    return Section("Comparisons", tuple(said), tuple(pictures), (table,))


def factors(evidence: Evidence, rng: np.random.Generator) -> Section | None:
    """Return each factor's own effect and the interactions of crossed factors."""
    is_crossed = len(evidence.varied) > 1 and not evidence.study.one_at_a_time
    effects = variance_shares(evidence.trials, evidence.varied) if is_crossed else []
    if not effects:
        return None
    said = [
        f"{' and '.join(effect.factors)}: {100 * effect.share:.0f} % of the variation that the rest leaves "
        f"({p_equals(effect.p_value)})"
        for effect in effects
    ]
    apart = [effect for effect in effects if len(effect.factors) > 1 and effect.p_value < 0.05]
    verdict = (
        f"The effect of {apart[0].factors[0]} depends on {apart[0].factors[1]}: read them together."
        if apart
        else "No interaction is established: each factor may be read by itself."
    )
    table = Table(
        "factors",
        ("effect", "partial eta squared", "F", "p"),
        tuple(
            (" x ".join(each.factors), f"{each.share:.3f}", f"{each.f_value:.2f}", p_text(each.p_value))
            for each in effects
        ),
        "Analysis of variance, seeds as blocks, type II sums of squares. Its p-values take errors as normal: where runs pile "
        "up at the optimum, trust the comparisons above.",
        tuple(links(evidence, evidence.records) for _ in effects),
    )
    pictures = [
        Picture(
            "accuracy_by_factor",
            accuracy_by_factor(evidence, evidence.varied, rng),
            "Each factor by itself: means over all trials of a level, with 95 % intervals.",
        ),
        *(
            Picture(
                f"interaction_{first}_{second}",
                interaction(evidence, first, second),
                f"Lines of {second} that are not parallel over {first} are an interaction; bars are standard errors.",
            )
            for first, second in combinations(evidence.varied, 2)
        ),
    ]
    return Section("Factors and interactions", (verdict, *(f"{each}." for each in said)), tuple(pictures), (table,))
