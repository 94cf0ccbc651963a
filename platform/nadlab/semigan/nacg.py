"""NACG (Section 3.2): generate under rank 0, predict, query the top K, return the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional as F

from nadlab.queries.ledger import QueryLedger
from nadlab.queries.pools import one_of_each
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.ranks import RANKS
from nadlab.spaces import Cells, SearchSpace
from nadlab.spaces.cells import concatenate, is_valid


@dataclass(frozen=True, slots=True)
class Generation:
    """What NACG generated; shares are of the cells named, and None where AG generated none."""

    generated: int
    share_valid: float | None
    """valid cells among the generated"""
    share_unique: float | None
    """classes up to isomorphism among the valid"""
    share_novel: float | None
    """classes not in the training set among the unique"""
    candidates: int
    """novel classes that the benchmark can answer for"""
    pool_fallback: int
    """of the K queries, those for which no candidate was left: PP's best cells of the whole pool instead"""


def generate_cells(model: BiArch2Perf, space: SearchSpace, count: int, rank: int = 0) -> Cells:
    """Return the valid ones of `count` cells generated under a rank, duplicates kept."""
    parts: list[Cells] = []
    with torch.inference_mode():
        for start in range(0, count, 1024):
            ranks = F.one_hot(torch.full((min(1024, count - start),), rank), RANKS).float().to(model.device)
            made = model.generate(ranks, model.settings.generation_temperature)
            parts.append(Cells(made.A.byte().cpu().numpy(), made.X.argmax(dim=2).byte().cpu().numpy()))
    cells = concatenate(parts)
    return cells[is_valid(cells, space)]


def over_rounds(rounds: Sequence[Generation]) -> Generation:
    """Return the sums of the counts and the means of the shares of several rounds."""
    return Generation(
        generated=sum(one.generated for one in rounds),
        share_valid=_mean([one.share_valid for one in rounds]),
        share_unique=_mean([one.share_unique for one in rounds]),
        share_novel=_mean([one.share_novel for one in rounds]),
        candidates=sum(one.candidates for one in rounds),
        pool_fallback=sum(one.pool_fallback for one in rounds),
    )


def _mean(shares: Sequence[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return float(np.mean(known)) if known else None


def design(
    model: BiArch2Perf, ledger: QueryLedger, final_k: int, count: int, nearby: Sequence[Cells] = ()
) -> Generation:
    """Query the `final_k` cells that PP ranks highest, and say how generation went.

    They are chosen from the candidates, AG's or the pool's (`settings.candidates_from`), and from `nearby`, cells that can
    be queried, of which the known are left out.
    """
    nothing = ledger.oracle.pool()[:0]
    of_pool = nothing if model.settings.candidates_from == "generator" else pool_cells(model, ledger, count)
    candidates, found = nothing, Generation(0, None, None, None, 0, 0)
    if model.settings.generates:
        candidates, found = generated_candidates(model, ledger, final_k, count)
    sources = {"generated": candidates, "pool": of_pool, "neighbour": concatenate([nothing, *nearby])}
    pool_fallback = final_k - ask_best(model, ledger, sources, final_k)
    if pool_fallback:
        ask_best(model, ledger, {"fallback": ledger.oracle.pool()}, pool_fallback)
    return replace(found, pool_fallback=pool_fallback)


def pool_cells(model: BiArch2Perf, ledger: QueryLedger, count: int) -> Cells:
    """Return the cells that can be queried; `count` random ones where the settings ask for them or the pool can't list all."""
    oracle, pool = ledger.oracle, ledger.oracle.pool()
    listed, asked = len(pool) >= oracle.queryable_count, model.settings.candidates_from == "random"
    if listed and not asked:
        return pool
    rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=model.random)))
    if listed:
        return pool[rng.choice(len(pool), min(count, len(pool)), replace=False)]
    drawn = oracle.space.sample(count, rng)
    return drawn[oracle.queryable(drawn)]


def generated_candidates(model: BiArch2Perf, ledger: QueryLedger, final_k: int, count: int) -> tuple[Cells, Generation]:
    """Return new cells of the benchmark that AG generates, one of each class, and how generation went.

    Generates `count` cells a round until `settings.candidates` new ones are among them, or `settings.generation_rounds`
    are over.
    """
    space, settings = ledger.oracle.space, model.settings
    parts: list[Cells] = []
    for _ in range(settings.generation_rounds):
        parts.append(generate_cells(model, space, count))
        cells = concatenate(parts)
        unique = one_of_each(cells, space)
        novel = unique[~ledger.known(unique)]
        candidates = novel[ledger.oracle.queryable(novel)]
        if len(candidates) >= max(final_k, settings.candidates):
            break
    generated = count * len(parts)
    return candidates, Generation(
        generated,
        len(cells) / generated,
        len(unique) / max(1, len(cells)),
        len(novel) / max(1, len(unique)),
        len(candidates),
        pool_fallback=0,
    )


def ask_best(model: BiArch2Perf, ledger: QueryLedger, sources: Mapping[str, Cells], count: int) -> int:
    """Query the unknown cells that PP ranks highest; return how many, less than `count` where there are fewer.

    sources: `Query.origin` -> cells; a cell that several hold is of the first.
    """
    space = ledger.oracle.space
    cells = concatenate(list(sources.values()))
    chosen = best_predicted(model, one_of_each(cells[~ledger.known(cells)], space), space, count)
    *others, last = (origin for origin, some in sources.items() if len(some)) if len(cells) else ("",)
    origins, keys = np.full(len(chosen), last, object), space.keys(chosen)
    for origin in reversed(others):  # the last one's keys, of a whole pool perhaps, are not needed
        origins[np.isin(keys, space.keys(sources[origin]))] = origin
    ledger.query(chosen, origins.tolist())
    return len(chosen)


def best_predicted(model: BiArch2Perf, cells: Cells, space: SearchSpace, count: int) -> Cells:
    """Return the `count` cells that PP ranks highest, best first; all of them where there are fewer."""
    if not len(cells):
        return cells
    order = np.argsort(-model.predict(space.canonical(cells)), kind="stable")
    return cells[order[:count]]
