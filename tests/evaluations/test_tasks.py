"""Trainings as Ray tasks: in parallel, in the order of the cells, retried, then failed; no trial blocks its trainings."""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nadlab.benchmarks.oracle import Cost, Oracle
from nadlab.benchmarks.registry import benchmark
from nadlab.cli.main import nadlab
from nadlab.cluster.execution import ExecutionConfig
from nadlab.cluster.resources import check_room
from nadlab.engine.runner import run_study
from nadlab.errors import UserError
from nadlab.evaluations.config import EvaluationConfig
from nadlab.evaluations.stored import StoredEvaluations
from nadlab.methods.request import SearchRequest
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.opening import answered
from nadlab.searchers.random_search import random_search
from nadlab.study.study import Study
from tests.conftest import LocalRay, records_of
from tests.oracles import own_module
from trainables.searcher import SearcherTrainable

OWN = "greenhouse:greenhouse"
EVALUATE = """
(key,) = self.space.keys(cells).tolist()
with (PLACE / "log").open("a") as log:
    log.write(f"{key}\\n")
trouble = PLACE / str(key)
if trouble.exists():
    what = trouble.read_text()
    if what.endswith("once"):
        trouble.unlink()
    if what.startswith("raise"):
        raise MemoryError("CUDA out of memory")
    if what.startswith("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    if what.startswith("hang"):
        time.sleep(600)
    if what.startswith("nan"):
        return [Evaluation(float("nan"), None)]
    time.sleep(float(what.split()[1]))
return [Evaluation(60.0 + 5 * int((cells.operations == 3).sum()), None)]
"""
"""trains a cell in a moment; files in PLACE say which cells fail, and how"""
HARVEST = Study(
    name="harvest",
    question="?",
    expectation="none",
    trainable=SearcherTrainable,
    settings=SearchRequest(method="random-search", queries=6),
    vary={"method": ("random-search",)},
    benchmark=OWN,
    seeds=(0,),
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the benchmark's module, on the path before Ray starts."""
    found = tmp_path_factory.mktemp("greenhouse")
    pool = "self.space.unlabelled(200, np.random.default_rng(0))"
    code = own_module("greenhouse", found, EVALUATE, pool, "cost: Cost = Cost(cpus=1)")
    (found / "greenhouse.py").write_text(code)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(found))
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        yield found


@pytest.fixture
def oracle(folder: Path, local_ray: LocalRay) -> Oracle:
    """The benchmark, none of whose cells fails, with a Ray of one CPU whose workers find it."""
    if getattr(local_ray, "knows", None) != folder:  # one that other tests started does not
        local_ray.held.close()
        local_ray.cpus = 0
        local_ray.start(1)
        local_ray.knows = folder  # type: ignore[attr-defined]
    for file in folder.glob("[0-9]*"):
        file.unlink()
    (folder / "log").unlink(missing_ok=True)
    return benchmark(OWN)


def ledger_of(oracle: Oracle, place: Path, **config: object) -> QueryLedger:
    kept = StoredEvaluations.of(oracle, EvaluationConfig(store=str(place), **config))  # type: ignore[arg-type]
    return QueryLedger(answered(oracle, kept.evaluate), 40)


def trained(folder: Path) -> Counter[int]:
    return Counter(map(int, (folder / "log").read_text().split()))


def test_trouble_is_retried_then_recorded_and_the_others_keep_their_places(
    oracle: Oracle, folder: Path, tmp_path: Path
) -> None:
    cells = oracle.pool()[:8]
    keys = oracle.space.keys(cells).tolist()
    troubles = ["raise", "raise once", "kill", "kill once", "nan", "hang", "sleep 0.5"]
    for key, trouble in zip(keys, troubles, strict=False):
        (folder / str(key)).write_text(trouble)
    ledger = ledger_of(oracle, tmp_path, retries=1, timeout=3.0)
    found = ledger.query(cells)
    right = [60.0 + 5 * int((cell.operations == 3).sum()) for cell in cells]
    assert found.tolist() == [0.0, right[1], 0.0, right[3], 0.0, 0.0, right[6], right[7]]
    reasons = [query.failed for query in ledger.queries]
    assert [bool(reason) for reason in reasons] == [True, False, True, False, True, True, False, False]
    assert reasons[0] == "MemoryError: CUDA out of memory"
    assert reasons[2] == "its process was killed or crashed"
    assert "with valid = nan" in reasons[4]
    assert reasons[5] == "it took longer than 3 s"
    assert [trained(folder)[key] for key in keys] == [2, 2, 2, 2, 2, 2, 1, 1]
    assert ledger.remaining == 32
    assert ledger.best().valid == max(right[row] for row in (1, 3, 6, 7))
    again = ledger_of(oracle, tmp_path)
    assert again.query(cells).tolist() == found.tolist()
    assert again.queries == ledger.queries
    assert trained(folder).total() == 14


def test_without_retries_the_first_failure_is_final(oracle: Oracle, folder: Path, tmp_path: Path) -> None:
    cell = oracle.pool()[:1]
    (key,) = oracle.space.keys(cell).tolist()
    (folder / str(key)).write_text("raise once")
    assert ledger_of(oracle, tmp_path, retries=0).query(cell).tolist() == [0.0]


def test_another_version_on_a_node_is_one_sentence_and_nothing_is_recorded(oracle: Oracle, tmp_path: Path) -> None:
    other = replace(oracle, digest="1" * 64)  # type: ignore[type-var]
    ledger = ledger_of(other, tmp_path)
    with pytest.raises(UserError, match=r"has another version of greenhouse:greenhouse \(digest 000000000000"):
        ledger.query(oracle.pool()[:2])
    assert ledger.queries == ()


def test_gpus_of_trials_are_refused_where_the_trainings_take_them(oracle: Oracle, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="use --gpus-per-evaluation instead"):
        run_study(HARVEST, oracle, ExecutionConfig(tmp_path / "out", gpus_per_trial=1))
    assert not (tmp_path / "out").exists()


@pytest.mark.timeout(600)
def test_a_trial_that_waits_holds_nothing_its_trainings_need_and_the_report_counts_failures(
    oracle: Oracle, folder: Path, tmp_path: Path
) -> None:
    for key in oracle.space.keys(oracle.pool()[::2]).tolist():
        (folder / str(key)).write_text("raise")
    out = tmp_path / "out"
    assert run_study(HARVEST, oracle, ExecutionConfig(out, evaluation=EvaluationConfig(retries=0))) == 0
    (record,) = records_of(out)
    assert len(record.queries) == 6
    assert trained(folder) == Counter(query.key for query in record.queries)
    failed = sum(bool(query.failed) for query in record.queries)
    assert 0 < failed < 6
    assert all(query.valid == 0.0 for query in record.queries if query.failed)
    words = f"{failed} of 6 queries failed and count as the worst value: {failed} x MemoryError: CUDA out of memory."
    assert words in (out / "report.md").read_text()
    assert list((out / "evaluations").glob("greenhouse-greenhouse-*.db"))


def test_what_no_node_has_is_refused(local_ray: LocalRay) -> None:
    assert local_ray.cpus == 1
    check_room(Cost())
    with pytest.raises(UserError, match=r"no node has the 1 CPUs, 2 GPUs and 0 GiB"):
        check_room(Cost(gpus=2))


def test_searches_share_trainings_and_go_on_from_what_is_kept(
    oracle: Oracle, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [
        "search",
        "--benchmark",
        OWN,
        "--method",
        "random-search,local-search",
        "--queries",
        "8",
        "--seeds",
        "2",
        "--json",
    ]
    first, second = (
        CliRunner().invoke(nadlab, [*words, "--out", out], catch_exceptions=False).stdout.splitlines()
        for out in ("first", "second")
    )
    rows = [json.loads(line) for line in first]
    assert [(row["method"], row["seed"], row["queries"]) for row in rows] == [
        (method, seed, 8) for method in ("random-search", "local-search") for seed in (0, 1)
    ]
    assert [json.loads(line) | {"seconds": 0} for line in second] == [row | {"seconds": 0} for row in rows]
    assert set(trained(folder).values()) == {1}
    ledger = QueryLedger(answered(oracle, lambda cells: [each for cell in cells for each in oracle.evaluate(cell)]), 8)
    random_search(ledger, np.random.default_rng(1))
    assert rows[1]["best_valid"] == ledger.best().valid
    assert list((tmp_path / "runs" / "evaluations").glob("greenhouse-*.db"))
