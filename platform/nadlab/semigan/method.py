"""SemiGAN-NAD: label at random, train Bi-Arch2Perf, design by NACG, at once or in rounds."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from nadlab.errors import UserError
from nadlab.parameters.hyperparameters import INLINE
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.neighbourhood import Neighbourhood
from nadlab.queries.sampling import first_cells
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.divergence import check_weights, finite
from nadlab.semigan.nacg import Generation, ask_best, design, over_rounds
from nadlab.semigan.settings import Settings
from nadlab.spaces import Cells, SearchSpace
from nadlab.spaces.classes import classes


def start(ledger: QueryLedger, settings: Settings, rng: np.random.Generator) -> BiArch2Perf:
    """Query the labelled cells and build the untrained networks; the rest of the space is the unlabelled set.

    Raises UserError when the benchmark has fewer cells than the budget.
    """
    labelled = first_cells(ledger, settings.labels, rng)
    return build(ledger, settings, labelled, int(rng.integers(2**31)))


def build(ledger: QueryLedger, settings: Settings, labelled: Cells, seed: int) -> BiArch2Perf:
    """Query cells, or look up those that are paid for, and build the untrained networks on them."""
    space = ledger.oracle.space
    y = ledger.query(labelled, "initial")
    cells, unlabelled = others(space, labelled)
    return BiArch2Perf(
        space.canonical(labelled), y, cells, unlabelled, len(space.operations), settings, seed, ledger.metric
    )


def trained(ledger: QueryLedger, settings: Settings, rng: np.random.Generator) -> BiArch2Perf:
    """Query the labelled cells and train on them; raises as `start`, and Diverged by a loss that is not finite."""
    model = start(ledger, settings, rng)
    for number in range(1, settings.epochs + 1):
        finite(asdict(model.epoch()), f"epoch {number}")
    return model


def finish(model: BiArch2Perf, ledger: QueryLedger) -> Generation:
    """Spend what is left of the budget on generated cells: at once, or in rounds that the networks learn from.

    Raises Diverged when a weight, a loss of a round or a score is not finite; what was queried before is in the ledger.
    """
    settings = model.settings
    check_weights(model.networks, f"epoch {model.epochs}")
    if settings.per_round is None:
        return design(model, ledger, ledger.remaining, settings.generated)
    drawn = torch.randint(2**31, (1,), generator=model.random)
    neighbourhood = Neighbourhood(ledger, np.random.default_rng(int(drawn)))
    rounds: list[Generation] = []
    best = None
    while True:
        count = min(settings.per_round, ledger.remaining)
        before, best = best, ledger.best()
        if settings.local_queries and best == before:
            around = neighbourhood.of(ledger.oracle.space.parse(best.cell))
            count -= ask_best(model, ledger, {"neighbour": around}, min(settings.local_queries, count))
        if count:
            nearby = [neighbourhood.of(cell) for cell in best_cells(ledger, settings.neighbours_of)]
            rounds.append(design(model, ledger, count, settings.generated, nearby))
        if not ledger.remaining:
            return over_rounds(rounds)
        learn_more(model, ledger, settings.round_epochs)


def best_cells(ledger: QueryLedger, count: int) -> list[Cells]:
    """Return the queried cells with the best answers, best first."""
    best = sorted(ledger.queries, key=ledger.answer, reverse=True)[:count]
    return [ledger.oracle.space.parse(query.cell) for query in best]


def learn_more(model: BiArch2Perf, ledger: QueryLedger, epochs: int) -> None:
    """Train on for some epochs, with every answer of the ledger as a label; raise Diverged by a loss or weight."""
    space = ledger.oracle.space
    labelled = ledger.cells
    model.learn_from(space.canonical(labelled), ledger.accuracies, others(space, labelled)[1], epochs)
    for number in range(1, epochs + 1):
        finite(asdict(model.epoch()), f"epoch {number} after {len(labelled)} queries")
    check_weights(model.networks, f"epoch {epochs} after {len(labelled)} queries")


def others(space: SearchSpace, labelled: Cells) -> tuple[Cells, NDArray[np.int64]]:
    """Return the cells of the space, or of its sample, and the rows of the unlabelled set: isomorphic to no labelled one."""
    cells, keys = classes(space)
    return cells, np.flatnonzero(~np.isin(keys, space.keys(labelled)))


@dataclass(frozen=True)
class SemiGANNAD:
    """SemiGAN-NAD (Liu et al., AISTATS 2024); labels and K follow the budget."""

    settings: Settings = field(default_factory=Settings, metadata=INLINE)
    t_of: Mapping[str, float] = field(default_factory=dict)
    """benchmark -> t of equation 11 in percent, where the settings leave it open"""

    def inert(self) -> Mapping[str, str]:
        """Return setting -> why its value changes nothing; unlike in a trial, labels and K follow the budget of a search."""
        found = {name: reason for name, reason in self.settings.inert().items() if name != "final_share"}
        if self.settings.per_round is None:
            return found | {"labels": "labels is the number of queries minus final_k"}
        return found | {"final_share": "in rounds, K is what the labels leave of the budget"}

    def check_split(self, budget: int, changed: Collection[str]) -> None:
        """Raise UserError when a changed `labels` or `final_k` would not be what a search with this budget has."""
        if self.settings.per_round is not None:  # in rounds the labels are at most their number
            return
        if "labels" in changed:
            raise UserError("labels is the number of queries minus final_k: set final_k instead")
        if "final_k" in changed and (most := self.settings.within(budget).final_k) < self.settings.final_k:
            raise UserError(f"final_k must be at most {most} of {budget} queries, not {self.settings.final_k}")

    def __call__(self, ledger: QueryLedger, rng: np.random.Generator) -> None:
        """Spend the whole budget; raise UserError when it is too small, Diverged when training diverges."""
        settings = self.settings.within(ledger.budget)
        if settings.t is None:
            settings = replace(settings, t=self.t_of.get(ledger.oracle.name))
        finish(trained(ledger, settings, rng), ledger)
