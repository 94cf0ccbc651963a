"""The embedded benchmarks: complete, small, made by the recipes that they name, and worth searching."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numba
import numpy as np
import pytest

from nadlab.benchmarks.container import open_container
from nadlab.benchmarks.registry import EMBEDDED, benchmark
from nadlab.benchmarks.surrogates.surrogate import SurrogateBenchmark
from nadlab.benchmarks.tabular import TableBenchmark
from nadlab.errors import UserError
from nadlab.spaces import space
from studies.mnist1d import Dataset, Recipe, train_cell
from studies.mnist1d.build import RECIPES, open_results

NAMES = {"nasbench201": "mnist1d-201", "nasbench101": "mnist1d-101", "darts": "mnist1d-darts"}


def provenance(name: str) -> dict[str, str]:
    facts: dict[str, str] = open_container(EMBEDDED / f"{name}.safetensors")[0].facts["provenance"]
    return facts


@pytest.mark.parametrize("space_name", NAMES)
def test_embedded_benchmark_is_small_and_names_the_command_and_the_recipe_that_made_it(space_name: str) -> None:
    facts = provenance(NAMES[space_name])
    recipe = json.loads(facts["recipe"])
    assert (EMBEDDED / f"{NAMES[space_name]}.safetensors").stat().st_size < 3_000_000
    # the path of studies/mnist1d/build.py when it was run
    assert facts["command"] == f"python studies/build_mnist1d.py {space_name}"
    assert Recipe(**recipe | {"dataset": Dataset(**recipe["dataset"])}) == RECIPES[space_name]
    assert recipe == asdict(RECIPES[space_name])


def test_embedded_table_answers_for_every_string_alike_for_isomorphic_ones() -> None:
    oracle = benchmark("mnist1d-201")
    assert isinstance(oracle, TableBenchmark)
    cells = oracle.pool()
    assert len(cells) == oracle.space.size == 15_625
    keys = oracle.space.keys(cells)
    accuracies = np.array([answer.valid for answer in oracle.evaluate(cells)])
    assert max(np.ptp(accuracies[keys == key]) for key in np.unique(keys)[:200]) == 0


def test_best_cells_do_not_saturate_and_stand_out_from_the_noise_of_a_training() -> None:
    oracle = benchmark("mnist1d-201")
    assert isinstance(oracle, TableBenchmark)
    runs = oracle.runs["valid"].astype(np.float64)
    noise = np.sqrt(np.median(runs.var(axis=1, ddof=1)) / runs.shape[1])
    means = runs.mean(axis=1)
    assert runs.shape[1] >= 2
    assert oracle.optimum < 98
    assert np.quantile(means, 0.99) - np.quantile(means, 0.5) > 4 * noise


@pytest.mark.parametrize(("name", "least"), [("mnist1d-101", 0.5), ("mnist1d-darts", 0.4)])
def test_embedded_surrogate_states_its_trust_on_cells_that_it_never_saw(name: str, least: float) -> None:
    said = provenance(name)["held_out"]
    assert float(said.split("tau ")[1].split(" ")[0]) > least
    oracle = benchmark(name)
    assert isinstance(oracle, SurrogateBenchmark)
    sample = oracle.space.sample(500, np.random.default_rng(0))
    assert 90 < oracle.accuracies(sample).mean() < oracle.accuracies(sample).max() < oracle.optimum < 99


@pytest.mark.parametrize("space_name", NAMES)
def test_a_cell_is_trained_to_about_what_the_benchmark_says(space_name: str) -> None:
    cell = space(space_name).sample(1, np.random.default_rng(3))
    trained = train_cell(cell, RECIPES[space_name], seed=0)
    again = train_cell(cell, RECIPES[space_name], seed=0)
    answered = benchmark(NAMES[space_name]).evaluate(cell)[0]
    assert answered.valid is not None
    assert trained == again
    # the seed moves a cell, and floating point differs between processors
    assert trained.valid == pytest.approx(answered.valid, abs=6)


def test_results_of_trainings_lose_a_torn_line_alone_and_are_not_mixed_with_another_recipe_s_or_version_s(
    tmp_path: Path,
) -> None:
    path, recipe = tmp_path / "nasbench201.csv", RECIPES["nasbench201"]
    assert open_results(path, recipe) == set()
    begun = path.read_text()
    path.write_text(begun + "7,1,90.00,91.00\n8,1,9")
    assert open_results(path, recipe) == {(7, 1)}
    assert path.read_text() == begun + "7,1,90.00,91.00\n"
    with pytest.raises(UserError, match="was built by other recipe"):
        open_results(path, replace(recipe, epochs=recipe.epochs + 1))
    path.write_text(path.read_text().replace(numba.__version__, "0.1"))
    with pytest.raises(UserError, match="was built by other versions"):
        open_results(path, recipe)
