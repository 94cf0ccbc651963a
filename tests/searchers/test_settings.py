"""Settings of every method: documented, checked, named, and carried into searches."""

import json
import math
import re
from dataclasses import is_dataclass

import pytest
from click.testing import CliRunner
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from nadlab.cli.main import nadlab
from nadlab.errors import UserError
from nadlab.methods.registry import SEARCHERS, hyperparameter
from nadlab.methods.request import SearchRequest
from nadlab.methods.tuning_space import tuning_space
from nadlab.parameters.hyperparameters import Hyperparameter, hyperparameters, with_values
from nadlab.study.levels import flat

METHODS = [name for name in SEARCHERS if name != "random-search"]
ALL = [f"{method}.{name}" for method in METHODS for name in hyperparameters(SEARCHERS[method])]


FLOATS = [
    name
    for name in ALL
    if hyperparameter(name).kind is float and not name.startswith("semigan") and "first_log_deviation" not in name
]
"""SemiGAN-NAD's settings are tested in tests/semigan; a logarithm may be any number, and NaN trains nothing"""


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_a_frozen_dataclass_whose_settings_are_documented(method: str) -> None:
    found = SEARCHERS[method]
    assert is_dataclass(found)
    assert found.__dataclass_params__.frozen
    meanings = {name: each.meaning for name, each in hyperparameters(found).items()}
    assert [name for name, meaning in meanings.items() if len(meaning) < 8] == []
    # a source, or that there is none but this project
    assert [name for name, said in meanings.items() if not re.search(";|paper|equation|published", said)] == []


@pytest.mark.parametrize("name", FLOATS)
def test_no_float_may_be_nan(name: str) -> None:
    with pytest.raises(UserError, match=r"^nan is not a level of [^\n]+: it must be a number"):
        SearchRequest(hyperparameters={name: math.nan})


@pytest.mark.parametrize("name", [name for name in ALL if hyperparameter(name).kind is int])
def test_count_below_its_least_is_one_sentence(name: str) -> None:
    with pytest.raises(UserError, match=r"^[^\n]+: \w+ must be at least \d+, not -1$"):
        SearchRequest(hyperparameters={name: -1})


@pytest.mark.parametrize("method", METHODS)
def test_declared_space_holds_the_default_and_its_ends_are_settings(method: str) -> None:
    space = tuning_space(method)
    assert space
    for name, distribution in space.items():
        assert distribution._contains(distribution.to_internal_repr(hyperparameter(name).default)), name
        if isinstance(distribution, CategoricalDistribution):
            ends = distribution.choices
        else:
            assert isinstance(distribution, FloatDistribution | IntDistribution)
            ends = (distribution.low, distribution.high)
        if name == "generator-likelihood.coverage":
            ends = ends[1:]  # without likelihood nothing would train its AG
        for value in ends:
            assert SearchRequest(method=method, hyperparameters={name: value}).value(name) == value


def test_setting_that_changes_nothing_in_a_preset_is_not_tuned() -> None:
    alone = {name.partition(".")[2] for name in tuning_space("predictor-sequential")}
    assert alone == {"labels", "epochs", "width", "predictor_depth", "learning_rate", "ensemble", "per_round",
                     "round_epochs", "neighbours_of", "local_queries"}  # fmt: skip
    assert {"alpha", "coverage", "final_share"} <= {name.partition(".")[2] for name in tuning_space("semigan-nad")}
    assert not {"labels", "per_round"} & {name.partition(".")[2] for name in tuning_space("semigan-nad")}


def test_random_search_has_no_settings_and_nothing_to_tune() -> None:
    with pytest.raises(UserError, match=r"'x' is not a setting of random-search: it has none"):
        SearchRequest(hyperparameters={"random-search.x": 1})
    with pytest.raises(UserError, match="nothing to tune"):
        tuning_space("random-search")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "bananas.ensembl",
            3,
            "'ensembl' is not a setting of bananas: did you mean bananas.ensemble\\? choose from starts, batch",
        ),
        ("bananas.ensemble", 2.5, "2.5 is not a level of bananas.ensemble: it must be a whole number"),
        ("bananas.ensemble", True, "True is not a level of bananas.ensemble: it must be a whole number"),
        (
            "bananas.longest_path",
            "long",
            "'long' is not a level of bananas.longest_path: it must be a whole number or none",
        ),
        ("bananas.second_change", 1.5, "second_change must lie between 0 and 1, not 1.5"),
        ("banana.ensemble", 3, "unknown method 'banana'"),
        ("semigan-nad.labels", 100, "set final_k"),
        ("semigan-nad.final_k", 100, "final_k must be at most 40 of 160 queries, not 100"),
    ],
)
def test_wrong_setting_is_one_sentence(name: str, value: float | str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        SearchRequest(hyperparameters={name: value})


def test_default_value_is_the_same_search_and_1_is_1_0() -> None:
    default = SearchRequest(method="bananas")
    assert SearchRequest(method="bananas", hyperparameters={"bananas.ensemble": 5.0}) == default
    assert flat(default)["bananas.ensemble"] == 5
    one, other = (SearchRequest(method="bananas", hyperparameters={"bananas.second_change": v}) for v in (1, 1.0))
    assert json.dumps(flat(one)) == json.dumps(flat(other)) != json.dumps(flat(default))


@pytest.mark.parametrize("method", [*SEARCHERS])
def test_search_comes_back_from_its_flat_settings(method: str) -> None:
    numbers = (name for name, each in hyperparameters(SEARCHERS[method]).items() if type(each.default) in (int, float))
    first = next(numbers, None)
    changes = {} if first is None else {f"{method}.{first}": _other(hyperparameter(f"{method}.{first}"))}
    request = SearchRequest(method=method, queries=30, hyperparameters=changes)
    assert SearchRequest.of(json.loads(json.dumps(flat(request)))) == request
    assert request.hyperparameters == changes
    own = hyperparameters(request.searcher)
    assert {f"{method}.{name}": own[name].default for name in own if f"{method}.{name}" in changes} == changes


def _other(each: Hyperparameter) -> float | int:
    assert isinstance(each.default, int | float)
    return each.default + 1 if type(each.default) is int else each.default / 2


def test_nested_settings_are_changed_in_place() -> None:
    arch2vec = SEARCHERS["arch2vec-bo"]
    changed = with_values(arch2vec, {"pretraining.epochs": 2, "epochs": 7})
    own = hyperparameters(changed)
    assert (own["pretraining.epochs"].default, own["epochs"].default) == (2, 7)
    assert hyperparameters(arch2vec)["pretraining.epochs"].default == 8


def nadlab_prints(*arguments: str) -> str:
    done = CliRunner().invoke(nadlab, arguments, env={"COLUMNS": "160"}, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_command_lists_every_method_with_its_settings() -> None:
    rows = [json.loads(line) for line in nadlab_prints("methods", "--json").splitlines()]
    assert [row["method"] for row in rows] == [*SEARCHERS]
    assert all(row["source"] for row in rows)
    (row,) = [json.loads(nadlab_prints("methods", "bananas", "--json"))]
    (ensemble,) = [each for each in row["settings"] if each["name"] == "ensemble"]
    assert ensemble == {
        "name": "ensemble", "type": "int", "default": 5, "tuned": "1 to 15",
        "meaning": "perceptrons trained each round; published",
    }  # fmt: skip
    assert "perceptrons trained" in nadlab_prints("methods", "bananas")


@pytest.mark.usefixtures("own_folder")
def test_search_takes_a_setting_and_refuses_one_of_another_method() -> None:
    arguments = ("search", "--method", "local-search", "--queries", "12", "--seeds", "3", "--concurrent", "1", "--json")
    few, many = (nadlab_prints(*arguments, "--set", f"local-search.starts={count}") for count in (2, 12))
    assert [json.loads(line)["regret"] for line in few.splitlines()] != [
        json.loads(line)["regret"] for line in many.splitlines()
    ]
    with pytest.raises(UserError, match=r"bananas.ensemble changes nothing: the search runs local-search"):
        nadlab_prints(*arguments, "--set", "bananas.ensemble=3")
    with pytest.raises(UserError, match=r"write METHOD.SETTING=VALUE"):
        nadlab_prints(*arguments, "--set", "starts=3")
