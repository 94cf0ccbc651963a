"""NACG (Section 3.2): generate under rank 0, predict, query the top K, return the best."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from nadlab.benchmarks.ledger import QueryLedger
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.ranks import RANKS
from nadlab.spaces import Cells, SearchSpace
from nadlab.spaces.cells import concatenate


@dataclass(frozen=True, slots=True)
class Generation:
    """What NACG generated; shares are of the cells named."""

    generated: int
    share_valid: float
    """valid cells among the generated"""
    share_unique: float
    """classes up to isomorphism among the valid"""
    share_novel: float
    """classes not in the training set among the unique"""
    candidates: int
    """novel classes that the benchmark can answer for"""
    filled: int
    """of the K queries, those for which no candidate was left: PP's best cells of the whole pool instead"""


def generate_cells(model: BiArch2Perf, space: SearchSpace, count: int, rank: int = 0) -> tuple[Cells, int]:
    """Return the valid ones of `count` cells generated under a rank, duplicates kept, and the number generated."""
    with torch.inference_mode():
        ranks = F.one_hot(torch.full((count,), rank), RANKS).float().to(model.device)
        adjacency, operations = model.generate(ranks)
    cells = Cells(adjacency.round().byte().cpu().numpy(), operations.argmax(dim=2).byte().cpu().numpy())
    valid = np.array([reason is None for reason in space.invalid_reasons(cells)])
    return cells[valid], count


def design(model: BiArch2Perf, ledger: QueryLedger, final_k: int, count: int, rounds: int) -> Generation:
    """Query the `final_k` generated cells that PP ranks highest, and say how generation went.

    Generates `count` cells a round until `final_k` candidates are found or `rounds` are over.
    """
    space = ledger.oracle.space
    parts: list[Cells] = []
    generated = 0
    for _ in range(rounds):
        valid, made = generate_cells(model, space, count)
        generated += made
        parts.append(valid)
        cells = concatenate(parts)
        unique = _one_of_each(cells, space)
        novel = unique[~ledger.known(unique)]
        candidates = novel[ledger.oracle.queryable(novel)]
        if len(candidates) >= final_k:
            break
    chosen = _best_predicted(model, candidates, final_k)
    filled = final_k - len(chosen)
    ledger.query(chosen)
    if filled:
        pool = _one_of_each(ledger.oracle.pool(), space)
        ledger.query(_best_predicted(model, pool[~ledger.known(pool)], filled))
    return Generation(
        generated,
        len(cells) / generated,
        len(unique) / max(1, len(cells)),
        len(novel) / max(1, len(unique)),
        len(candidates),
        filled,
    )


def _one_of_each(cells: Cells, space: SearchSpace) -> Cells:
    _, first = np.unique(space.keys(cells), return_index=True)
    return cells[np.sort(first)]


def _best_predicted(model: BiArch2Perf, cells: Cells, count: int) -> Cells:
    if not len(cells):
        return cells
    order = np.argsort(-model.predict(cells), kind="stable")
    return cells[order[:count]]
