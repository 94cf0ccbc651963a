"""Measurements on a benchmark's own answers, outside the ledger: they judge a method and never reach it.

They evaluate cells that no search queried, so they take benchmarks alone whose answers are free. Two questions: does PP
order cells that were not queried, and does AG obey the rank that it is asked for? `networks.condition` says where a rank is lost.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from nadlab.benchmarks.oracle import Oracle, Split, accuracy, facts_of, metric_of
from nadlab.errors import UserError
from nadlab.nets.graphs import read
from nadlab.nets.nade import gumbel
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.pools import enough_of, one_of_each
from nadlab.queries.sampling import unqueried
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.nacg import generate_cells
from nadlab.semigan.networks.condition import rank_logits, right_rank_share
from nadlab.semigan.ranks import RANKS, at_most, rank, width_of
from nadlab.spaces import Cells


def search_accuracies(oracle: Oracle, cells: Cells) -> NDArray[np.float64]:
    """Return the search score of queryable cells, (N,); raises as `scores`."""
    return scores(oracle, cells, oracle.search_split)


def scores(oracle: Oracle, cells: Cells, split: Split) -> NDArray[np.float64]:
    """Return the scores of queryable cells by a split, (N,); raise UserError where answers are not free."""
    if not facts_of(oracle).free:
        raise UserError(
            f"{oracle.name} may answer by a training, so that only a search may evaluate cells: name a benchmark "
            "whose answers are stored or predicted"
        )
    score = metric_of(oracle).score
    return np.array([score(accuracy(each, split)) for each in oracle.evaluate(cells)], np.float64)


TOP = 0.05
"""share of the best cells among which PP's order decides a search"""
DRAWS = 256
"""cells that AG generates under each rank"""
BINS = 10
HELD_OUT = 1000
"""cells never queried, by which PP is judged"""


def diagnosis(model: BiArch2Perf, ledger: QueryLedger) -> dict[str, float]:
    """Return what PP and AG know after training, before the first query of the design; without what is undefined.

    predictor_tau, predictor_tau_top: Kendall's tau-b of PP on cells never queried, and on the best 5 % of them.
    predictor_calibration: the calibration error of the probabilities that PP gives ranks (`ranks.at_most`). rank_fidelity:
    of the classes without a label that AG generates under a rank, the share that has it (equation 11), the mean over ranks
    that cells never queried have; a rank that gives no such class counts 0. rank0_lift: that share of rank 0 over the share of
    rank 0 among cells never queried. Empty where the benchmark's answers are not free. The model's random numbers stay
    where they were.
    """
    if not facts_of(ledger.oracle).free:
        return {}
    predicted, y = _held_out(model, ledger)
    top = np.argsort(-y, kind="stable")[: max(2, round(TOP * len(y)))]
    width = width_of(ledger.accuracies, model.metric.unit)

    def ranks_of(scores: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.asarray(rank(torch.from_numpy(scores), model.t, width).numpy())

    base = np.bincount(ranks_of(y), minlength=RANKS) / len(y)
    state = model.random.get_state()
    shares = [_share_of_rank(model, ledger, each, ranks_of) for each in range(RANKS)]
    model.random.set_state(state)
    found = {
        "predictor_tau": _tau(predicted, y),
        "predictor_tau_top": _tau(predicted[top], y[top]),
        "predictor_calibration": calibration_error(_shares(model, predicted), ranks_of(y)),
        "rank_fidelity": float(np.mean([share for share, there in zip(shares, base, strict=True) if there])),
        "rank0_lift": shares[0] / base[0] if base[0] else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def calibration_error(shares: NDArray[np.float64], ranks: NDArray[np.int64]) -> float:
    """Return the expected calibration error of P(rank <= k), (N, 4), for ranks (N,), in ten bins (Guo et al. 2017)."""
    gaps = (ranks[:, None] <= np.arange(shares.shape[1])) - shares
    bins = np.minimum((BINS * shares).astype(np.int64), BINS - 1)
    return float(np.abs(np.bincount(bins.ravel(), weights=gaps.ravel())).sum() / shares.size)


def _shares(model: BiArch2Perf, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = at_most(torch.from_numpy(predicted), model.cuts.cpu(), model.settings.temperature)
    return np.asarray(shares.numpy(), np.float64)


def _share_of_rank(
    model: BiArch2Perf, ledger: QueryLedger, asked: int, ranks_of: Callable[[NDArray[np.float64]], NDArray[np.int64]]
) -> float:
    cells = unqueried(ledger, generate_cells(model, ledger.oracle.space, DRAWS, asked))
    cells = cells[ledger.oracle.queryable(cells)]
    return float(np.mean(ranks_of(search_accuracies(ledger.oracle, cells)) == asked)) if len(cells) else 0.0


def held_out_tau(model: BiArch2Perf, ledger: QueryLedger) -> float | None:
    """Return Kendall's tau-b between PP and the search accuracy on queryable cells that were not queried, at most `HELD_OUT`.

    None where the benchmark's answers are not free, or where tau is undefined: PP or the accuracies are constant.
    """
    return _tau(*_held_out(model, ledger)) if facts_of(ledger.oracle).free else None


def _held_out(model: BiArch2Perf, ledger: QueryLedger) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return PP's scores and the search scores of cells that were not queried, each (N,)."""
    oracle, chosen = ledger.oracle, _unseen(ledger, HELD_OUT, seed=0)
    return model.predict(oracle.space.canonical(chosen)), search_accuracies(oracle, chosen)


def _unseen(ledger: QueryLedger, count: int, seed: int) -> Cells:
    """Return up to `count` cells of the pool that were not queried, at random."""
    pool = ledger.oracle.pool()
    order = np.random.default_rng(seed).permutation(len(pool))
    return enough_of(pool, order, count, lambda cells: cells[~ledger.known(cells)])[:count]


def _tau(predicted: NDArray[np.float64], y: NDArray[np.float64]) -> float | None:
    # late: it takes a second, for which neither a command's start nor a trial's first epoch has to wait
    from scipy.stats import kendalltau

    tau = float(kendalltau(predicted, y).statistic)
    return tau if isfinite(tau) else None


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Whether AG obeys rank 0: its cells against the benchmark's own at t of equation 11."""

    generated: int
    valid: int
    classes: int
    """isomorphism classes among the valid"""
    labelled: int
    """valid cells that are isomorphic to a labelled one: they repeat what AG was shown"""
    held: int
    """new classes, neither labelled nor a second time, that the benchmark can answer for"""
    above: float
    """share of them of rank 0; NaN where there are none"""
    base: float
    """share of the benchmark's own cells of rank 0"""
    above_as_printed: float
    """share of all valid cells of rank 0, with duplicates and labelled cells as in Table 4; NaN where none is held"""

    @property
    def ratio(self) -> float:
        """How many times as often as the benchmark's own cells the new ones have rank 0."""
        return self.above / self.base


def fidelity(model: BiArch2Perf, ledger: QueryLedger, cells: Cells, count: int) -> Fidelity:
    """Judge the valid ones of `count` cells that AG generated under rank 0 (`nacg.generate_cells`)."""
    oracle = ledger.oracle
    known = ledger.known(cells)
    unique = one_of_each(cells, oracle.space)
    new = unique[~ledger.known(unique)]
    held, printed = new[oracle.queryable(new)], cells[oracle.queryable(cells)]

    def share(some: Cells) -> float:
        return float((search_accuracies(oracle, some) > model.t).mean()) if len(some) else float("nan")

    return Fidelity(
        generated=count,
        valid=len(cells),
        classes=len(unique),
        labelled=int(known.sum()),
        held=len(held),
        above=share(held),
        base=share(oracle.pool()),
        above_as_printed=share(printed),
    )


def judgements(model: BiArch2Perf, ledger: QueryLedger, count: int, seed: int) -> dict[str, float]:
    """Return what D makes of labelled cells, of `count` cells that were not queried, and of AG's cells.

    `D real: KIND` is the share of pairs that D takes for real; `wrong rank` means any other rank than the cell's own, or
    than the one that AG was asked for. `D own rank: KIND` is `condition.right_rank_share`, overall and by rank.
    """
    oracle, networks, ranks = ledger.oracle, model.networks, model.ranks.argmax(dim=1)
    unseen = _unseen(ledger, count, seed)
    y = torch.from_numpy(search_accuracies(oracle, unseen))
    true = rank(y, model.t, width_of(ledger.accuracies, ledger.metric.unit))
    with torch.no_grad():
        noise = gumbel((len(ranks), *model.decisions.allowed.shape), model.random)
        made = read(networks.AG(model.latents(len(ranks)), noise, model.ranks))
    found: dict[str, float] = {}
    for kind, read_cells, own in (
        ("labelled", model.labelled, ranks),
        ("unseen", model.read(oracle.space.canonical(unseen)), true),
        ("generated", made, ranks),
    ):
        logits = rank_logits(networks.D, read_cells)
        real, by_rank = (logits > 0).float(), right_rank_share(logits, own)
        is_own = F.one_hot(own, RANKS).bool()
        found |= {
            f"D real: {kind}": float(real[is_own].mean()),
            f"D real: {kind}, wrong rank": float(real[~is_own].mean()),
        }
        found |= {f"D own rank: {kind}": float(by_rank.nanmean())}
        found |= {f"D own rank: {kind}, rank {each}": float(by_rank[each]) for each in range(RANKS)}
    return found
