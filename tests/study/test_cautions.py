"""Choices that cannot show anything are refused before a trial, or said where they may be meant."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from nadlab.benchmarks.registry import benchmark
from nadlab.benchmarks.tabular import TableBenchmark
from nadlab.engine.plans import plan_study, plan_tuning
from nadlab.errors import UserError
from nadlab.methods.request import SearchRequest
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.method import SemiGANNAD
from nadlab.semigan.settings import PREDICTOR_POOL, PREDICTOR_SEMI, PREDICTOR_SEQUENTIAL, SEQUENTIAL, Settings
from nadlab.study.cautions import cautions, fitted
from nadlab.study.records import Record
from nadlab.study.smoke import smoke
from nadlab.study.study import Study, plan, study_record
from studies import ablate_additions, ablate_arithmetic, ablate_terms
from studies.ablate_alpha import STUDY
from studies.ablate_t import STUDY as ABLATE_T
from studies.tune_semigan import TUNING
from tests.conftest import TOY, small
from tests.spaces.toy import error

pytestmark = pytest.mark.usefixtures("data")
DEFAULT = Settings()
ROUNDS = replace(DEFAULT, labels=20, final_k=20, per_round=10)


def varying(settings: Settings = DEFAULT, **vary: Any) -> Study:
    return replace(STUDY, settings=settings, vary=vary, benchmark=TOY)


def checked(study: Study, bfloat16: bool | None = False) -> list[str]:
    return plan_study(study, benchmark(TOY), bfloat16).said([])


INERT: list[tuple[Settings, str, Any, str]] = [
    (Settings(t=85), "rank0_share", 0.2, "t = 85.0 decides what rank 0 is"),
    (Settings(), "local_queries", 5, "all K are queried at once, as per_round is none"),
    (Settings(), "neighbours_of", 5, "all K are queried at once"),
    (Settings(), "round_epochs", 9, "all K are queried at once"),
    (Settings(predictor_adversarial=False), "temperature", 1.0, "predictor_adversarial is false"),
    (Settings(generated_labels=False), "alpha_p", 0.2, "generated_labels is false"),
    (Settings(generation_rounds=1), "candidates", 10, "NACG generates once"),
    (Settings(), "final_share", 0.5, "labels and final_k are given"),
    (Settings(), "optimism", 1.0, "a single PP has no deviation"),
    (Settings(candidates_from="pool"), "generation_temperature", 0.5, "AG generates no candidates"),
    (PREDICTOR_SEQUENTIAL, "generation_rounds", 2, "AG generates no candidates, as candidates_from is random"),
    (Settings(candidates_from="pool"), "candidates", 10, "AG generates no candidates"),
    (Settings(candidates_from="pool"), "generation_rounds", 2, "AG generates no candidates"),
    *(
        (PREDICTOR_SEMI, name, value, "AG is not trained")
        for name, value in (
            ("generator_adversarial", False),
            ("generated_labels", False),
            ("coverage", 0.1),
            ("alpha_p", 0.2),
            ("generator_depth", 2),
        )
    ),
    (PREDICTOR_POOL, "pseudo_real", 8, "neither D nor AG's likelihood takes real cells"),
    *(
        (PREDICTOR_POOL, name, value, "PP alone is trained")
        for name, value in (("t", 85.0), ("rank0_share", 0.2), ("beta_1", 0.9))
    ),
    *(
        (
            Settings(generator_adversarial=False, predictor_adversarial=False),
            name,
            value,
            "neither AG nor PP learns from D",
        )
        for name, value in (("alpha", 0.2), ("saturating", True), ("discriminator_depth", 2))
    ),
]


@pytest.mark.parametrize(("settings", "name", "value", "reason"), INERT, ids=[name for _, name, _, _ in INERT])
def test_setting_without_effect_is_refused_with_the_reason(
    settings: Settings, name: str, value: Any, reason: str
) -> None:
    default = getattr(Settings(), name)
    shown = "none" if default is None else default
    with pytest.raises(UserError, match=f"{name} changes nothing in this study: .*{reason}"):
        checked(varying(settings, **{name: (default, value)}))
    with pytest.raises(UserError, match=f"{name} = {value} changes nothing: .*{reason}.*; leave it at {shown}"):
        checked(varying(replace(settings, **{name: value}), width=(32, 64)))


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "name", "value", "reason"), INERT, ids=[name for _, name, _, _ in INERT])
def test_setting_without_effect_changes_no_query(settings: Settings, name: str, value: Any, reason: str) -> None:
    assert reason
    tiny = replace(settings, labels=20, final_k=4, epochs=1, width=8, unlabelled_per_epoch=256, generated=200)
    asked = []
    for each in (tiny, replace(tiny, **{name: value})):
        ledger = QueryLedger(benchmark(TOY), 24)
        SemiGANNAD(each)(ledger, np.random.default_rng(0))
        asked.append([query.cell for query in ledger.queries])
    assert asked[0] == asked[1]


@pytest.mark.parametrize("name", ["round_epochs", "neighbours_of", "local_queries"])
def test_setting_of_rounds_is_taken_where_there_are_rounds(name: str) -> None:
    assert checked(varying(ROUNDS, **{name: (getattr(ROUNDS, name), 3)})) == []


def test_levels_that_another_level_makes_equal_are_said() -> None:
    said = checked(varying(ROUNDS, per_round=(None, 10), local_queries=(0, 5)))
    assert said == [
        "Levels that differ only in local_queries are the same trials where all K are queried at once, as per_round is none."
    ]


@pytest.mark.parametrize("study", [ablate_additions.STUDY, ablate_terms.STUDY], ids=lambda study: study.name)
def test_study_that_leaves_out_what_others_need_runs(study: Study) -> None:
    assert checked(smoke(study)) == []


@pytest.mark.parametrize("t", [0.93, 0.5, 1, 0, -3, 100, 930])
def test_t_in_another_unit_is_refused(t: float) -> None:
    words = f"t is in percent: write {100 * t:g} for {t:g}" if 0 < t < 1 else "t is in percent, between 1 and 100"
    with pytest.raises(UserError, match=words):
        checked(varying(t=(None, t)))


def test_t_is_in_the_unit_of_the_metric() -> None:
    oracle, few = error("tests.spaces.toy:error"), Settings(labels=60, final_k=40)
    assert plan_study(varying(few, t=(None, 0.3)), oracle).said([]) == []
    with pytest.raises(UserError, match=r"t = 93 is not a valid error: it must be a number from 0 to 1"):
        plan_study(varying(few, t=(None, 93)), oracle)
    (said,) = plan_study(varying(few, t=(None, 0.01)), oracle).said([])
    assert said.startswith("t = 0.01 is not above the best known error of tests.spaces.toy:error, 0.0500")
    request = SearchRequest(queries=60, hyperparameters={"semigan-nad.t": 93})
    assert list(request.misfits(oracle, None)) == ["semigan-nad.t"]
    assert replace(request, hyperparameters={"semigan-nad.t": 0.3}).misfits(oracle, None) == {}


def test_share_in_percent_is_refused() -> None:
    with pytest.raises(UserError, match=r"it is a share, so write 0.1 for 10 %"):
        varying(rank0_share=(0.2, 10))


def test_t_that_no_cell_reaches_is_refused_where_that_is_sure() -> None:
    study, oracle = varying(t=(None, 99)), benchmark(TOY)  # searched and judged by test accuracy
    assert isinstance(oracle, TableBenchmark)
    with pytest.raises(UserError, match=r"t = 99 is not below the best known accuracy of .*; take a lower t"):
        checked(study)
    assert checked(varying(t=(None, 60))) == []
    by_validation = replace(oracle, protocol=replace(oracle.protocol, search_split="valid"))
    (said,) = plan_study(study, by_validation).said([])
    assert said.endswith("few cells have rank 0, or none.")


def test_bfloat16_is_refused_where_there_is_none() -> None:
    study = varying(precision=("float32", "bfloat16"))
    with pytest.raises(UserError, match="precision = bfloat16 needs a GPU, and there is none here: use float32"):
        checked(study)
    with pytest.raises(UserError, match="needs a GPU"):
        checked(varying(Settings(precision="bfloat16"), width=(32, 64)))
    assert checked(study, True) == checked(study, None) == []


def test_own_level_that_this_machine_cannot_have_is_left_out_and_the_others_run() -> None:
    study, oracle = ablate_arithmetic.STUDY, benchmark(TOY)
    found, said = fitted(study, oracle, False, ())
    assert found.vary == {"precision": ("float32",), "unlabelled_batch": (512, 1024)}
    assert said == [
        "A level of precision is left out: precision = bfloat16 needs a GPU, and there is none here: use float32."
    ]
    assert fitted(study, oracle, True, ()) == (study, [])
    assert fitted(study, oracle, False, ("precision",)) == (study, [])  # the user named it: it is refused


def test_smallest_effect_of_an_outcome_that_is_left_out_does_not_become_one_of_accuracy() -> None:
    asked = replace(small(), outcomes=("queries-to-best",), smallest_effect=10.0)
    assert fitted(asked, benchmark(TOY), False, ())[0].smallest_effect == 10.0
    unknown = error("own:error", optimum=None)
    found, said = fitted(asked, unknown, False, ())
    assert (found.outcomes, found.smallest_effect) == (("final",), None)
    assert said[-1] == "The smallest effect 10 is left out: it was one of queries-to-best."


def test_own_levels_that_no_cell_reaches_are_left_out() -> None:
    found, said = fitted(replace(ABLATE_T, vary={"t": (None, 85, 98, 99)}), benchmark(TOY), False, ())
    assert found.vary == {"t": (None, 85.0)}
    assert len(said) == 2


def test_levels_without_the_default_are_said_to_be_compared_with_nothing() -> None:
    study = varying(alpha=(0.1, 0.9))
    (said,) = checked(study)
    assert said.startswith("The default, alpha = 0.5, is not among the levels: each level gets its mean and interval")
    assert said.endswith("such as --baseline alpha=0.1.")
    assert checked(replace(study, baseline={"alpha": 0.9})) == []
    assert checked(varying(alpha=(0.1, 0.5))) == []
    assert checked(varying(alpha=(0.5,))) == ["Only one level is run: it is measured, but not compared."]


def records(study: Study, accuracies: list[float], status: str = "FINISHED") -> list[Record]:
    trials = plan(study, benchmark(TOY))
    return [
        Record(trial, status, {"best_reported": found, "regret": 93 - found}, [], [], 0.0, 1.0, {})  # type: ignore[arg-type]
        for trial, found in zip(trials, accuracies, strict=True)
    ]


def test_default_that_the_folder_holds_is_compared_with() -> None:
    oracle, kept = benchmark(TOY), small(vary={"alpha": (0.3, 0.5)}, seeds=(0,))
    study = replace(kept, vary={"alpha": (0.1, 0.3)})
    record = study_record(study, oracle, "id")
    assert len(cautions(study, oracle, record, [])) == 1
    assert cautions(study, oracle, record, records(kept, [90.0, 91.0])) == []


def test_space_that_changes_nothing_or_cannot_run_is_refused() -> None:
    oracle = benchmark(TOY)
    share = {"rank0_share": FloatDistribution(0.05, 0.2)}
    held = replace(TUNING, space=share, settings=Settings(t=85))
    with pytest.raises(UserError, match=r"rank0_share changes nothing: t = 85.0 decides what rank 0 is; leave it out"):
        plan_tuning(held, oracle)
    free = replace(held, space=share | {"t": CategoricalDistribution((None, 85))})
    assert plan_tuning(free, oracle).said([]) == []
    precise = replace(TUNING, space={"precision": CategoricalDistribution(("float32", "bfloat16"))})
    with pytest.raises(UserError, match="needs a GPU"):
        plan_tuning(precise, oracle, False)
    assert plan_tuning(precise, oracle, True).said([]) == []


def test_presets_have_no_setting_without_effect() -> None:
    for settings in (Settings(), replace(SEQUENTIAL, labels=40, final_k=40)):
        assert checked(varying(settings, width=(32, 64))) == []
