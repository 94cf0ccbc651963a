"""Training of D, AG and PP, and the cells that AG generates."""

import numpy as np
import pandas as pd

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.figures.search import LOSSES, losses, shares
from nadlab.analysis.sections.content import Picture, Section
from nadlab.analysis.sections.tables import level_table
from nadlab.analysis.statistics.intervals import Values
from nadlab.analysis.text import mean_and_deviation
from nadlab.study.records import Record

MEASURED = ("share_valid", "share_unique", "share_novel", "candidates", "pool_fallback", "predictor_tau")


def training(evidence: Evidence, rng: np.random.Generator) -> Section | None:
    """Return the losses by epoch, where trials have an equal number of them a level."""
    known = {level: found for level in evidence.drawn if (found := _losses(evidence.groups[level]))}
    if not known:
        return None
    last = {
        level: [mean_and_deviation(found[name][:, -1].tolist(), 3) for name in LOSSES] for level, found in known.items()
    }
    caption = "Losses in the last epoch, means and standard deviations over seeds."
    table = level_table(evidence, "losses", ("D", "AG", "PP"), last, caption)
    picture = Picture(
        "losses",
        losses(evidence, known, rng),
        "Losses by epoch, means with 95 % bands over seeds. Neither alpha nor alpha_p rescales the losses of AG and PP; D's "
        "is a sum of logarithms whose weights add up to two at every alpha.",
    )
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
    spreads = pd.DataFrame({level: frame[columns].std() for level, frame in frames.items()}).T
    table = level_table(
        evidence,
        "generated_cells",
        [name.replace("_", " ") for name in columns],
        {level: [_spread(frame[name]) for name in columns] for level, frame in frames.items()},
        "Means and standard deviations over seeds. valid: share of the generated; unique: isomorphism classes among the valid; "
        "novel: unlabelled ones among the unique; candidates: novel cells that the benchmark has; pool_fallback: final queries "
        "for which AG had no candidate left; predictor tau: Kendall's tau of PP on cells never queried.",
    )
    drawn = [name for name in columns if name.startswith("share_")]
    if not drawn:
        return Section("Generated cells", (), (), (table,), folded=True)
    caption = "Cells that AG generates under rank 0, means and standard deviations over seeds."
    picture = Picture("generated_cells", shares(means[drawn], spreads[drawn], evidence), caption)
    return Section("Generated cells", (), (picture,), (table,), folded=True)


def _losses(records: list[Record]) -> dict[str, Values]:
    """Return loss -> (seeds, epochs), AG's without its factor 1 - alpha; empty where a trial has no losses or no alpha."""
    known = (record.history and set(LOSSES) <= set(record.history[0]) for record in records)
    if not all(known) or not all("alpha" in record.trial.settings for record in records):
        return {}
    epochs = min(len(record.history) for record in records)
    found = {
        name: np.array([[row[name] for row in record.history[:epochs]] for record in records], float) for name in LOSSES
    }
    weights = 1 - np.array([[record.trial.settings["alpha"]] for record in records], float)
    found["generator"] = np.divide(
        found["generator"], weights, out=np.full_like(found["generator"], np.nan), where=weights > 0
    )
    return found


def _spread(values: pd.Series) -> str:
    places = 0 if values.abs().max() >= 100 else 3  # counts and shares
    return mean_and_deviation(values.dropna().tolist(), places)
