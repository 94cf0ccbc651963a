"""Which hyperparameters of a tuning study matter."""

from nadlab.analysis.figures.importance import importances
from nadlab.analysis.sections.content import Picture, Section, Table
from nadlab.analysis.statistics.importance import Importance

PAIRS = 8


def hyperparameters(found: Importance) -> Section:
    """Return importances and interactions."""
    names = sorted(found.fanova, key=lambda name: -found.fanova[name])
    pairs = sorted(found.interactions, key=lambda pair: -found.interactions[pair])[:PAIRS]
    tables = (
        Table(
            "importance",
            ("hyperparameter", "fANOVA", "PED-ANOVA"),
            tuple((name, f"{found.fanova[name]:.3f}", f"{found.ped_anova[name]:.3f}") for name in names),
            f"Over {found.trials} configurations. fANOVA: share of the accuracy's variation over the whole space; PED-ANOVA: "
            "share of what sets the best tenth of the configurations apart.",
        ),
        Table(
            "interactions",
            ("pair", "H squared"),
            tuple((f"{one} and {other}", f"{found.interactions[one, other]:.3f}") for one, other in pairs),
            "Friedman's H squared of a random forest: the share of a pair's joint effect that is no sum of the two.",
        ),
    )
    picture = Picture("importance", importances(found, names), "Importance of each hyperparameter.")
    return Section("Hyperparameters", (), (picture,), tables)
