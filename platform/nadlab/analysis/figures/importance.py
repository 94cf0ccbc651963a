"""Importances of hyperparameters as bars."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from nadlab.analysis.figures.style import DEFAULT, OTHER, axes, figure_of, legend
from nadlab.analysis.statistics.importance import Importance


def importances(found: Importance, names: Sequence[str]) -> Figure:
    """Draw two bars a hyperparameter, fANOVA and PED-ANOVA, the most important on top."""
    drawn = axes("importance", "", (7.0, 1.2 + 0.4 * len(names)))
    places = np.arange(len(names))
    drawn.barh(places - 0.2, [found.fanova[name] for name in names], 0.38, color=OTHER, label="fANOVA")
    drawn.barh(places + 0.2, [found.ped_anova[name] for name in names], 0.38, color=DEFAULT, label="PED-ANOVA")
    drawn.set_yticks(places, list(names))
    drawn.invert_yaxis()
    legend(drawn)
    return figure_of(drawn)
