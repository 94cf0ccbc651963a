"""Outcomes of trials by hand, and what a report says of ceilings, equivalence, looks and further outcomes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from nadlab.analysis.across import across
from nadlab.analysis.cautions import ceiling, pool_filled
from nadlab.analysis.evidence import Evidence
from nadlab.analysis.report import report_on
from nadlab.analysis.sections.effects import comparisons
from nadlab.analysis.sections.outcomes import outcome_tables
from nadlab.benchmarks.oracle import Facts
from nadlab.benchmarks.registry import benchmark
from nadlab.cli.main import nadlab
from nadlab.errors import UserError
from nadlab.study.outcomes import OUTCOMES, check_outcomes, fitting, measured, value
from nadlab.study.records import Record, StudyRecord, Trial
from tests.conftest import TOY

STUDY = StudyRecord(
    "ablate_x", "Does x matter?", "yes", "module:class", "toy", "0" * 64, "paper", "valid", "test", 95.0,
    {}, {"alpha": 0.5}, "id", search_optimum=90.0,
)  # fmt: skip


def record(found: int, alpha: float = 0.5, seed: int = 0, queries: int = 45, **metrics: float | None) -> Record:
    """Return a trial that finds the best cell (valid 90, test 94) by query `found`; before it stands at valid 80, test 92."""
    ledger: list[dict[str, Any]] = [
        {
            "number": n,
            "key": n,
            "cell": "a",
            "valid": 90.0 if n == found else 80.0,
            "test": 94.0 if n == found else 92.0,
        }
        for n in range(1, queries + 1)
    ]
    best = 94.0 if found <= queries else 92.0
    trial = Trial("toy", "0" * 64, seed, {"alpha": alpha}, "module:class")
    whole = {"best_reported": best, "regret": 95 - best, **metrics}
    return Record(trial, "FINISHED", whole, [], ledger, 0.0, 1.0, {"git_revision": "abc"})


def asked(*names: str, **more: Any) -> StudyRecord:
    return replace(STUDY, outcomes=list(names), **more)


@pytest.mark.parametrize(
    ("name", "found", "expected"),
    [
        ("final", 30, 94.0), ("regret-20", 30, 3.0), ("regret-20", 20, 1.0), ("regret-40", 30, 1.0),
        ("regret-80", 30, None), ("queries-to-best", 30, 30.0), ("queries-to-best", 99, 46.0),
    ],
)  # fmt: skip
def test_outcomes_of_a_ledger_are_those_by_hand(name: str, found: int, expected: float | None) -> None:
    assert value(record(found), asked(name)) == expected


def test_outcomes_of_metrics_are_none_where_a_trial_lacks_them() -> None:
    known = record(1, share_unique=0.5, share_novel=0.4, predictor_tau=0.7, rank_fidelity=0.3, search_seconds=2.0)
    assert value(known, asked("novelty")) == 0.2
    assert value(known, asked("predictor-tau")) == 0.7
    assert value(known, asked("fidelity")) == 0.3
    assert value(known, asked("seconds")) == 2.0
    assert value(record(1), asked("novelty")) is value(record(1), asked("lift")) is None
    assert value(record(1), asked("queries-to-best", search_optimum=None)) is None
    assert {measured(asked(name)).maximise for name in ("seconds", "regret-20", "queries-to-best")} == {False}


def test_unknown_and_repeated_outcomes_are_refused() -> None:
    check_outcomes(list(OUTCOMES))
    with pytest.raises(UserError, match="did you mean regret-40"):
        check_outcomes(["regret-41"])
    with pytest.raises(UserError, match="each outcome once"):
        check_outcomes(["final", "final"])
    with pytest.raises(UserError, match="each outcome once"):
        check_outcomes([])


def crossed(found: dict[float, list[int]], **metrics: float) -> list[Record]:
    return [record(n, alpha, seed, 45, **metrics) for alpha, all_ in found.items() for seed, n in enumerate(all_)]


def test_ceiling_names_the_trials_that_reach_it_and_what_they_hide() -> None:
    records = crossed({0.5: [30, 30, 30], 0.9: [31, 31, 99]})
    (said,) = ceiling(STUDY, records)
    assert said.startswith("5 of 6 trials reach the best cell of the benchmark: this outcome cannot show a difference")
    (said,) = ceiling(asked("regret-40"), records)
    assert "5 of 6 trials reach the best cell of the benchmark within 40 queries" in said
    assert ceiling(asked("regret-20"), records)[0].startswith(
        "All 6 finished trials of 2 levels have the same regret after 20"
    )
    assert ceiling(asked("queries-to-best"), records) == []
    # seven of the default's trials miss it: a difference could be significant
    (said,) = ceiling(STUDY, crossed({0.5: [99] * 7 + [30], 0.9: [30] * 8}))
    assert said.startswith("9 of 16 trials")
    assert "can hardly show" in said
    assert ceiling(STUDY, crossed({0.5: [99] * 8, 0.9: [30] * 4 + [99] * 4})) == []
    assert ceiling(STUDY, crossed({0.5: [30, 30]})) == []
    # trials of 45 queries have no regret after 80
    longer = [record(30, alpha, seed, 90) for alpha in (0.1, 0.3) for seed in range(5)]
    (said,) = ceiling(asked("regret-80"), crossed({0.5: [30] * 10}) + longer)
    assert said.startswith("10 of 10 trials reach the best cell of the benchmark within 80 queries")


def test_levels_whose_final_queries_the_pool_filled_are_named() -> None:
    def trial(alpha: float, filled: float | None) -> Record:
        made = record(30, alpha, pool_fallback=filled)
        return replace(made, trial=replace(made.trial, settings={"alpha": alpha, "final_k": 10}))

    records = [trial(0.5, 1), trial(0.5, 8), trial(0.9, 10), trial(0.9, 7)]
    (said,) = pool_filled(STUDY, records)
    assert said.startswith("AG had no new cell for many of the final queries at alpha = 0.9 (85%); PP chose these")
    assert said in report_on(STUDY, records, np.random.default_rng(0)).evidence.conclusions
    assert pool_filled(STUDY, [trial(0.5, 1), trial(0.9, None), record(30, 0.9)]) == []
    without = trial(0.9, 10)
    without.trial.settings["candidates_from"] = "random"
    assert pool_filled(STUDY, [without]) == []


def test_report_is_about_the_first_outcome_and_shows_the_others() -> None:
    records = crossed({0.5: list(range(10, 18)), 0.9: list(range(30, 38))}, predictor_tau=0.5)
    study = asked("queries-to-best", "predictor-tau", "final", "seconds")
    report = report_on(study, records, np.random.default_rng(0))
    said = " ".join(report.evidence.conclusions)
    assert "alpha = 0.9 is worse than the default 0.5 by 20.0 queries" in said
    assert "alpha = 0.5 has the lowest mean time until the best cell, 13.5 queries." in said
    names = [table.name for table in outcome_tables(study, records, np.random.default_rng(0))]
    assert names == ["predictor_tau", "final"]  # these trials have no seconds
    text = report.markdown()
    assert "A trial that does not find it counts as one query more" in text
    assert "Rank correlation of PP: more is better." in text


def test_equivalence_is_said_by_level_and_margin() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.001, (2, 9))
    records = [
        record(30, alpha, seed, predictor_tau=0.7 + noise[place, seed])
        for place, alpha in enumerate((0.5, 0.9)) for seed in range(9)
    ]  # fmt: skip
    said = " ".join(report_on(asked("predictor-tau"), records, rng).evidence.conclusions)
    assert "alpha = 0.9 is equivalent to the default 0.5: the mean difference is within 0.0200 of zero" in said
    assert "does not differ significantly" not in said
    strict = asked("predictor-tau", smallest_effect=0.0005)
    said = " ".join(report_on(strict, records, rng).evidence.conclusions)
    assert "equivalent" not in said
    assert "alpha = 0.9 does not differ significantly from the default 0.5 with 9 seeds" in said
    assert "To detect a difference of 0.0005 with 80 % power" in said


def test_pairs_that_do_not_differ_do_not_count() -> None:
    records = crossed({0.5: [30] * 9, 0.9: [30] * 4 + [31] * 5})
    said = " ".join(report_on(asked("queries-to-best"), records, np.random.default_rng(0)).evidence.conclusions)
    assert (
        "With fewer than 6 pairs that differ, no difference can be significant; here at most 5 of 9 pairs differ."
        in said
    )


def test_study_that_grew_says_how_often_it_was_looked_at_with_seeds_enough_to_find_something() -> None:
    records = crossed({0.5: [30, 31], 0.9: [32, 33]})
    grown = asked("queries-to-best", looks=[[0, 1], [*range(6)], [*range(7)], [20, 21]])
    said = " ".join(report_on(grown, records, np.random.default_rng(0)).evidence.conclusions)
    assert "run with 6, then 7, then 9 seeds, 3 looks at its results" in said
    assert "below p = 0.017" in said
    once = asked("queries-to-best", looks=[[0, 1], [*range(10)]])
    assert "grew" not in " ".join(report_on(once, records, np.random.default_rng(0)).evidence.conclusions)


def test_report_takes_other_outcomes_and_says_that_they_came_later(smoke_study: Any, tmp_path: Path) -> None:
    wanted = ["--outcome", "novelty", "--outcome", "regret-20", "--out", str(tmp_path)]
    found = CliRunner().invoke(nadlab, ["report", str(smoke_study.out), *wanted])
    assert found.exit_code == 0, found.output
    assert "these outcomes were chosen afterwards" in found.output
    assert "mean new classes per valid cell of AG" in found.output
    text = (tmp_path / "report.md").read_text()
    assert "Regret after 20 queries: less is better." in text


@pytest.mark.usefixtures("data")
def test_outcomes_that_a_benchmark_cannot_have_are_left_out_by_name() -> None:
    wanted = ("predictor-tau", "regret-20", "seconds")
    oracle = benchmark(TOY)
    assert fitting(wanted, oracle) == (wanted, [])
    trained = replace(oracle, facts=Facts("trained"))  # type: ignore[type-var]
    left, said = fitting(wanted, trained)
    assert left == ("final", "regret-20", "seconds")
    (sentence,) = said
    assert sentence.startswith(f"The outcome predictor-tau is left out: {TOY} may answer by a training")
    assert fitting(("fidelity",), trained)[0] == ("final",)


def spread_over(benchmark_name: str, shift: float, seed: int) -> Evidence:
    noise = np.random.default_rng(seed).normal(0, 0.1, (13, 11))
    levels = [round(0.05 * level, 2) for level in range(13)]
    records = [
        record(30, alpha, s, predictor_tau=0.5 + noise[place, s] + shift * (alpha == 0.3))
        for place, alpha in enumerate(levels) for s in range(11)
    ]  # fmt: skip
    study = replace(asked("predictor-tau"), benchmark=benchmark_name, default={"alpha": 0.0})
    return report_on(study, records, np.random.default_rng(0)).evidence


def test_across_benchmarks_all_levels_are_ranked_and_all_comparisons_are_one_family() -> None:
    evidence = [spread_over("one", 3.0, 1), spread_over("two", 0.0, 2)]
    assert len(evidence[0].drawn) < 13
    page, (section,) = across(evidence, np.random.default_rng(0))
    whole, _, differences = section.tables
    assert len(whole.rows) == 13
    assert all(row[-1] for row in whole.rows)  # each has its mean rank
    assert len(differences.rows) == 12
    said = " ".join(page.conclusions)
    assert (
        "With Holm's correction over all 24 comparisons of levels and benchmarks 0.3 is better than 0.0 on one." in said
    )
    assert "two: How settings were chosen: not recorded." in said
    sentences = comparisons(evidence[0], np.random.default_rng(0))
    assert sentences
    assert "All 13 levels together" in sentences.sentences[0]
