"""Records are whole or absent: a study that is killed before any of its writes leaves what an uninterrupted one leaves."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from nadlab.benchmarks.registry import benchmark
from nadlab.study.records import Record, StudyRecord, Trial
from tests.conftest import TOY
from tests.engine.ray_less import Engine, Killed, Writes, without_ray

SETTINGS = {
    "labels": 20, "final_k": 3, "epochs": 2, "width": 16, "unlabelled_per_epoch": 100, "unlabelled_batch": 100,
    "generated": 100, "candidates": 10,
}  # fmt: skip
TRAINABLE = "trainables.biarch2perf:BiArch2PerfTrainable"
TIMES = ("started", "ended")
"""fields of a record that are times of the day"""


@pytest.fixture
def writes(data: Path, monkeypatch: pytest.MonkeyPatch) -> Writes:  # noqa: ARG001 - the toy table
    without_ray(monkeypatch)
    return Writes(monkeypatch)


def trials(count: int, **settings: Any) -> list[Trial]:
    oracle = benchmark(TOY)
    return [Trial(TOY, oracle.digest, seed, SETTINGS | settings, TRAINABLE) for seed in range(count)]


def engine(path: Path, asked: list[Trial], writes: Writes) -> Engine:
    oracle = benchmark(TOY)
    study = StudyRecord(
        "kills", "", "", TRAINABLE, TOY, oracle.digest, "", "valid", "test", 0.0, {}, {"alpha": 0.5}, "1"
    )  # fmt: skip
    return Engine(path, study, asked, writes)


def content(record: Record) -> dict[str, Any]:
    """Return every field of a record but times of the day and the seconds spent, which are spent anew after a kill."""
    fields = {key: value for key, value in asdict(record).items() if key not in TIMES}
    return fields | {"metrics": {key: value for key, value in record.metrics.items() if key != "train_seconds"}}


def left(ran: Engine) -> dict[str, Any]:
    """Return all records on disk and whether all were delivered as they are, by trial."""
    found = {record.trial.id: record for record in ran.folder.records()}
    assert {name: record.digest for name, record in found.items()} == {
        name: record.digest for name, record in ran.delivered.items()
    }
    assert not list(ran.folder.path.glob("trials/*/progress.json"))
    assert not (ran.folder.path / "tune").exists()
    return {name: content(record) for name, record in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("pack", [1, 2])
def test_kill_before_any_write_changes_no_field_of_any_record(pack: int, tmp_path: Path, writes: Writes) -> None:
    asked = trials(3)
    whole = engine(tmp_path / "whole", asked, writes)
    whole.run(pack)
    count, expected = len(writes.names), left(whole)
    assert {"json", "replace", "unlink", "rmtree", "deliver"} == set(writes.names)
    assert len(expected) == 3
    for number in range(count):
        killed = engine(tmp_path / str(number), asked, writes)
        writes.left = number
        with pytest.raises(Killed):
            killed.run(pack)
        writes.left = None
        killed.run(pack)
        assert left(killed) == expected, (number, writes.names[number])


@pytest.mark.slow
def test_pack_that_is_continued_alone_is_recorded_as_it_was_trained(tmp_path: Path, writes: Writes) -> None:
    asked = trials(2)
    packed = engine(tmp_path / "packed", asked, writes)
    packed.run(2)
    count, expected = len(writes.names), left(packed)
    ways: set[tuple[Any, ...]] = set()
    for number in range(count):
        killed = engine(tmp_path / str(number), asked, writes)
        writes.left = number
        with pytest.raises(Killed):
            killed.run(2)
        writes.left = None
        killed.run(1)
        for name, found in left(killed).items():
            way = tuple((each["first"], each["last"], each["pack"] and len(each["pack"])) for each in found["trained"])
            ways.add(way)
            assert found["metrics"].get("packed") == (None if way == ((1, 2, None),) else 2)
            if found["trained"] == expected[name]["trained"]:
                assert found == expected[name]
            assert len(found["ledger"]) == 23
            assert len(found["history"]) == 2
    assert ways == {((1, 2, None),), ((1, 1, 2), (2, 2, None)), ((1, 2, 2),)}


def test_ended_trial_reports_again_what_it_reported(tmp_path: Path, writes: Writes) -> None:
    asked = trials(1)
    ran = engine(tmp_path / "killed", asked, writes)
    plain, *_ = asked
    whole = engine(tmp_path / "whole", asked, writes)
    whole.run(1)
    # before the record: after all notes, and the move of the last checkpoint
    last = len(writes.names) - 1 - writes.names[::-1].index("deliver")
    writes.left = next(place for place in range(last, -1, -1) if writes.names[place] == "json")
    with pytest.raises(Killed):
        ran.run(1)
    assert ran.folder.record(plain) is None
    before = ran.folder.resume_point(plain)
    assert before is not None
    seconds = json.loads((before / "state.json").read_text())["seconds"]
    writes.left = None
    ran.run(1)
    record, reference = ran.folder.record(plain), whole.folder.record(plain)
    assert record is not None
    assert reference is not None
    assert content(record) == content(reference)
    assert record.metrics["train_seconds"] == seconds


def diverging(asked: list[Trial], index: int) -> list[Trial]:
    """Let one trial lose its numbers."""
    bad = replace(asked[index], settings=asked[index].settings | {"learning_rate": 1e6})
    return [*asked[:index], bad, *asked[index + 1 :]]


def test_diverged_trial_fails_once_with_a_sentence_and_its_labels(tmp_path: Path, writes: Writes) -> None:
    asked = diverging(trials(2), 0)
    ran = engine(tmp_path, asked, writes)
    ran.run(1)
    record, other = (ran.folder.record(each) for each in asked)
    assert record is not None
    assert other is not None
    assert (record.status, record.diverged, other.status) == ("FAILED", True, "FINISHED")
    assert record.error == "diverged in epoch 2: the generator's loss is nan; lower learning_rate"
    assert len(record.ledger) == 20
    assert len(record.history) == 1
    assert record.trained[0]["last"] == 2
    ran.run(1)
    assert ran.launches == 2
    assert ran.folder.record(asked[0]) == record
