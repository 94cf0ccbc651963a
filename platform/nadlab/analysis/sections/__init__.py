"""The report's sections, in their order: each is a function of the evidence and a generator, None where it has no data."""

from collections.abc import Callable

import numpy as np

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.sections.best_cells import best_cells
from nadlab.analysis.sections.checklist import checklist
from nadlab.analysis.sections.content import Section
from nadlab.analysis.sections.effects import comparisons, factors, levels
from nadlab.analysis.sections.objectives import objectives
from nadlab.analysis.sections.outcomes import further_outcomes
from nadlab.analysis.sections.provenance import all_trials, provenance
from nadlab.analysis.sections.search import anytime, by_number, coordinates, front
from nadlab.analysis.sections.training import generated, training

Sections = tuple[Callable[[Evidence, np.random.Generator], Section | None], ...]

TRIALS: Sections = (training, generated, best_cells)
ORIGIN: Sections = (checklist, provenance, all_trials)
SECTIONS: Sections = (
    levels,
    comparisons,
    factors,
    objectives,
    anytime,
    by_number,
    front,
    *TRIALS,
    further_outcomes,
    *ORIGIN,
)
SEARCH: Sections = (anytime, front, coordinates, *TRIALS)
"""of a tuning study, whose many levels lie all over the space"""


def sections(evidence: Evidence, rng: np.random.Generator, wanted: Sections = SECTIONS) -> list[Section]:
    """Return every section that has data."""
    return [found for each in wanted if (found := each(evidence, rng))]
