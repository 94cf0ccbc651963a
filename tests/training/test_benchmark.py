"""A query of `train:SOURCE` trains; the name says how, and what is wrong with it is named."""

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from nadlab.benchmarks.oracle import facts_of
from nadlab.benchmarks.registry import benchmark
from nadlab.benchmarks.training.benchmark import TrainingBenchmark
from nadlab.benchmarks.training.recipe import Recipe, TrainingDiverged, augmented, train
from nadlab.errors import UserError
from nadlab.plugins import is_plugin
from nadlab.queries.goals import Goals
from nadlab.queries.ledger import QueryLedger

QUICK = "train:digits@channels=4@epochs=2"


def opened(name: str = QUICK, protocol: str = "paper") -> TrainingBenchmark:
    found = benchmark(name, protocol)
    assert isinstance(found, TrainingBenchmark)
    return found


@pytest.mark.parametrize("settings", ["channels=4", "space=nasbench101@channels=5", "space=darts@batch=64"])
def test_a_query_trains_a_network_that_learns(settings: str) -> None:
    oracle = opened(f"train:digits@epochs=3@{settings}")
    cell = oracle.space.unlabelled(3, np.random.default_rng(1))[2:]
    (answer,) = oracle.evaluate(cell)
    assert answer.valid is not None
    assert answer.test is not None
    assert min(answer.valid, answer.test) > 40  # ten classes: chance is 10
    assert set(answer.extras) == {each.name for each in oracle.quantities}
    assert min(answer.extras.values()) > 0


def test_answers_repeat_and_isomorphic_cells_have_one() -> None:
    oracle = opened()
    parse = oracle.space.parse
    cells = [
        parse("|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"),
        parse("|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"),
    ]
    assert oracle.space.keys(cells[0]) == oracle.space.keys(cells[1])
    answers = [oracle.evaluate(cell)[0] for cell in (*cells, cells[0])]
    assert len({(each.valid, each.test, each.extras["params"], each.extras["flops"]) for each in answers}) == 1


def test_the_ledger_counts_trainings_and_their_quantities_are_objectives() -> None:
    oracle = opened(protocol="validation")
    ledger = QueryLedger(oracle, 2, Goals.of("accuracy,params", "flops=1000"))
    ledger.query(oracle.space.unlabelled(2, np.random.default_rng(0)))
    assert ledger.objectives.shape == (2, 2)
    outcome = ledger.outcome()
    assert (oracle.search_split, oracle.report_split, outcome.get("feasible")) == ("valid", "test", 2)


def test_a_training_that_diverges_raises_and_names_the_epoch() -> None:
    oracle = opened("train:digits@learning_rate=1e30@epochs=2")
    cell = oracle.space.unlabelled(1, np.random.default_rng(0))
    with pytest.raises(TrainingDiverged, match="in epoch 1 of 2"):
        oracle.evaluate(cell)
    with pytest.raises(RuntimeError, match=r"TrainingDiverged.*in epoch 1 of 2"):
        QueryLedger(oracle, 1).query(cell)


def test_the_digest_follows_what_decides_an_answer() -> None:
    names = ["", "@epochs=7", "@channels=5", "@space=darts", "@seed=1"]
    assert len({benchmark(f"train:digits{name}").digest for name in names}) == len(names)
    assert benchmark("train:digits@space=nasbench201").digest == benchmark("train:digits").digest


def test_a_benchmark_that_trains_can_be_sent_to_another_process() -> None:
    oracle = opened()
    again = pickle.loads(pickle.dumps(oracle))  # noqa: S301 - made here
    assert (again.name, again.digest, again.cost.cpus) == (oracle.name, oracle.digest, 1)
    assert len(pickle.dumps(oracle)) < 10_000
    assert not is_plugin("train:digits")
    assert facts_of(oracle).answers == "trained"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("train:digits@epoch=3", "did you mean epochs"),
        ("train:digits@epochs", "SETTING=VALUE"),
        ("train:digits@epochs=0", "epochs must be positive"),
        ("train:digits@epochs=x", "a whole number"),
        ("train:digits@space=natssize", "no networks for the space"),
        ("train:digits@space=nasbench101@channels=4", "channels must be at least 5"),
        ("train:digits@stages=5", "cannot be halved 4 times"),
        ("train:absent", "whole path"),
    ],
)
def test_what_is_wrong_with_a_name_is_said(name: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        benchmark(name)


def test_protocols_without_a_meaning_and_batches_too_large_are_refused() -> None:
    with pytest.raises(UserError, match="naslib"):
        benchmark("train:digits", "naslib")
    with pytest.raises(UserError, match="batch must be at most the 1151 training images, not 5000: set @batch="):
        benchmark("train:digits@batch=5000")
    oracle = opened()
    network = oracle.network(oracle.space.unlabelled(1, np.random.default_rng(0)))
    with pytest.raises(UserError, match="1151 training images"):
        train(network, oracle.data, Recipe(batch=5000))


def test_augmentation_moves_and_mirrors_each_image() -> None:
    image = torch.arange(1.0, 65).view(1, 1, 8, 8)
    found = augmented(image.expand(200, 1, 8, 8), torch.Generator().manual_seed(0))
    kinds = torch.unique(found.flatten(1), dim=0)
    assert len(kinds) == 18  # three places in each direction, mirrored or not
    assert (found == image).all(dim=(1, 2, 3)).any()
    assert (found == image.flip(3)).all(dim=(1, 2, 3)).any()


def test_losses_fall_and_weights_depend_on_the_seed() -> None:
    oracle = opened()
    cell = oracle.space.parse("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|")

    def losses(**changes: Any) -> tuple[float, ...]:
        changed = replace(oracle, recipe=replace(oracle.recipe, **changes))
        return train(changed.network(cell), changed.data, changed.recipe).losses

    first = losses()
    assert first[1] < first[0] < np.log(10)
    assert losses() == first
    assert losses(seed=1) != first


def test_the_published_recipe_is_the_default() -> None:
    assert Recipe() == Recipe(
        epochs=200, batch=256, learning_rate=0.1, momentum=0.9, weight_decay=5e-4, augment=True, compile=False, seed=0
    )
