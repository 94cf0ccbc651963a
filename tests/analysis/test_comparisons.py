"""Paired comparisons against scipy, statsmodels, rliable and autorank, and what they may claim.

autorank's answers on the same data are written down (version 1.3.0): beside it comes a package `tests` that would hide ours.
"""

from itertools import product

import numpy as np
import pytest
from rliable.metrics import probability_of_improvement
from scipy.stats import rankdata, t, wilcoxon
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

from nadlab.analysis.statistics.comparisons import (
    compare,
    fewest_seeds,
    holm,
    seeds_needed,
    superiority,
    visible_difference,
)
from nadlab.analysis.statistics.paired_tests import equivalence, signed_rank

ONE, TWO = np.random.default_rng(3).normal(93, 0.4, (2, 12))


def by_seed(values: np.ndarray) -> dict[int, float]:
    return dict(enumerate(values.tolist()))


def test_signed_rank_is_scipys_and_autoranks() -> None:
    assert signed_rank(ONE - TWO) == pytest.approx(wilcoxon(ONE, TWO).pvalue)
    assert signed_rank(ONE - TWO) == pytest.approx(2 * 0.31103515625)  # autorank asks about the better one's side alone


def test_runs_that_are_all_alike_differ_by_nothing() -> None:
    found = compare({"x": by_seed(ONE)}, by_seed(ONE), np.random.default_rng(0))["x"]
    assert (found.p_value, found.superiority.mean, found.difference.mean, found.spread) == (1.0, 0.5, 0.0, 0.0)


def test_ties_and_zeros_leave_the_signed_rank_test_exact() -> None:
    # by hand: the zero goes; 1, 1, -1 share rank 2 and 3 has rank 4; W+ = 8 of 10: W+ <= 2 or >= 8 in 8 of 16 signs
    assert signed_rank(np.array([1.0, 0.0, 1.0, -1.0, 3.0])) == 8 / 16
    # five equal differences: all signs alike in 2 of 32
    assert signed_rank(np.full(5, 94.37) - np.full(5, 94.33)) == 2 / 32
    rng = np.random.default_rng(4)
    for _ in range(20):
        differences = rng.integers(-2, 4, 8).astype(float)
        left = differences[differences != 0]
        ranks = rankdata(np.abs(left))
        signs = np.array(list(product((-1, 1), repeat=len(left))))
        sums = (signs * ranks).sum(axis=1)
        expected = np.mean(np.abs(sums) >= abs((np.sign(left) * ranks).sum())) if len(left) else 1.0
        assert signed_rank(differences) == pytest.approx(expected)


def test_signed_rank_keeps_its_level_where_most_pairs_tie() -> None:
    rng = np.random.default_rng(0)
    found = [signed_rank(rng.choice([-0.1, 0.0, 0.1], 12, p=[0.25, 0.5, 0.25])) < 0.05 for _ in range(2000)]
    assert np.mean(found) <= 0.05


def test_equivalence_is_the_two_one_sided_tests_by_hand() -> None:
    differences = np.array([0.02, -0.01, 0.03, 0.00, 0.01])
    error = differences.std(ddof=1) / np.sqrt(5)
    below, above = (0.05 - 0.01) / error, (0.01 + 0.05) / error
    assert equivalence(differences, 0.05) == pytest.approx(t.sf(min(below, above), 4))
    assert equivalence(differences, 0.05) == pytest.approx(ttost_paired(differences, np.zeros(5), -0.05, 0.05)[0])
    assert equivalence(differences, 0.005) > 0.5
    assert equivalence(np.zeros(9), 0.05) == 1.0  # nothing is known of other seeds
    # at the margin's edge it is claimed in one study of twenty
    rng = np.random.default_rng(1)
    claimed = [equivalence(rng.normal(0.05, 0.05, 10), 0.05) < 0.05 for _ in range(2000)]
    assert 0.035 < np.mean(claimed) < 0.065


def test_equivalence_is_claimed_from_as_many_pairs_as_could_differ_significantly() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 0.01, 8)
    for seeds, claimed in ((5, False), (8, True)):
        level = {seed: 90 + noise[seed] for seed in range(seeds)}
        found = compare({"x": level}, dict.fromkeys(level, 90.0), rng, margin=0.05)["x"]
        assert (found.is_equivalent, found.is_significant, found.nonzero) == (claimed, False, seeds)


def test_holm_is_the_step_down_procedure_by_hand() -> None:
    # Holm (1979): sorted, times 4, 3, 2, 1, and never below the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_family_of_a_study_is_corrected_together() -> None:
    levels = {str(shift): by_seed(ONE + shift + TWO / 50) for shift in (-0.5, 0.0, 0.7)}
    found = compare(levels, by_seed(ONE), np.random.default_rng(0))
    raw = [wilcoxon([levels[level][seed] - ONE[seed] for seed in range(12)]).pvalue for level in levels]
    assert [each.p_value for each in found.values()] == pytest.approx(multipletests(raw, method="holm")[1].tolist())


def test_superiority_is_rliables_probability_of_improvement() -> None:
    rng = np.random.default_rng(0)
    found = superiority([ONE, TWO], [TWO, ONE + 0.3], rng)
    assert found.mean == pytest.approx(probability_of_improvement(np.c_[ONE, TWO], np.c_[TWO, ONE + 0.3]))
    assert (
        superiority([np.array([1.0, 2.0])], [np.array([1.0, 1.0])], rng).mean == 0.75
    )  # two wins and two ties of four
    # rliable's StratifiedBootstrap of two algorithms: the runs of each benchmark and algorithm are drawn on their own
    drawn = [
        probability_of_improvement(
            *(
                np.stack([rng.choice(runs, 12) for runs in algorithm], axis=1)
                for algorithm in ((ONE, TWO), (TWO, ONE + 0.3))
            )
        )
        for _ in range(2000)
    ]
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(drawn, (2.5, 97.5))), abs=0.02)


def test_level_that_always_wins_has_a_chance_of_one_with_no_width() -> None:
    found = superiority([ONE + 10], [ONE], np.random.default_rng(0))
    assert (found.mean, found.low, found.high) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(("comparisons", "seeds"), [(1, 6), (2, 7), (4, 8), (16, 10)])
def test_fewest_seeds_are_where_the_clearest_result_becomes_significant(comparisons: int, seeds: int) -> None:
    assert fewest_seeds(comparisons) == seeds
    least, too_few = (signed_rank(np.arange(1.0, n + 1)) for n in (seeds, seeds - 1))
    others = [1.0] * (comparisons - 1)
    assert holm([least, *others])[0] < 0.05 <= holm([too_few, *others])[0]


def test_seeds_needed_reach_the_power_and_no_fewer_would() -> None:
    needed = seeds_needed(0.1, 1, 0.05)
    power = TTestPower().power
    assert power(0.5, needed * 0.864, 0.05) >= 0.8 > power(0.5, (needed - 1) * 0.864, 0.05)
    assert seeds_needed(0.1, 4, 0.05) > needed
    for comparisons in (1, 3, 14, 200):
        counts = [
            seeds_needed(float(spread), comparisons, 0.05) for spread in (0.0, 1e-9, *np.geomspace(1e-3, 0.2, 60))
        ]
        assert counts == sorted(counts)
        assert counts[0] == fewest_seeds(comparisons)
        # where the least number is taken without computing, it has the power
        assert power(3, fewest_seeds(comparisons) * 0.864, 0.05 / comparisons) >= 0.8


def test_simulated_studies_of_the_needed_size_see_the_difference_in_four_of_five() -> None:
    rng = np.random.default_rng(0)
    needed = seeds_needed(0.1, 1, 0.05)
    seen = [signed_rank(rng.normal(0.05, 0.1, needed)) < 0.05 for _ in range(600)]
    assert 0.78 < np.mean(seen) < 0.92


def test_visible_difference_is_the_inverse_of_seeds_needed() -> None:
    visible = visible_difference(0.1, 4, 40)
    assert visible is not None
    assert seeds_needed(0.1, 4, visible * 1.001) <= 40 < seeds_needed(0.1, 4, visible * 0.97)
    assert visible_difference(0.1, 4, 7) is None
