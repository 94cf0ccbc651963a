"""A study as a run of seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nadlab.methods.registry import split_name
from nadlab.parameters.hyperparameters import INERT
from nadlab.study.levels import Level, changed, names
from nadlab.study.study import Study

SMOKE: Mapping[str, Level] = {
    "epochs": 2, "labels": 20, "final_k": 2, "width": 16, "unlabelled_per_epoch": 512, "generated": 200,
    "queries": 20,
}  # fmt: skip
"""settings of a run of seconds"""
SMOKE_SEEDS = 2


def smoke(study: Study) -> Study:
    """Return a run of seconds: two levels (the first and the default), two seeds, small settings."""
    known = names(study.settings)
    small = {name: level for name, level in SMOKE.items() if name in known and name not in study.vary}
    settings = changed(study.settings, small)
    vary = {factor: _other_and_default(levels, study.reference[factor]) for factor, levels in study.vary.items()}
    if "queries" in vary:  # a level of the smoke run alone: the study's own budgets take minutes
        vary["queries"] = (SMOKE["queries"],)
        settings = changed(settings, {"queries": SMOKE["queries"]})
    if "method" in vary:  # a hyperparameter's method runs too, lest it changes nothing
        owners = {split_name(factor)[0] for factor in vary if "." in factor}
        vary["method"] = tuple(dict.fromkeys([*(m for m in study.vary["method"] if m in owners), *vary["method"]]))
    baseline = {factor: level for factor, level in study.baseline.items() if level in vary[factor]}
    return replace(study, settings=settings, vary=vary, baseline=baseline, seeds=tuple(study.seeds)[:SMOKE_SEEDS])


def _other_and_default(levels: Sequence[Level], default: Level) -> tuple[Level, ...]:
    others = [level for level in levels if level != default]
    return (*others[:1], default) if default != INERT else tuple(others[:2])
