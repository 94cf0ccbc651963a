"""What every benchmark must do, whichever kind: one table of them, one set of tests."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nadlab.benchmarks.archive import write_archive
from nadlab.benchmarks.container import write_container
from nadlab.benchmarks.official.nasbench101 import read_nasbench101
from nadlab.benchmarks.official.nats import read_nats
from nadlab.benchmarks.oracle import Oracle, optimum_of
from nadlab.benchmarks.packages import nasbenchgraph
from nadlab.benchmarks.registry import benchmark
from nadlab.benchmarks.surrogates.surrogate import Surrogate, SurrogateBenchmark, open_surrogate
from nadlab.benchmarks.surrogates.trees import Model, Tree, ensemble
from nadlab.benchmarks.tabular import open_benchmark
from nadlab.errors import UserError
from nadlab.queries.ledger import BudgetSpent, QueryLedger
from nadlab.spaces import Cells, space
from nadlab.spaces.cells import concatenate
from perf.benchmarks.nasbench101_file import nasbench101_records, write_records
from tests.benchmarks.official_files import nasbench201_content, size_content, write_nats, write_nats_folder


def archived_101(folder: Path) -> Path:
    cells = space("nasbench101").unlabelled(60, np.random.default_rng(0))
    write_records(folder / "x.tfrecord", nasbench101_records(cells))
    write_archive(read_nasbench101(folder / "x.tfrecord"), folder / "nasbench101.safetensors")
    return folder / "nasbench101.safetensors"


def archived_201(folder: Path) -> Path:
    write_nats(folder / "nats", nasbench201_content())
    write_archive(read_nats(folder / "nats"), folder / "nasbench201.safetensors")
    return folder / "nasbench201.safetensors"


def archived_size(folder: Path) -> Path:
    write_nats_folder(folder / "nats", size_content(tuple(range(0, 300, 5))))
    write_archive(read_nats(folder / "nats", "natssize"), folder / "natssize.safetensors")
    return folder / "natssize.safetensors"


def graph_file(folder: Path) -> Path:
    """A file as those of nas-bench-graph: 60 architectures, numbers as NumPy's."""
    rng = np.random.default_rng(0)
    keys = space("nasbenchgraph").keys(space("nasbenchgraph").unlabelled(60, rng))
    names = ("valid_perf", "perf", "latency", "para")
    table = {key: dict(zip(names, rng.random(4), strict=True)) for key in keys.tolist()}
    (folder / "cora.bench").write_bytes(pickle.dumps(table))
    return folder / "cora.bench"


def surrogate(folder: Path) -> Path:
    def column(*values: float, kind: str = "i4") -> NDArray[Any]:
        return np.array(values, kind)

    def tree(feature: int, low: float, high: float) -> Tree:
        values = column(0, low, high, kind="f8")
        split = column(2.5, 0, 0, kind="f8")
        return Tree(column(feature, 0, 0), split, values, column(1, -1, -1), column(2, -1, -1))

    members = [Model((tree(0, -1, 1), tree(13, 0, member)), 90.0) for member in range(4)]
    content = Surrogate("darts", "darts_choices", ensemble(members, 17), None, {})
    write_container(content.container(), folder / "darts.safetensors")
    return folder / "darts.safetensors"


def _embedded(name: str, _: Path, preset: str) -> Oracle:
    return benchmark(name, preset)


Opener = Callable[[Path, str], Oracle]
BENCHMARKS: dict[str, tuple[Callable[[Path], Path] | None, Opener]] = {
    **{name: (None, partial(_embedded, name)) for name in ("mnist1d-101", "mnist1d-201", "mnist1d-darts")},
    "archive of NAS-Bench-101": (archived_101, lambda path, preset: open_benchmark(path, "cifar10", "a", preset)),
    "archive of NAS-Bench-201": (archived_201, lambda path, preset: open_benchmark(path, "cifar10", "b", preset)),
    "archive of NATS-Bench, size": (archived_size, lambda path, preset: open_benchmark(path, "cifar100", "d", preset)),
    "surrogate": (surrogate, lambda path, preset: open_surrogate(path, "c", preset)),
    "file of nas-bench-graph": (graph_file, lambda path, preset: nasbenchgraph.PACKAGE.open(path, "cora", preset)),
}
NOT_BY_NASLIB = ("file of nas-bench-graph",)
CASES = [(name, "paper") for name in BENCHMARKS] + [
    (name, "naslib") for name in BENCHMARKS if name not in NOT_BY_NASLIB
]


@pytest.fixture(params=CASES, ids=" by ".join)
def reopen(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Oracle]:
    name, preset = request.param
    monkeypatch.setenv("NADLAB_CACHE", str(tmp_path / "cache"))
    make, opener = BENCHMARKS[name]
    path = make(tmp_path) if make else tmp_path
    return lambda: opener(path, preset)


@pytest.fixture
def oracle(reopen: Callable[[], Oracle]) -> Oracle:
    return reopen()


def some(oracle: Oracle) -> Cells:
    surrogate = isinstance(oracle, SurrogateBenchmark)
    pool = oracle.space.sample(200, np.random.default_rng(0)) if surrogate else oracle.pool()
    _, first = np.unique(oracle.space.keys(pool), return_index=True)
    return pool[np.sort(first)[:5]]


def test_answers_lie_between_zero_and_a_hundred_and_none_beats_the_optimum(oracle: Oracle) -> None:
    noisy = isinstance(oracle, SurrogateBenchmark) and oracle.protocol.noise
    for cell in some(oracle):
        answer = oracle.evaluate(cell)[0]
        judged = answer.valid if oracle.report_split == "valid" else answer.test
        assert judged is not None
        assert 0 <= judged <= 100
        assert judged <= (optimum_of(oracle) or 0) or noisy
        assert getattr(answer, oracle.search_split) is not None


def test_opening_again_gives_the_same_digest_and_answers(oracle: Oracle, reopen: Callable[[], Oracle]) -> None:
    again = reopen()
    assert len(oracle.digest) == 64
    assert oracle.preset == again.preset
    assert oracle.digest == again.digest
    assert [oracle.evaluate(cell) for cell in some(oracle)] == [again.evaluate(cell) for cell in some(oracle)]


def test_the_ledger_counts_and_stops_at_the_budget(oracle: Oracle) -> None:
    cells = some(oracle)
    ledger = QueryLedger(oracle, 3)
    first = ledger.query(concatenate([cells[:3], cells[:3]]))
    assert (ledger.query(cells[:3]) == first[3:]).all()
    assert ledger.remaining == 0
    with pytest.raises(BudgetSpent):
        ledger.query(cells[3:4])
    assert len(ledger.queries) == 3


def test_what_the_benchmark_lacks_cannot_be_queried(oracle: Oracle) -> None:
    cells = oracle.space.sample(3_000, np.random.default_rng(1))
    held = oracle.queryable(cells)
    if held.all():
        assert isinstance(oracle, SurrogateBenchmark) or len(oracle.pool()) == oracle.space.size
        return
    with pytest.raises(UserError, match="cannot be queried"):
        QueryLedger(oracle, 10).query(cells[np.flatnonzero(~held)[:1]])


def test_two_processes_read_one_file_at_once(tmp_path: Path) -> None:
    path = archived_101(tmp_path)
    code = "import sys; from pathlib import Path; from nadlab.benchmarks.tabular import open_benchmark; "
    code += "print(open_benchmark(Path(sys.argv[1]), 'cifar10', 'x').optimum)"
    command = [sys.executable, "-c", code, str(path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = {process.communicate()[0] for process in both}
    assert answers == {f"{open_benchmark(path, 'cifar10', 'x').optimum}\n"}
