"""A small fault campaign; the large one is `python perf/faults/faults.py`."""

import tempfile
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nadlab.study.records import Record
from perf.faults.comparison import TIMES, Verdict, content, left_by, verdict
from perf.faults.fault_campaign import Scenario, StudyUnderFire
from perf.faults.faults import judged
from perf.faults.victim_processes import kill_driver, kill_one, nodes, workers
from perf.processes import started
from tests.conftest import TOY, records_of

pytestmark = pytest.mark.services

KILLS = 2


def test_study_that_is_killed_ends_as_an_uninterrupted_one(smoke_study: Any, tmp_path: Path) -> None:
    whole = left_by(smoke_study.out, smoke_study.store)
    study = ("studies/ablate_alpha.py", "--smoke", "--benchmark", TOY, "--concurrent", "1")
    fire = StudyUnderFire(Scenario(study, study), tmp_path, np.random.default_rng(0), pace=6.0)
    fire.server.options = ("--workers", "1")
    try:
        assert len(list(fire.kills(at_most=KILLS))) == KILLS
        assert judged(fire, whole) == Verdict(trials=4, lost=0, doubled=0, differing=0, incomplete=0)
    finally:
        fire.server.kill()


def test_study_whose_only_node_dies_ends_in_one_sentence(tmp_path: Path, data: Path) -> None:  # noqa: ARG001
    study = (
        "studies/ablate_alpha.py",
        "--smoke",
        "--benchmark",
        TOY,
        "--set",
        "epochs=1000",
        "--concurrent",
        "1",
        "--out",
        str(tmp_path / "out"),
    )
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as ray_folder:
        driver = started(study, tmp_path, {"RAY_TMPDIR": ray_folder})
        try:
            while not workers(driver):
                assert driver.poll() is None, (tmp_path / "log.txt").read_text()
                time.sleep(0.1)
            kill_one(nodes(driver), 0)
            assert driver.wait() == 2
        finally:
            kill_driver(driver)
    assert "error: every node of the Ray cluster is gone" in (tmp_path / "log.txt").read_text()


def test_verdict_counts_what_is_lost_doubled_or_different(smoke_study: Any) -> None:
    whole = left_by(smoke_study.out, smoke_study.store)
    killed = left_by(smoke_study.out, smoke_study.store)
    first, second, third, fourth = killed.on_disk
    assert verdict(killed, whole) == Verdict(trials=4, lost=0, doubled=0, differing=0, incomplete=0)
    del killed.in_mlflow[first]
    killed.runs[second] += 1
    record, _ = killed.on_disk[third]
    record["trained"][0]["pack"] = [third]
    killed.unlike.add(fourth)
    killed.noted.add(fourth)
    assert verdict(killed, whole) == Verdict(trials=4, lost=1, doubled=1, differing=1, incomplete=1)


@pytest.mark.parametrize("field", [each.name for each in fields(Record) if each.name not in ("trial", *TIMES)])
def test_record_that_differs_in_any_field_differs(smoke_study: Any, field: str) -> None:
    record = records_of(smoke_study.out)[0]
    changed: dict[str, Any] = {"metrics": {}, "history": [], "ledger": [], "provenance": {}, "trained": []}
    other = replace(record, **{field: changed.get(field, "other")})
    assert content(other) != content(replace(record, started=0.0, ended=1.0))
