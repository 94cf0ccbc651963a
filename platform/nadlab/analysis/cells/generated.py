"""AG's cells under rank 0 with one seed (Section 4.3.2, Table 4, Figures 2 to 5), beside the benchmark's own.

AG repeats itself and emits labelled cells again, so a share of its draws says how often it makes a cell, not how good its
cells are. Shares are of new classes: one cell of each isomorphism class, none of them labelled.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from nadlab.analysis.cells.signatures import Signature, signature
from nadlab.benchmarks.oracle import SPLITS, Oracle, Split, facts_of
from nadlab.errors import UserError
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.pools import one_of_each
from nadlab.semigan.diagnostics import scores
from nadlab.semigan.divergence import check_weights
from nadlab.semigan.method import trained
from nadlab.semigan.nacg import best_predicted, generate_cells
from nadlab.semigan.settings import PAPER_T, Settings
from nadlab.spaces import Cells

TOP, DRAWN = 64, 3
"""cells of a top group (Section 4.3.3), and those of them that Figure 6 draws"""
PAPER_THRESHOLDS = (93.0, 93.5)
PAPER_BENCHMARK: Mapping[Split, tuple[float, float]] = {"valid": (0.1549, 0.0734), "test": (0.0646, 0.0103)}
"""shares of NAS-Bench-101's cells above the thresholds; elsewhere the thresholds leave as many above (Table 4)"""
Shares = dict[Split, list[float] | None]
"""split -> share of cells above each threshold, None where there is no cell"""


@dataclass(frozen=True, slots=True)
class Generated:
    """What AG generated under rank 0 with one seed."""

    seed: int
    draws: int
    valid: int
    """valid draws, duplicates counted"""
    classes: int
    """isomorphism classes among the valid"""
    new: int
    """classes without a label"""
    held: int
    """new classes that the benchmark can answer for"""
    above: Shares
    """of the held new classes"""
    draws_above: Shares
    """of the valid draws that the benchmark can answer for, duplicates and labelled cells counted"""
    signature: Signature | None
    """of the new classes, None where there is none"""
    best_signature: Signature | None
    """of the new classes that PP ranks highest, at most `TOP`"""
    best: tuple[str, ...]
    """the first of those, at most `DRAWN`, as the space writes cells"""
    cpu_seconds: float


def to_json(row: Generated) -> dict[str, object]:
    """Return a row as JSON values."""
    return asdict(row) | {name: _listed(getattr(row, name)) for name in ("signature", "best_signature")}


def from_json(values: Mapping[str, object]) -> Generated:
    """Return the row of `to_json`."""
    found = dict(values)
    for name in ("signature", "best_signature"):
        lists = found[name]
        found[name] = Signature(**{k: np.array(v) for k, v in lists.items()}) if isinstance(lists, dict) else None
    return Generated(**found | {"best": tuple(found["best"])})  # type: ignore[arg-type]


def _listed(found: Signature | None) -> dict[str, object] | None:
    return {name: value.round(6).tolist() for name, value in asdict(found).items()} if found else None


def measure(oracle: Oracle, settings: Settings, limits: Mapping[Split, Sequence[float]], seed: int) -> Generated:
    """Train one seed and measure `settings.generated` draws of AG under rank 0 against `thresholds`."""
    started, space = time.process_time(), oracle.space
    ledger = QueryLedger(oracle, settings.labels)
    model = trained(ledger, settings, np.random.default_rng(seed))
    check_weights(model.networks, f"epoch {model.epochs}")
    draws = generate_cells(model, space, settings.generated)
    unique = one_of_each(draws, space)
    new = unique[~ledger.known(unique)]
    held, best = new[oracle.queryable(new)], best_predicted(model, new, space, TOP)
    return Generated(
        seed=seed, draws=settings.generated, valid=len(draws), classes=len(unique), new=len(new), held=len(held),
        above=shares_above(oracle, held, limits),
        draws_above=shares_above(oracle, draws[oracle.queryable(draws)], limits),
        signature=signature(new, space) if len(new) else None,
        best_signature=signature(best, space) if len(best) else None,
        best=tuple(space.format(best[place : place + 1]) for place in range(min(DRAWN, len(best)))),
        cpu_seconds=round(time.process_time() - started, 2),
    )  # fmt: skip


def thresholds(oracle: Oracle) -> dict[Split, tuple[float, ...]]:
    """Return split -> thresholds of Table 4: the paper's on NAS-Bench-101, else what leaves as large a share above.

    Raises UserError where answers are not free: cells are evaluated that no search queried.
    """
    if not facts_of(oracle).free:
        raise UserError(f"{oracle.name} may answer by a training: name a benchmark whose answers are stored")
    if oracle.name in PAPER_T:
        return dict.fromkeys(splits(oracle), PAPER_THRESHOLDS)
    pool = benchmark_cells(oracle)
    shares = {split: 1 - np.array(PAPER_BENCHMARK[split]) for split in splits(oracle)}
    return {split: tuple(np.quantile(scores(oracle, pool, split), own).tolist()) for split, own in shares.items()}


def benchmark_cells(oracle: Oracle) -> Cells:
    """Return one cell of each isomorphism class that the benchmark can answer for."""
    return one_of_each(oracle.pool(), oracle.space)


def splits(oracle: Oracle) -> list[Split]:
    """Return the splits that the benchmark answers by."""
    (first,) = oracle.evaluate(oracle.pool()[:1])
    return [split for split in SPLITS if (first.valid if split == "valid" else first.test) is not None]


def shares_above(oracle: Oracle, cells: Cells, limits: Mapping[Split, Sequence[float]]) -> Shares:
    """Return the shares of queryable cells above each threshold, None for no cells."""
    if not len(cells):
        return dict.fromkeys(limits)
    found = {split: scores(oracle, cells, split) for split in limits}
    return {split: [float((found[split] > each).mean()) for each in own] for split, own in limits.items()}
