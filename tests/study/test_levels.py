"""A level written in two ways is one level: one trial, one identity."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.parameters.values import coerced
from nadlab.semigan.settings import Settings
from nadlab.study.study import Study, plan
from nadlab.study.tuning import Tuning
from studies.ablate_alpha import STUDY
from studies.ablate_split import STUDY as SPLIT
from studies.tune_semigan import TUNING
from tests.conftest import TOY, small

TINY = Settings(labels=20, final_k=2, epochs=2)


def identities(study: Study) -> set[str]:
    return {trial.id for trial in plan(replace(study, benchmark=TOY), benchmark(TOY))}


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"temperature": (1, 0.3)}, {"temperature": (1.0, 0.3)}),
        ({"temperature": ("1", "3e-1")}, {"temperature": (np.float32(1), 0.3)}),
        ({"labels": (20.0, 40)}, {"labels": (np.int64(20), "40")}),
        ({"t": ("none", 90)}, {"t": (None, 90.0)}),
        ({"saturating": (True, False)}, {"saturating": ("true", "False")}),
        ({"saturating": (True, False)}, {"saturating": (1, 0)}),
        ({"coverage": (0, 0.3)}, {"coverage": (-0.0, 0.3)}),
    ],
)
def test_level_written_in_two_ways_is_one_trial(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert identities(small(vary=one)) == identities(small(vary=other))


@pytest.mark.usefixtures("data")
def test_setting_that_is_held_and_written_in_two_ways_is_one_trial() -> None:
    held = [small(settings=replace(small().settings, temperature=value)) for value in (1, 1.0)]
    assert identities(held[0]) == identities(held[1])


@pytest.mark.usefixtures("data")
def test_row_written_in_two_ways_is_one_trial() -> None:
    rows = replace(SPLIT, settings=TINY, vary={"labels": (20, 30), "final_k": (2, 4)}, rows=((20, 2), (30.0, 4)))
    again = replace(rows, rows=((20.0, "2"), (30, 4), (30, 4.0)))
    assert identities(rows) == identities(again)
    assert len(identities(rows)) == 2 * len(rows.seeds)


def test_published_accuracy_is_found_by_a_level_written_otherwise() -> None:
    study = replace(STUDY, vary={"temperature": (1, 0.3)}, published={TOY: {"1": 93.0}})
    assert study.published == {TOY: {"1.0": 93.0}}


def test_published_accuracy_as_a_fraction_is_refused() -> None:
    with pytest.raises(UserError, match=r"the published accuracy of 0.1, 0.94, must be in percent"):
        replace(STUDY, published={TOY: {"0.1": 0.94}})


@pytest.mark.parametrize(
    ("vary", "words"),
    [
        ({"temperature": (1, 0.3, 1.0)}, "temperature has the level 1.0 twice, written 1 and 1.0: leave one out"),
        ({"t": (None, "none")}, "t has the level none twice"),
        ({"alpha": ()}, "alpha has no levels"),
        ({"labels": (20.5,)}, "20.5 is not a level of labels: it must be a whole number"),
        ({"labels": (True,)}, "True is not a level of labels: it must be a whole number"),
        ({"t": ("high",)}, "'high' is not a level of t: it must be a number or none"),
        ({"alpha": (float("nan"),)}, "nan is not a level of alpha"),
        ({"saturating": ("yes",)}, "'yes' is not a level of saturating: it must be true or false"),
        ({"scale": (1,)}, "1 is not a level of scale: it must be a text"),
        ({"alhpa": (0.1,)}, r"'alhpa' is not a setting of Settings: did you mean alpha\? It has alpha, alpha_p, "),
    ],
)
def test_level_that_the_setting_cannot_take_is_refused(vary: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        replace(STUDY, vary=vary)


@pytest.mark.parametrize(("row", "words"), [((1,), "must have a level for each of labels, final_k"), ((1.5, 2), "1.5")])
def test_row_that_fits_no_factors_is_refused(row: tuple[Any, ...], words: str) -> None:
    with pytest.raises(UserError, match=words):
        replace(SPLIT, rows=(row,))


def tuning(space: dict[str, Any], settings: Any = TUNING.settings) -> Tuning:
    return replace(TUNING, space=space, settings=settings)


@pytest.mark.usefixtures("data")
def test_space_written_in_two_ways_gives_one_trial() -> None:
    oracle = benchmark(TOY)
    whole = tuning({"temperature": IntDistribution(1, 3)}, replace(TINY, temperature=1))
    real = tuning({"temperature": FloatDistribution(1, 3)}, replace(TINY, temperature=1.0))
    assert whole.trial({"temperature": 2}, 0, oracle).id == real.trial({"temperature": 2.0}, 0, oracle).id
    assert whole.trial({}, 0, oracle).id == real.trial({}, 0, oracle).id
    chosen = tuning({"width": CategoricalDistribution((32.0, "64"))})
    assert chosen.space["width"] == CategoricalDistribution((32, 64))


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"width": CategoricalDistribution((64, 64.0))}, "width has the level 64 twice"),
        ({"width": CategoricalDistribution((32, 96))}, "the default width = 64 is none of 32, 96"),
        ({"labels": FloatDistribution(20, 300)}, r"search it by IntDistribution\(20, 300\)"),
        ({"t": FloatDistribution(80, 95)}, "the default t = None is outside of 80.0 to 95.0"),
        ({"alhpa": FloatDistribution(0.1, 0.9)}, r"did you mean alpha\?"),
    ],
)
def test_space_that_the_setting_cannot_take_is_refused(space: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        tuning(space)


@pytest.mark.parametrize(
    ("name", "given", "found"),
    [
        ("mode", "exact", "exact"),
        ("steps", "3", "3"),
        ("steps", 3.0, 3),
        ("steps", "all", "all"),
        ("depths", (1,), (1,)),
    ],
)
def test_types_of_ones_own_settings_are_kept(name: str, given: object, found: object) -> None:
    hints = {"mode": Literal["fast", "exact"], "steps": int | str, "depths": tuple[int, ...]}
    assert coerced(hints[name], name, given) == found
    with pytest.raises(UserError, match="'slow' is not a level of mode: it must be one of fast, exact"):
        coerced(hints["mode"], "mode", "slow")
