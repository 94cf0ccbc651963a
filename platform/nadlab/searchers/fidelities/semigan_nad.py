"""SemiGAN-NAD whose PP also learns from low-fidelity labels: an addition, which the paper does not have.

A share of the budget goes to the shortest trainings of random cells. PP is first trained on their answers by equation 9's
gamma_2 alone, E (y - PP(x))^2, where y is the normal score of a cell's answer among the short trainings: a rank means the
same at every length, an accuracy does not. Then follows SemiGAN-NAD on full trainings, equations 6 to 11 unchanged, from
these weights of PP. Of its first labels a part are the cells that are best by their short training; the others are random,
so that PP also sees bad cells trained in full.

No setting was tuned: a quarter of the budget is what SemiGAN-NAD-sequential spends on its first labels.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.fidelity import lower_fidelities
from nadlab.errors import UserError
from nadlab.parameters.hyperparameters import INLINE, at_least, between, tunable
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.sampling import first_cells, some_unqueried
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.divergence import finite
from nadlab.semigan.method import SemiGANNAD, build, finish, learn_more, others
from nadlab.semigan.settings import SEQUENTIAL, Settings
from nadlab.spaces import Cells, SearchSpace
from nadlab.spaces.cells import concatenate

LEAST = 3
"""full queries that SemiGAN-NAD needs"""


@dataclass(frozen=True)
class LowFidelitySemiGANNAD:
    """SemiGAN-NAD-sequential whose PP also learns from low-fidelity labels; an addition to Liu et al., AISTATS 2024."""

    settings: Settings = field(default=SEQUENTIAL, metadata=INLINE)
    low_share: float = field(default=0.25, metadata=tunable(0.05, 0.6))
    """of the budget, what low-fidelity labels may cost; ours"""
    low_epochs: int = field(default=40, metadata=tunable(5, 60, log=True))
    """epochs of PP's training on low-fidelity labels; ours"""
    promoted: float = field(default=0.5, metadata=tunable(0.0, 1.0))
    """share of the first full labels that go to the cells that are best by low fidelity; the others are random; ours"""

    def __post_init__(self) -> None:
        between(0, 1, self, "low_share", "promoted")
        at_least(1, self, "low_epochs")

    def inert(self) -> Mapping[str, str]:
        """As `SemiGANNAD.inert`."""
        return SemiGANNAD(self.settings).inert()

    def check_split(self, budget: int, changed: Collection[str]) -> None:
        """As `SemiGANNAD.check_split`."""
        SemiGANNAD(self.settings).check_split(budget, changed)

    def __call__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        """Spend the whole budget; raise UserError where it is too small or the benchmark has one fidelity, Diverged as `SemiGANNAD`."""
        length = lower_fidelities(ledger.oracle)[0]
        if ledger.budget <= LEAST:
            raise UserError(
                f"SemiGAN-NAD with low fidelities needs a budget of at least 4 queries, not {ledger.budget}"
            )
        first_cells(ledger, 1, rng)  # raises where the pool is too small
        paid = min(self.low_share * ledger.budget, ledger.budget - LEAST)
        low = some_unqueried(ledger, int(paid * ledger.account.fidelities.epochs[-1] / length), rng)
        scores = ledger.query(low, fidelity=length)
        # short trainings may have taken more seconds than expected
        settings = self.settings.within(max(LEAST, ledger.remaining))
        best = low[np.argsort(-scores, kind="stable")[: round(self.promoted * settings.labels)]]
        ledger.query(best)
        labelled = concatenate([best, first_cells(ledger, settings.labels - len(best), rng)])
        model = build(ledger, settings, labelled, int(rng.integers(2**31)))
        if len(low):
            self._pretrain(model, ledger.oracle.space, low, scores)
        learn_more(model, ledger, settings.epochs)
        finish(model, ledger)

    def _pretrain(self, model: BiArch2Perf, space: SearchSpace, low: Cells, scores: NDArray[np.float64]) -> None:
        """Train PP alone on low-fidelity labels, by gamma_2 of equation 9; raise Diverged by a loss that is not finite."""
        settings = model.settings
        model.settings = replace(settings, generator=False, predictor_adversarial=False, candidates_from="pool")
        model.learn_from(space.canonical(low), scores, others(space, low)[1], self.low_epochs)
        for number in range(1, self.low_epochs + 1):
            finite(asdict(model.epoch()), f"epoch {number} on low fidelities")
        model.settings = settings
