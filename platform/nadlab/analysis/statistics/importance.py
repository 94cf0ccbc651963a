"""Importance of the hyperparameters of an Optuna study: fANOVA, PED-ANOVA, interactions by Friedman's H."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import optuna
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import partial_dependence

from nadlab.analysis.statistics.paired_tests import ROUNDING
from nadlab.errors import UserError

FEWEST_TRIALS = 16
"""with fewer trials the importances are mostly noise of the forest"""
GRID = 8


@dataclass(frozen=True)
class Importance:
    """Importance of each hyperparameter, and interaction of each pair."""

    fanova: Mapping[str, float]
    """share of the objective's variance over the whole space that each explains alone; the rest acts together (Hutter et al. 2014)"""
    ped_anova: Mapping[str, float]
    """how far the best tenth of the trials differs from all, relative: they sum to 1 (Watanabe et al. 2023)"""
    interactions: Mapping[tuple[str, str], float]
    """H squared: share of a pair's joint effect that is not additive (Friedman and Popescu 2008)"""
    trials: int


def importance(study: optuna.Study, seed: int = 0) -> Importance:
    """Return the importance of the hyperparameters of a study with one objective, from its finished trials.

    Only hyperparameters that every finished trial has count. Raises UserError for several objectives, too few trials,
    fewer than two such hyperparameters, or trials that all have the same result.
    """
    if len(study.directions) > 1:
        raise UserError(f"the Optuna study {study.study_name!r} has several objectives: importance needs one")
    trials = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
    shared = sorted(set.intersection(*(set(trial.params) for trial in trials))) if trials else []
    varied = [name for name in shared if len({str(trial.params[name]) for trial in trials}) > 1]
    if len(trials) < FEWEST_TRIALS or len(varied) < 2:
        raise UserError(
            f"the Optuna study {study.study_name!r} has {len(trials)} finished trials with {len(varied)} varied "
            f"hyperparameters: importance needs at least {FEWEST_TRIALS} and 2"
        )
    if not np.ptp(np.round([float(trial.value or 0) for trial in trials], ROUNDING)):
        raise UserError(f"the {len(trials)} finished trials of {study.study_name!r} all have the same result")
    fanova = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    return Importance(
        fanova=fanova.evaluate(study, params=varied),
        ped_anova=optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.PedAnovaImportanceEvaluator(), params=varied
        ),
        interactions=_interactions(trials, varied, seed),
        trials=len(trials),
    )


def _interactions(trials: list[optuna.trial.FrozenTrial], names: list[str], seed: int) -> dict[tuple[str, str], float]:
    table = pd.DataFrame([{name: _number(trial, name) for name in names} for trial in trials])
    forest = RandomForestRegressor(n_estimators=64, min_samples_leaf=2, random_state=seed, n_jobs=1)
    forest.fit(table, [trial.value for trial in trials])
    return {pair: friedman_h(forest, table, pair) for pair in combinations(names, 2)}


def friedman_h(model: RandomForestRegressor, table: pd.DataFrame, pair: tuple[str, str]) -> float:
    """Return H squared of two columns of a fitted model: 0 where their effects add up, 1 where only their interaction acts."""
    joint = partial_dependence(model, table, pair, grid_resolution=GRID, kind="average")["average"][0]
    joint = joint - joint.mean()
    left, right = joint.mean(axis=1, keepdims=True), joint.mean(axis=0, keepdims=True)
    total = float((joint**2).sum())
    return float(((joint - left - right) ** 2).sum()) / total if total else 0.0


def _number(trial: optuna.trial.FrozenTrial, name: str) -> float:
    """Return a hyperparameter on the scale that it is drawn on: the logarithm, the number, or a choice's place."""
    distribution = trial.distributions[name]
    value = float(distribution.to_internal_repr(trial.params[name]))
    return float(np.log(value)) if getattr(distribution, "log", False) else value
