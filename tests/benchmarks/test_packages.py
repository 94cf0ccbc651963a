"""Benchmarks inside packages of pip: read where they lie, without their code, as what they are."""

import os
import pickle
import subprocess
import sys
from importlib.util import find_spec
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import rankdata

from nadlab.benchmarks.oracle import Oracle, facts_of
from nadlab.benchmarks.packages import analognasbench, installed, nasbenchgraph
from nadlab.benchmarks.registry import benchmark, sources
from nadlab.benchmarks.table import read_nasbench201
from nadlab.benchmarks.tabular import TableBenchmark
from nadlab.errors import UserError
from nadlab.spaces import space
from tests.conftest import real_data

GOOD = {"valid_perf": 0.8, "perf": 0.7, "latency": 0.01, "para": 1.5}


def packaged(name: str) -> TableBenchmark:
    package = name.partition("/")[0]
    if package in installed.absent():
        pytest.skip(f"{package} is not installed: pip install 'nadlab[{package}]'")
    oracle = benchmark(name)
    assert isinstance(oracle, TableBenchmark)
    return oracle


def exact_file(package: str, file: str) -> Any:
    """Return what Python's own unpickler reads, with all that it imports."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return pickle.loads((Path(spec.submodule_search_locations[0]) / file).read_bytes())  # noqa: S301


@pytest.mark.parametrize("dataset", nasbenchgraph.DATASETS)
def test_every_data_set_of_nas_bench_graph_answers_what_its_file_says_in_percent(dataset: str) -> None:
    oracle = packaged(f"nas-bench-graph/{dataset}")
    table = exact_file("nas_bench_graph", f"light/{dataset}.bench")
    assert len(oracle.pool()) == len(table) == (2_021 if dataset == "proteins" else 26_206)
    assert (oracle.search_split, oracle.report_split) == ("valid", "test")
    assert oracle.optimum == pytest.approx(100 * max(row["perf"] for row in table.values()))
    cells = oracle.pool()[np.arange(0, len(table), 97)]
    rows = [table[key] for key in oracle.space.keys(cells).tolist()]
    answers = oracle.evaluate(cells)
    assert [answer.valid for answer in answers] == pytest.approx([100 * row["valid_perf"] for row in rows])
    assert [answer.test for answer in answers] == pytest.approx([100 * row["perf"] for row in rows])
    found = oracle.rows(oracle.space.identities(cells))
    for name, its in (("latency", "latency"), ("parameters", "para")):
        assert oracle.extras[name].values[found].tolist() == [row[its] for row in rows]


def test_no_setting_is_chosen_on_nas_bench_graph() -> None:
    assert facts_of(packaged("nas-bench-graph/cora")).held_out
    assert not facts_of(packaged("analog-nasbench/baseline_accuracy")).held_out


def test_analog_nasbench_has_one_accuracy_a_metric_and_knows_the_others() -> None:
    oracle = packaged("analog-nasbench/analog_accuracy")
    assert (oracle.search_split, oracle.report_split) == ("test", "test")
    assert oracle.evaluate(oracle.pool()[:1])[0].valid is None
    assert oracle.queryable_count == 15_625
    assert oracle.optimum == pytest.approx(91.326)
    others = {"baseline_accuracy", "ptq_accuracy", "qat_accuracy", "noisy_accuracy", *analognasbench.DRIFTS}
    assert oracle.extras.keys() == others


def test_operation_numbers_and_edges_of_analog_nasbench_are_those_that_nasbench201_s_accuracies_tell() -> None:
    oracle = packaged("analog-nasbench/baseline_accuracy")
    known = read_nasbench201(real_data("nasbench201.csv"), "cifar10", "known", "test")
    one, other = (_ranks(each) for each in (known, oracle))
    choices = np.stack(np.unravel_index(np.arange(15_625), (5,) * 6), axis=1)
    places = 5 ** np.arange(6)[::-1]
    by_edges = [float(other[choices[:, order] @ places] @ one) for order in permutations(range(6))]
    by_operations = [float(other[np.array(order)[choices] @ places] @ one) for order in permutations(range(5))]
    assert by_edges[0] == by_operations[0] == pytest.approx(0.9914, abs=1e-3)  # the first permutation changes nothing
    assert max(by_edges[1:] + by_operations[1:]) < 0.98


def _ranks(oracle: Oracle) -> np.ndarray:
    """Return the ranks of the enumeration's test accuracies, (15625,), of mean 0 and length 1."""
    answers = oracle.evaluate(space("nasbench201").enumerate())
    ranks = rankdata([answer.test for answer in answers])
    ranks -= ranks.mean()
    return ranks / np.linalg.norm(ranks)


def test_packages_are_not_imported() -> None:
    names = [packaged(name).name for name in ("nas-bench-graph/proteins", "analog-nasbench/noisy_accuracy")]
    code = "import sys; from nadlab.benchmarks.registry import benchmark; "
    code += f"[benchmark(name).optimum for name in {names}]; "
    code += "print({'nas_bench_graph', 'analognasbench', 'pkg_resources'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_what_is_not_installed_is_named_with_its_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "find_spec", lambda _: None)
    assert not [name for name in sources() if name.startswith(("nas-bench-graph", "analog-nasbench"))]
    with pytest.raises(UserError, match=r"pip install 'nadlab\[nas-bench-graph\]'"):
        benchmark.__wrapped__("nas-bench-graph/cora")


class Hostile:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("true",)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({0: GOOD, 1: Hostile()}, "posix.system|nt.system"),
        ([GOOD], "not a file of nas-bench-graph"),
        ({0: {"perf": 0.7}}, "not a file of nas-bench-graph"),
        ({"a": GOOD}, "not a file of nas-bench-graph"),
        ({}, "no cells of NAS-Bench-Graph"),
        ({88_888: GOOD}, "no cells of NAS-Bench-Graph"),
        ({0: GOOD | {"perf": 70.0}}, "test performance outside of 0 to 1"),
        ({0: GOOD | {"valid_perf": float("nan")}}, "valid performance outside of 0 to 1"),
    ],
)
def test_other_graph_files_are_refused_by_name(table: object, words: str) -> None:
    with pytest.raises(UserError, match=rf"x\.bench .*({words})"):
        nasbenchgraph.read(pickle.dumps(table), Path("x.bench"))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({(0,) * 6: Hostile()}, "posix.system|nt.system"),
        ({(0,) * 6: 3.0}, "not a file of analog-nasbench"),
        ({(0,) * 5: 3.0}, "six operation numbers"),
        ({(5,) * 6: 3.0}, "six operation numbers"),
        ({}, "six operation numbers"),
    ],
)
def test_other_analog_files_are_refused_by_name(table: object, words: str) -> None:
    with pytest.raises(UserError, match=rf"x\.anb .*({words})"):
        analognasbench.read(pickle.dumps(table), Path("x.anb"))
