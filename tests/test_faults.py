"""A small fault campaign; the large one is `python benchmarks/faults.py`."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faults import judged
from benchmarks.fire import StudyUnderFire
from benchmarks.verdict import Verdict, left_by, verdict
from tests.conftest import TOY

KILLS = 3


def test_study_that_is_killed_ends_as_an_uninterrupted_one(smoke_study: Any, tmp_path: Path) -> None:
    whole = left_by(smoke_study.out, smoke_study.store)
    study = ("studies/ablate_alpha.py", "--smoke", "--benchmark", TOY)
    fire = StudyUnderFire(study, tmp_path, np.random.default_rng(0), pace=6.0)
    try:
        assert len(list(fire.kills(at_most=KILLS))) == KILLS
        assert judged(fire, whole) == Verdict(trials=4, lost=0, doubled=0, differing=0)
    finally:
        fire.server.kill()


def test_verdict_counts_what_is_lost_doubled_or_different(smoke_study: Any) -> None:
    whole = left_by(smoke_study.out, smoke_study.store)
    killed = left_by(smoke_study.out, smoke_study.store)
    first, second, third, _ = killed.on_disk
    del killed.in_mlflow[first]
    killed.runs[second] += 1
    killed.on_disk[third] = (*killed.on_disk[third][:2], [], {})
    assert verdict(killed, whole) == Verdict(trials=4, lost=1, doubled=1, differing=1)
