"""What noise leaves to find, against worlds whose true means are known."""

import numpy as np
import pytest
from click.testing import CliRunner

from nadlab.analysis.statistics.noise import oracle_regrets, pooled_deviation, posterior
from studies import limit_of_noise

DEVIATION = 0.3


def world(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Means that pile up below 94, as in NAS-Bench-101, and one answer of each."""
    rng = np.random.default_rng(seed)
    means = 94 - rng.gamma(2, 0.7, 3000)
    return means, means + rng.normal(0, DEVIATION, 3000)


@pytest.mark.slow
def test_estimated_regret_of_the_oracle_is_that_of_the_true_means() -> None:
    true, estimated = [], []
    for seed in range(8):
        means, answers = world(seed)
        asked = np.argsort(-means)[:50]
        true.append(answers.max() - answers[asked].max())
        estimated.append(oracle_regrets(answers, DEVIATION, 50, 40, np.random.default_rng(seed)).mean())
    assert np.mean(estimated) == pytest.approx(np.mean(true), abs=0.1)
    assert np.mean(true) > 0.1


def test_oracle_of_a_table_without_noise_finds_the_best() -> None:
    answers = world(0)[0]
    assert not oracle_regrets(answers, 0.001, 5, 20, np.random.default_rng(0)).any()


def test_more_noise_or_fewer_queries_leave_more_regret() -> None:
    answers = world(1)[1]
    regret = {
        (deviation, queries): oracle_regrets(answers, deviation, queries, 60, np.random.default_rng(0)).mean()
        for deviation, queries in ((0.2, 50), (0.4, 50), (0.4, 10))
    }
    assert regret[0.2, 50] < regret[0.4, 50] < regret[0.4, 10]


def test_posterior_shrinks_the_best_answers() -> None:
    means, answers = world(2)
    grid, weights = posterior(answers, DEVIATION)
    expected = weights @ grid
    best = np.argsort(-answers)[:30]
    assert abs((expected - means)[best].mean()) < 0.1 < (answers - means)[best].mean()


def test_deviation_of_runs_is_pooled_over_cells_and_takes_missing_runs() -> None:
    rng = np.random.default_rng(0)
    runs = rng.normal(90, 5, (4000, 1)) + rng.normal(0, 0.5, (4000, 3))
    runs[::2, 2] = np.nan
    runs[::5, 1:] = np.nan
    assert pooled_deviation(runs) == pytest.approx(0.5, abs=0.02)


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(("name", "words"), [("nasbench101", "error of a forest"), ("mnist1d-201", "measured")])
def test_limit_says_where_its_deviation_comes_from(name: str, words: str) -> None:
    arguments = ["--benchmark", name, "--queries", "20", "--deviations", "0.5", "--draws", "5"]
    done = CliRunner().invoke(limit_of_noise.command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert words in " ".join(done.output.split())
