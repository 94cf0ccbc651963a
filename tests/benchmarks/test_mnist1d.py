"""The embedded benchmark: complete, small, made by the recipe that it names, and worth searching."""

import json

import numpy as np
import pytest

from nadlab.benchmarks.mnist1d import Recipe, train_cell
from nadlab.benchmarks.registry import EMBEDDED, benchmark
from nadlab.benchmarks.table import TableBenchmark
from nadlab.spaces import space


def test_embedded_table_holds_every_class_and_answers_for_every_string() -> None:
    oracle = benchmark("mnist1d-201")
    assert isinstance(oracle, TableBenchmark)
    rows = [line for line in EMBEDDED.read_text().splitlines() if not line.startswith("#")][1:]
    assert len(rows) == 6_466
    assert len(oracle.pool()) == oracle.space.size == 15_625
    assert EMBEDDED.stat().st_size < 3_000_000


def test_isomorphic_strings_answer_alike() -> None:
    oracle = benchmark("mnist1d-201")
    assert isinstance(oracle, TableBenchmark)
    keys = oracle.space.keys(oracle.cells)
    spread = [np.ptp(oracle.valid[keys == key]) for key in np.unique(keys)[:200]]
    assert max(spread) == 0


def test_best_cells_do_not_saturate_and_the_accuracies_spread() -> None:
    oracle = benchmark("mnist1d-201")
    assert isinstance(oracle, TableBenchmark)
    assert oracle.optimum < 98
    assert np.quantile(oracle.valid, 0.9) - np.quantile(oracle.valid, 0.5) > 3


def test_table_names_the_command_the_recipe_and_the_versions_that_made_it() -> None:
    stamp = json.loads(EMBEDDED.read_text().partition("\n")[0].removeprefix("# "))
    assert stamp["command"] == "python studies/build_mnist1d_201.py --seed 0"
    recipe = stamp["recipe"] | {"checkpoints": tuple(stamp["recipe"]["checkpoints"])}
    assert Recipe(**recipe) == Recipe()
    assert {"python", "torch", "numpy"} <= stamp["versions"].keys()


def test_a_cell_is_trained_to_the_accuracies_that_the_table_holds() -> None:
    nasbench201 = space("nasbench201")
    cell = nasbench201.parse("|nor_conv_1x1~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|")
    operations = tuple((cell.operations[0, 1:7].astype(int) - 1).tolist())
    recorded = benchmark("mnist1d-201").evaluate(cell)[0]
    trained = train_cell(operations, Recipe(), seed=0)
    assert recorded.valid is not None
    # floating point differs between processors, and ten epochs enlarge the difference
    assert trained.valid[-1] == pytest.approx(recorded.valid, abs=3)
