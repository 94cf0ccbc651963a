"""Factors that are crossed: how much of the accuracies' variation is each one's own, and how much their interaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod

import pandas as pd


@dataclass(frozen=True, slots=True)
class Effect:
    """One row of the analysis of variance."""

    factors: tuple[str, ...]
    """one for a main effect, two for an interaction"""
    share: float
    """partial eta squared: of the variation that no other effect explains, the share that this one does"""
    f_value: float
    p_value: float


def variance_shares(trials: pd.DataFrame, factors: Sequence[str]) -> list[Effect]:
    """Return main effects and two-way interactions of factors on the column `accuracy`, seeds as blocks (type II sums).

    trials: a row a trial with the factors, `seed` and `accuracy`. Empty where fewer than two factors have two levels, a
    combination was not run, or no trials are left to tell effects from noise.
    """
    # as text: a level may be None, which pandas would drop; and under names that are no words of a formula
    columns = {factor: f"factor{place}" for place, factor in enumerate(factors)}
    named = trials[[*factors, "seed", "accuracy"]].astype(dict.fromkeys(factors, str)).rename(columns=columns)
    varied = [factor for factor in factors if named[columns[factor]].nunique() > 1]
    if len(varied) < 2 or named["accuracy"].nunique() < 2:
        return []
    crossed = prod(named[columns[factor]].nunique() for factor in varied)
    if len(named.drop_duplicates([columns[factor] for factor in varied])) < crossed:
        return []
    from statsmodels.formula.api import ols  # late: seconds
    from statsmodels.stats.anova import anova_lm

    terms = [(factor,) for factor in varied] + list(combinations(varied, 2))
    text = {term: ":".join(f"C({columns[factor]})" for factor in term) for term in terms}
    blocks = " + C(seed)" if named["seed"].nunique() > 1 else ""
    fitted = ols(f"accuracy ~ {' + '.join(text.values())}{blocks}", named).fit()
    if fitted.df_resid < 1:
        return []
    table = anova_lm(fitted, typ=2)
    residual = table.loc["Residual", "sum_sq"]
    rows = {term: table.loc[name] for term, name in text.items()}
    return [
        Effect(term, float(row["sum_sq"] / (row["sum_sq"] + residual)), float(row["F"]), float(row["PR(>F)"]))
        for term, row in rows.items()
    ]
