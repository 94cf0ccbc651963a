"""--pack: which trials share a process, and that a study of packs ends as one of single trials would."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nadlab.benchmarks.registry import benchmark
from nadlab.cluster.execution import ExecutionConfig
from nadlab.engine.request import request
from nadlab.engine.runner import run_study
from nadlab.errors import UserError
from nadlab.schedule.packing import Packing, TrialPacks, packed
from nadlab.schedule.trial_schedule import FixedSchedule
from nadlab.study.folder import read_owner
from nadlab.study.records import Record, Trial
from nadlab.tracking.tracker import Tracker
from tests.conftest import TOY, records_of, small
from tests.counting import CountingOne
from trainables.biarch2perf import BiArch2PerfTrainable
from trainables.pack import PackTrainable
from trainables.searcher import SearcherTrainable


def trials(*labels: int) -> list[Trial]:
    return [Trial("", "", seed, {"labels": value}, "") for seed, value in enumerate(labels)]


def packs(listed: list[Trial], size: int) -> TrialPacks:
    return TrialPacks(FixedSchedule(listed), Packing(size, lambda settings: settings["labels"]))


def test_trials_that_agree_share_a_process_wherever_they_stand_in_the_list() -> None:
    listed = trials(20, 40, 20, 40, 20)
    waiting = packs(listed, 2)
    assert waiting.next() == [listed[0], listed[2]]
    assert waiting.next() == [listed[1], listed[3]]
    assert waiting.next() == [listed[4]]
    assert waiting.next() == []


def test_schedule_is_over_when_no_pack_can_come_back() -> None:
    listed = trials(20, 20)
    waiting = packs(listed, 2)
    assert waiting.next() == listed
    assert not waiting.over
    waiting.failed(listed)
    assert [waiting.next(), waiting.next()] == [[listed[0]], [listed[1]]]
    assert waiting.over
    other = packs(listed, 2)
    other.next()
    other.ended()
    assert other.over


def test_trainable_that_can_not_be_packed_is_refused() -> None:
    with pytest.raises(UserError, match="leave out --pack"):
        packed(SearcherTrainable, 8)
    assert packed(SearcherTrainable, 1)[0] is SearcherTrainable
    assert packed(BiArch2PerfTrainable, 8)[0] is PackTrainable


SETTINGS = {
    "labels": 20, "final_k": 3, "epochs": 4, "width": 16, "unlabelled_per_epoch": 200, "unlabelled_batch": 100,
    "generated": 300, "candidates": 20,
}  # fmt: skip


def config(resume: Path | None = None, seeds: tuple[int, ...] = (0, 1, 2), **settings: Any) -> dict[str, Any]:
    name = f"{BiArch2PerfTrainable.__module__}:BiArch2PerfTrainable"
    settings = SETTINGS | settings
    asked = [Trial(TOY, benchmark(TOY).digest, seed, settings | {"alpha": 0.1 + 0.3 * seed}, name) for seed in seeds]
    requests = [request(trial, resume / trial.id if resume else None) for trial in asked]
    return {"trials": [each | {"epochs_per_step": 1} for each in requests]}


def ended(trainable: PackTrainable) -> dict[str, dict[str, Any]]:
    while not (result := trainable.step())["done"]:
        pass
    reports: dict[str, dict[str, Any]] = result["trials"]
    return {name: {key: value for key, value in each.items() if "seconds" not in key} for name, each in reports.items()}


@pytest.mark.usefixtures("data")
def test_each_trial_of_a_pack_spends_and_reports_its_own_budget() -> None:
    reports = ended(PackTrainable(config()))
    ledgers = [[query["key"] for query in report["ledger"]] for report in reports.values()]
    assert [len(ledger) for ledger in ledgers] == [23, 23, 23]
    assert len({tuple(ledger) for ledger in ledgers}) == 3
    assert [len(report["history"]) for report in reports.values()] == [4, 4, 4]
    assert {report["packed"] for report in reports.values()} == {3}


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("steps", [2, 4], ids=["half way", "at its end"])
def test_pack_from_a_checkpoint_ends_bit_for_bit_as_an_uninterrupted_one(tmp_path: Path, steps: int) -> None:
    first = PackTrainable(config())
    for _ in range(steps):
        first.step()
    first.save_checkpoint(str(tmp_path))
    second = PackTrainable(config(tmp_path))
    whole, resumed = ended(PackTrainable(config())), ended(second)
    assert [each["ledger"] for each in whole.values()] == [each["ledger"] for each in resumed.values()]
    assert [each["history"] for each in whole.values()] == [each["history"] for each in resumed.values()]


@pytest.mark.usefixtures("data")
def test_trials_that_stand_at_other_epochs_end_together(tmp_path: Path) -> None:
    ahead = PackTrainable(config(seeds=(0, 1)))
    for _ in range(2):
        ahead.step()
    ahead.save_checkpoint(str(tmp_path))
    mixed = config()
    for each, going_on in zip(mixed["trials"], config(tmp_path, (0, 1))["trials"], strict=False):
        each["resume"] = going_on["resume"]
    reports = ended(PackTrainable(mixed))
    assert [len(each["history"]) for each in reports.values()] == [4, 4, 4]
    assert sorted(each["packed"] for each in reports.values()) == [1, 2, 2]


@pytest.mark.usefixtures("data")
def test_pack_in_rounds_trains_each_trial_on_alone() -> None:
    reports = ended(PackTrainable(config(final_k=6, per_round=3, round_epochs=1)))
    assert [len(each["ledger"]) for each in reports.values()] == [26, 26, 26]


def poisoned(trainable: PackTrainable, place: int) -> str:
    """Take the finite numbers of one trial's discriminator away; return the trial."""
    name: str = list(trainable.runs)[place]
    with torch.no_grad():
        next(trainable.runs[name].model.networks.D.parameters()).fill_(torch.inf)
    return name


@pytest.mark.usefixtures("data")
def test_diverged_trial_leaves_its_pack_and_takes_no_other_along(tmp_path: Path) -> None:
    pack, killed = PackTrainable(config()), PackTrainable(config())
    for each in (pack, killed):
        each.step()
        name = poisoned(each, 1)
        each.step()
    killed.save_checkpoint(str(tmp_path))
    reports, resumed = ended(pack), ended(PackTrainable(config(tmp_path)))
    diverged = reports[name]
    assert diverged["diverged"] == "diverged in epoch 2: the discriminator's loss is nan; lower learning_rate"
    assert (len(diverged["history"]), len(diverged["ledger"])) == (1, 20)
    others = [report for each, report in reports.items() if each != name]
    assert [len(each["history"]) for each in others] == [4, 4]
    assert [len(each["ledger"]) for each in others] == [23, 23]
    assert [[len(way["pack"]) for way in each["trained"]] for each in others] == [[3, 2], [3, 2]]
    assert resumed == reports


def by_trial(records: list[Record]) -> dict[str, Record]:
    return {record.trial.id: record for record in records}


@pytest.mark.usefixtures("local_ray")
def test_packed_study_has_the_records_and_runs_of_a_single_one(smoke_study: Any, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    assert run_study(smoke_study.study, benchmark(TOY), ExecutionConfig(pack, pack=2)) == 0
    one, other = by_trial(records_of(smoke_study.out)), by_trial(records_of(pack))
    assert one.keys() == other.keys()
    for name, record in other.items():
        assert record.metrics["packed"] == 2
        labels = record.trial.settings["labels"]
        assert record.ledger[:labels] == one[name].ledger[:labels]
        assert len(record.ledger) == len(one[name].ledger)
        first, alone = record.history[0], one[name].history[0]
        assert first["labelled_error"] == pytest.approx(alone["labelled_error"], rel=0.1)
        assert (pack / "trials" / name / "checkpoint" / "state.json").is_file()
    assert not (pack / "tune").exists()
    owner = read_owner(pack)
    assert owner
    assert Tracker.connect(f"sqlite:///{pack / 'mlflow.db'}", owner, None).runs().children.keys() == other.keys()


@pytest.mark.usefixtures("local_ray")
def test_trial_that_fails_in_a_pack_takes_no_other_along(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = replace(small(seeds=(0, 1, 2), vary={"alpha": (0.5,)}), trainable=CountingOne)
    assert run_study(study, benchmark(TOY), ExecutionConfig(tmp_path / "out", concurrent=1, pack=3)) == 1
    status = {record.trial.seed: record.status for record in records_of(tmp_path / "out")}
    assert status == {0: "FINISHED", 1: "FAILED", 2: "FINISHED"}
    assert "seed 1 breaks" in capsys.readouterr().err
