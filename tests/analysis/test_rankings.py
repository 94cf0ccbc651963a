"""Friedman, Nemenyi and the analysis of variance against autorank, Demsar's table and statsmodels."""

import numpy as np
import pandas as pd
import pytest

from nadlab.analysis.statistics.factorial import variance_shares
from nadlab.analysis.statistics.rankings import rank

SCORES = pd.DataFrame(
    np.random.default_rng(5).exponential(1.0, (12, 4)) + np.array([0.0, 0.3, 0.9, 1.2]), columns=["a", "b", "c", "d"]
)


def test_ranks_test_and_critical_difference_are_autoranks() -> None:
    found = rank(SCORES)
    assert found
    # autorank 1.3.0: autorank(SCORES, alpha=0.05, force_mode="nonparametric", approach="frequentist")
    assert found.p_value == pytest.approx(0.00015428843096021273)
    assert found.critical_difference == pytest.approx(1.3539901117469855, rel=1e-3)
    assert found.ranks == pytest.approx({"a": 41 / 12, "b": 39 / 12, "c": 19 / 12, "d": 21 / 12})


def test_critical_difference_is_demsars() -> None:
    # Demsar (2006), section 3.2.2: four classifiers, 14 data sets, q = 2.569, CD = 1.25
    scores = pd.DataFrame(np.random.default_rng(0).normal(size=(14, 4)))
    found = rank(scores)
    assert found
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)


def test_methods_differ_by_nemenyi_where_their_ranks_are_further_apart_than_the_critical_difference() -> None:
    found = rank(SCORES)
    assert found
    for one, other in (("a", "b"), ("a", "d"), ("b", "c"), ("c", "d")):
        apart = abs(found.ranks[one] - found.ranks[other]) > found.critical_difference
        assert (float(found.pairwise[one][other]) < 0.05) == apart


def test_methods_alike_in_every_block_are_not_told_apart_and_two_are_no_ranking() -> None:
    alike = rank(pd.DataFrame(np.full((5, 3), 94.37), columns=list("abc")))
    assert alike
    assert alike.p_value == 1.0
    assert set(alike.ranks.values()) == {2.0}
    assert rank(SCORES[["a", "b"]]) is None


def test_friedman_over_all_levels_keeps_its_level() -> None:
    rng = np.random.default_rng(0)
    found = [rank(pd.DataFrame(rng.normal(size=(10, 12)))) for _ in range(200)]
    assert 0.005 <= np.mean([each.p_value < 0.05 for each in found if each]) <= 0.085


def crossed(interaction: float) -> pd.DataFrame:
    rng = np.random.default_rng(6)
    return pd.DataFrame(
        [
            {"alpha": a, "labels": n, "seed": s,
             "accuracy": 90 + 0.5 * a + interaction * a * n + 0.2 * s + rng.normal(0, 0.05)}
            for a in (0, 1) for n in (-1, 0, 1) for s in range(5)
        ]
    )  # fmt: skip


def test_interaction_is_seen_where_there_is_one_and_only_there() -> None:
    for size, seen in ((0.3, True), (0.0, False)):
        effects = {effect.factors: effect for effect in variance_shares(crossed(size), ["alpha", "labels"])}
        assert effects[("alpha",)].p_value < 1e-6
        assert (effects[("alpha", "labels")].p_value < 0.01) == seen


def test_variance_of_a_balanced_design_is_split_as_by_hand() -> None:
    trials = crossed(0.3)
    grand = trials["accuracy"].mean()
    between = sum(len(group) * (group["accuracy"].mean() - grand) ** 2 for _, group in trials.groupby("alpha"))
    cells = trials.groupby(["alpha", "labels"])["accuracy"].transform("mean")
    seeds = trials.groupby("seed")["accuracy"].transform("mean")
    residual = ((trials["accuracy"] - cells - seeds + grand) ** 2).sum()
    main = variance_shares(trials, ["alpha", "labels"])[0]
    assert main.share == pytest.approx(between / (between + residual))


def test_design_with_a_hole_has_no_interactions() -> None:
    trials = crossed(0.3)
    hole = (trials["alpha"] == 0) & (trials["labels"] == 1)
    assert variance_shares(trials[~hole], ["alpha", "labels"]) == []
