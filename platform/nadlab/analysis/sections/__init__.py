"""The report's sections, in their order: each is a function of the evidence and a generator, None where it has no data."""

from collections.abc import Callable

import numpy as np

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.sections.best_cells import best_cells
from nadlab.analysis.sections.checklist import checklist
from nadlab.analysis.sections.content import Section
from nadlab.analysis.sections.effects import comparisons, factors, levels
from nadlab.analysis.sections.hyperparameters import hyperparameters
from nadlab.analysis.sections.origin import all_trials, provenance
from nadlab.analysis.sections.search import anytime, by_number, coordinates, front
from nadlab.analysis.sections.training import generated, training

SECTIONS: tuple[Callable[[Evidence, np.random.Generator], Section | None], ...] = (
    levels,
    comparisons,
    factors,
    hyperparameters,
    anytime,
    by_number,
    front,
    coordinates,
    training,
    generated,
    best_cells,
    checklist,
    provenance,
    all_trials,
)


def sections(evidence: Evidence, rng: np.random.Generator) -> list[Section]:
    """Return every section that has data."""
    return [found for each in SECTIONS if (found := each(evidence, rng))]
