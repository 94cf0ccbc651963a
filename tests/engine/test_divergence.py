"""Numbers that do not stay finite end a trial in one sentence, which records, report and MLflow count."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nadlab.benchmarks.registry import benchmark
from nadlab.cluster.execution import ExecutionConfig
from nadlab.engine.runner import run_study
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.divergence import Diverged, finite
from nadlab.semigan.method import SemiGANNAD, finish, start
from nadlab.semigan.settings import Settings
from nadlab.study.folder import StudyFolder, read_owner
from nadlab.tracking.store import open_client
from tests.conftest import TOY, Done, records_of, small
from trainables.biarch2perf import BiArch2PerfTrainable
from trainables.run import Run

SMALL = Settings(
    labels=20, final_k=4, epochs=2, width=16, unlabelled_per_epoch=100, unlabelled_batch=50, generated=100, candidates=10
)  # fmt: skip
pytestmark = pytest.mark.usefixtures("data")


def test_first_loss_that_is_not_finite_is_named_with_its_epoch() -> None:
    losses = {"discriminator": 1.0, "generator": 2.0, "predictor": 3.0}
    assert finite(losses, "epoch 3") == losses
    with pytest.raises(Diverged, match=r"^diverged in epoch 3: the predictor's loss is nan; lower learning_rate$"):
        finite(losses | {"predictor": float("nan"), "coverage": float("inf")}, "epoch 3")
    with pytest.raises(Diverged, match="the generator's coverage loss is -inf"):
        finite(losses | {"coverage": float("-inf")}, "epoch 3")


def test_method_ends_by_the_sentence_and_not_by_a_number() -> None:
    with pytest.raises(Diverged, match=r"diverged in epoch \d: "):
        SemiGANNAD(replace(SMALL, learning_rate=1e6))(QueryLedger(benchmark(TOY), 24), np.random.default_rng(0))


@pytest.mark.parametrize("per_round", [None, 2])
def test_weight_that_only_the_last_step_lost_is_found_before_the_design(per_round: int | None) -> None:
    ledger = QueryLedger(benchmark(TOY), SMALL.budget)
    model = start(ledger, replace(SMALL, per_round=per_round), np.random.default_rng(0))
    with torch.no_grad():
        next(model.networks.PP.parameters()).fill_(torch.nan)
    with pytest.raises(Diverged, match="diverged in epoch 2: a weight of PP is not finite"):
        finish(model, ledger)
    with pytest.raises(Diverged, match="the predictor's scores are not finite"):
        model.predict(benchmark(TOY).space.canonical(benchmark(TOY).pool()))
    assert ledger.remaining == SMALL.final_k


def test_round_that_diverges_keeps_what_was_queried_before(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = {
        "benchmark": TOY, "protocol": "paper", "seed": 0, "epochs_per_step": 2, "resume": None,
        "settings": {name: getattr(SMALL, name) for name in Settings.__dataclass_fields__} | {"per_round": 2},
    }  # fmt: skip
    running = object.__new__(BiArch2PerfTrainable)
    running.setup({"trial": trial})
    learn = running.run.model.learn_from

    def lose(*arguments: object) -> None:
        learn(*arguments)  # type: ignore[arg-type]
        running.run.model.settings = replace(running.run.model.settings, learning_rate=1e9)

    monkeypatch.setattr(running.run.model, "learn_from", lose)
    report = running.step()
    assert report["done"]
    assert "after 22 queries" in report["diverged"]
    assert (len(report["ledger"]), len(report["history"])) == (22, 2)
    json.dumps(report, allow_nan=False)


def test_predictor_without_an_order_has_no_tau(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("nadlab.semigan.diagnostics._tau", lambda *_: None)
    trial = {"benchmark": TOY, "protocol": "paper", "seed": 0, "resume": None, "watch": True}
    settings = {name: getattr(SMALL, name) for name in Settings.__dataclass_fields__}
    run = Run.opened({**trial, "settings": settings})
    report = run.trained([{"predictor": 1.0}] * 2, 0.0)
    assert "predictor_tau" not in report
    assert report["history"][-1] == {"predictor": 1.0, "predictor_tau": None}
    run.checkpoint().write(tmp_path)
    assert Run.opened({**trial, "resume": str(tmp_path)}).trained([], 1.0) == report


@pytest.mark.usefixtures("local_ray")
def test_study_counts_diverged_trials_and_does_not_run_them_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = small(vary={"learning_rate": (0.001, 1e6)}, seeds=(0, 1))
    out = tmp_path / "out"
    for _ in range(2):
        assert run_study(study, benchmark(TOY), ExecutionConfig(out)) == 1
        records = records_of(out)
        assert [each.diverged for each in records] == [each.trial.settings["learning_rate"] == 1e6 for each in records]
        ended = {each.trial.id: each.ended for each in records}
        said = capsys.readouterr().err
        assert said.count(" failed: diverged in epoch ") == 2
        assert "traceback in" not in said
    assert ended == {each.trial.id: each.ended for each in records_of(out)}
    assert not (out / "tune").exists()
    for file in out.glob("trials/*/record.json"):
        json.loads(file.read_text(), parse_constant=pytest.fail)
    sentence = "2 trials diverged and are left out of the means: learning_rate 1000000.0, seed 0, diverged in epoch "
    assert sentence in (out / "report.md").read_text()
    assert sentence in (out / "report.html").read_text()
    client = open_client(Done(study, out, 1).store)
    owner = read_owner(out)
    assert owner
    assert StudyFolder(out, owner).records()
    (experiment,) = [each.experiment_id for each in client.search_experiments() if each.name == owner.study]
    (parent,) = client.search_runs([experiment], "tags.kind = 'study'")
    assert (parent.data.metrics["trials/diverged"], parent.data.metrics["trials/finished"]) == (2, 2)
