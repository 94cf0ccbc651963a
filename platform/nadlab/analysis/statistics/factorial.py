"""Analysis of variance of crossed factors: main effects and interactions."""

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
    """partial eta squared: share of the variation that no other effect explains"""
    f_value: float
    p_value: float


def variance_shares(trials: pd.DataFrame, factors: Sequence[str]) -> list[Effect]:
    """Return main effects and two-way interactions of factors on the column `accuracy`, seeds as blocks (type II sums).

    trials: a row a trial with the factors, `seed` and `accuracy`. Empty where fewer than two factors have two levels, a
    combination was not run, or no residual degrees of freedom are left.
    """
    # as text, since pandas drops the level None; renamed, since a name may be no identifier of a formula
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
