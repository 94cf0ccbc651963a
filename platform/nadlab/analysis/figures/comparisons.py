"""Comparisons of levels: differences, probability of improvement, mean ranks, profiles, importances."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nadlab.analysis.figures.style import COLOURS, DEFAULT, GREY, OTHER, axes, figure_of, grid, legend, strokes
from nadlab.analysis.statistics.comparisons import Comparison
from nadlab.analysis.statistics.importance import Importance
from nadlab.analysis.statistics.intervals import Values
from nadlab.analysis.statistics.rankings import Ranking, performance_profile
from nadlab.analysis.text import level_name
from nadlab.benchmarks.oracle import Metric
from nadlab.study.records import StudyRecord


def differences(compared: Mapping[str, Comparison], default: str, metric: Metric) -> Figure:
    """Draw every level's difference to the default, and the chance that a run of it beats one of the default."""
    left, right = grid(1, 2, (8.4, 1.4 + 0.3 * len(compared)))
    for place, found in enumerate(compared.values()):
        colour = DEFAULT if found.is_significant else OTHER
        for side, interval in ((left, found.difference), (right, found.superiority)):
            if interval.low is not None and interval.high is not None:
                side.plot([interval.low, interval.high], [place, place], color=colour)
            side.plot(interval.mean, place, "o", color=colour)
    left.axvline(0, color=GREY, linewidth=1)
    right.axvline(0.5, color=GREY, linewidth=1)
    left.set_yticks(range(len(compared)), list(compared))
    right.set_yticks(range(len(compared)), [""] * len(compared))
    left.invert_yaxis()
    right.invert_yaxis()
    right.set_xlim(-0.02, 1.02)
    left.xaxis.set_major_locator(MaxNLocator(5))
    left.set_xlabel(", ".join(filter(None, [f"difference to {default}", metric.difference_unit])))
    right.set_xlabel(f"chance to beat {default}")
    return figure_of(left)


def critical_differences(ranking: Ranking) -> Figure:
    """Draw mean ranks on a line; bars join methods that do not differ significantly by Nemenyi's test (Demsar 2006)."""
    from scikit_posthocs import critical_difference_diagram  # late: seconds

    drawn = axes("", "", (8.4, 1.2 + 0.17 * len(ranking.ranks)))
    names = list(ranking.ranks)
    critical_difference_diagram(
        dict(ranking.ranks),
        ranking.pairwise.rename(index=str, columns=str),
        ax=drawn,
        label_props={"fontsize": 9},
        color_palette={name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)},
    )
    drawn.grid(visible=False)
    return figure_of(drawn)


def profile_lines(regrets: Mapping[str, Sequence[Values]], default: str, study: StudyRecord) -> Figure:
    """Draw performance profiles; each level has one array of regrets a benchmark."""
    highest = max(float(values.max()) for strata in regrets.values() for values in strata)
    unit = study.measured.difference_unit
    bounds = np.linspace(0, max(highest * 1.05, 0.1 if study.measured.unit == "%" else 1e-6), 201)
    drawn = axes(", ".join(filter(None, ["regret", unit])), "share of runs with less")
    for level, stroke in strokes(list(regrets), default=default).items():
        above = performance_profile([-values for values in regrets[level]], -bounds - 1e-9)
        drawn.step(
            bounds, above, where="post", **stroke, markevery=20, label=level_name(level, default, study.reference)
        )
    drawn.set_ylim(-0.02, 1.02)
    legend(drawn)
    return figure_of(drawn)


def importance_bars(found: Importance, names: Sequence[str]) -> Figure:
    """Draw two bars a hyperparameter, fANOVA and PED-ANOVA, the most important on top."""
    drawn = axes("importance", "", (7.0, 1.2 + 0.4 * len(names)))
    places = np.arange(len(names))
    drawn.barh(places - 0.2, [found.fanova[name] for name in names], 0.38, color=OTHER, label="fANOVA")
    drawn.barh(places + 0.2, [found.ped_anova[name] for name in names], 0.38, color=DEFAULT, label="PED-ANOVA")
    drawn.set_yticks(places, list(names))
    drawn.invert_yaxis()
    legend(drawn)
    return figure_of(drawn)
