"""Training of D, AG and PP, and the cells that AG generates."""

import numpy as np
import pandas as pd

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.figures.search import LOSSES, losses, shares
from nadlab.analysis.sections.content import Picture, Section
from nadlab.analysis.sections.tables import level_table
from nadlab.analysis.text import mean_and_deviation
from nadlab.study.records import Record

MEASURED = ("share_valid", "share_unique", "share_novel", "candidates", "pool_fallback", "predictor_tau")


def training(evidence: Evidence, _rng: np.random.Generator) -> Section | None:
    """Return the losses by epoch, where trials have an equal number of them a level."""
    histories = {level: _mean_history(evidence.groups[level]) for level in evidence.drawn}
    known = {level: history for level, history in histories.items() if set(LOSSES) <= set(history)}
    if not known:
        return None
    last = {level: [f"{history[name].iloc[-1]:.3f}" for name in LOSSES] for level, history in known.items()}
    table = level_table(evidence, "losses", ("D", "AG", "PP"), last, "Losses in the last epoch, means over seeds.")
    picture = Picture("losses", losses(evidence, known), "Losses by epoch, means over seeds.")
    return Section("Training of D, AG and PP", (), (picture,), (table,))


def generated(evidence: Evidence, _rng: np.random.Generator) -> Section | None:
    """Return the shares of valid, unique and novel cells of AG under rank 0, and PP's rank correlation."""
    frames = {
        level: pd.DataFrame([{name: each.metrics.get(name) for name in MEASURED} for each in group], dtype=float)
        for level, group in evidence.groups.items()
    }
    columns = [name for name in MEASURED if frames and all(frame[name].notna().any() for frame in frames.values())]
    if not columns:
        return None
    means = pd.DataFrame({level: frame[columns].mean() for level, frame in frames.items()}).T
    table = level_table(
        evidence,
        "generated_cells",
        [name.replace("_", " ") for name in columns],
        {level: [_spread(frame[name]) for name in columns] for level, frame in frames.items()},
        "Means and standard deviations over seeds. valid: of the generated; unique: classes up to isomorphism of the valid; "
        "novel: of the unique, those without a label; candidates: novel cells that the benchmark holds; pool_fallback: final "
        "queries for which AG had none left; predictor tau: Kendall's, of PP on cells never queried.",
    )
    drawn = [name for name in columns if name.startswith("share_")]
    if not drawn:
        return Section("Generated cells", (), (), (table,))
    caption = "Cells that AG generates under rank 0, means over seeds."
    picture = Picture("generated_cells", shares(means[drawn], evidence), caption)
    return Section("Generated cells", (), (picture,), (table,))


def _mean_history(records: list[Record]) -> pd.DataFrame:
    tables = [pd.DataFrame(record.history, index=range(1, len(record.history) + 1), dtype=float) for record in records]
    return pd.concat(tables).groupby(level=0).mean()


def _spread(values: pd.Series) -> str:
    places = 0 if values.abs().max() >= 100 else 3  # counts and shares
    return mean_and_deviation(values.dropna().tolist(), places)
