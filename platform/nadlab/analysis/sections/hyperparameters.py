"""Which hyperparameters of a tuning study matter."""

import numpy as np

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.figures.importance import importances
from nadlab.analysis.importance import importance
from nadlab.analysis.sections.content import Picture, Section, Table
from nadlab.errors import UserError

PAIRS = 8


def hyperparameters(evidence: Evidence, _rng: np.random.Generator) -> Section | None:
    """Return importances and interactions of the Optuna study, where there is one."""
    if evidence.tuning is None:
        return None
    try:
        found = importance(evidence.tuning)
    except UserError as error:
        return Section("Hyperparameters", (f"No importances: {error}.",))
    names = sorted(found.fanova, key=lambda name: -found.fanova[name])
    pairs = sorted(found.interactions, key=lambda pair: -found.interactions[pair])[:PAIRS]
    tables = (
        Table(
            "importance",
            ("hyperparameter", "fANOVA", "PED-ANOVA"),
            tuple((name, f"{found.fanova[name]:.3f}", f"{found.ped_anova[name]:.3f}") for name in names),
            f"Over {found.trials} trials of the Optuna study {evidence.tuning.study_name}. fANOVA: share of the variation over "
            "the whole space; PED-ANOVA: share of what sets the best tenth of the trials apart.",
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
