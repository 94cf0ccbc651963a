"""The trainables: resumed equals uninterrupted bit for bit, processes are reused, checkpoints are evaluated."""

import json
from collections.abc import Callable
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.stats import kendalltau

from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.checkpoint import Checkpoint, redesigned
from nadlab.semigan.diagnostics import diagnosis, search_accuracies
from nadlab.semigan.losses import EpochLosses
from nadlab.semigan.method import finish
from nadlab.semigan.settings import Settings
from tests.conftest import TOY
from trainables.biarch2perf import BiArch2PerfTrainable
from trainables.nacg import NACGTrainable

SETTINGS: dict[str, Any] = {
    "labels": 20, "final_k": 3, "epochs": 4, "width": 16, "unlabelled_per_epoch": 700, "generated": 300,
    "candidates": 20,
}  # fmt: skip


def config(seed: int = 0, resume: str | None = None, **settings: Any) -> dict[str, Any]:
    return {
        "trial": {
            "benchmark": TOY,
            "seed": seed,
            "settings": SETTINGS | settings,
            "epochs_per_step": 1,
            "resume": resume,
        }
    }


def run(trainable: BiArch2PerfTrainable) -> dict[str, Any]:
    while True:
        result: dict[str, Any] = trainable.train()
        if result["done"]:
            return result


def results(result: dict[str, Any]) -> dict[str, Any]:
    kept = (
        *(
            "history",
            "ledger",
            "predictor_tau",
            "predictor_tau_top",
            "predictor_calibration",
            "rank_fidelity",
            "rank0_lift",
        ),
        *("share_valid", "share_unique", "candidates", "best_test", "regret"),
    )
    return {key: result[key] for key in kept}


def weights(trainable: BiArch2PerfTrainable) -> list[torch.Tensor]:
    return [
        value for _, network in trainable.run.model.networks.named_children() for value in network.state_dict().values()
    ]


@pytest.fixture(autouse=True)
def table(data: Path) -> Path:
    return data


def test_resumed_trial_ends_bit_for_bit_as_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = BiArch2PerfTrainable(config())
    first = BiArch2PerfTrainable(config())
    for _ in range(2):
        first.train()
    first.save_checkpoint(str(tmp_path))
    second = BiArch2PerfTrainable(config(resume=str(tmp_path)))
    assert results(run(whole)) == results(run(second))
    assert all(map(torch.equal, weights(whole), weights(second)))


def test_reused_process_gives_what_a_new_one_gives() -> None:
    reused = BiArch2PerfTrainable(config(seed=1))
    run(reused)
    assert reused.reset(config(seed=2))
    assert results(run(reused)) == results(run(BiArch2PerfTrainable(config(seed=2))))


def test_trial_makes_exactly_as_many_queries_as_its_budget() -> None:
    result = run(BiArch2PerfTrainable(config()))
    assert result["queries"] == 23
    assert len(result["ledger"]) == 23
    assert result["best_test"] == max(query["test"] for query in result["ledger"])


DESIGNS: list[dict[str, Any]] = [
    {},
    {"final_k": 7},
    {"generated": 100, "candidates_from": "both"},
    {"final_k": 9, "per_round": 4},
]


def test_trials_that_differ_in_the_design_alone_share_a_training_and_end_as_those_that_train(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apart = [results(run(BiArch2PerfTrainable(config(**design)))) for design in DESIGNS]
    models: list[BiArch2Perf] = []
    train = BiArch2Perf.epoch

    def counted(model: BiArch2Perf) -> EpochLosses:
        models.append(model)
        return train(model)

    monkeypatch.setattr(BiArch2Perf, "epoch", counted)
    trainable = NACGTrainable(config())
    together = [results(trainable.train())]
    for design in DESIGNS[1:3]:
        assert trainable.reset(config(**design))
        together.append(results(trainable.train()))
    assert len(models) == SETTINGS["epochs"]
    assert trainable.reset(config(**DESIGNS[3]))
    together.append(results(trainable.train()))
    assert len(models) > SETTINGS["epochs"]  # its rounds train
    assert trainable.reset(config())
    assert [*together, results(trainable.train())] == [*apart, apart[0]]
    assert trainable.reset(config(seed=1))
    assert results(trainable.train()) == results(run(BiArch2PerfTrainable(config(seed=1))))


def test_shared_trial_that_ended_reports_again_from_its_checkpoint(
    tmp_path: Path,
) -> None:
    trainable = NACGTrainable(config(final_k=5))
    ended = trainable.train()
    trainable.save_checkpoint(str(tmp_path))
    again = NACGTrainable(config(resume=str(tmp_path), final_k=5))
    assert results(again.train()) == results(ended)
    redesign = redesigned(tmp_path, benchmark(TOY)).queries
    assert [asdict(query) for query in redesign] == ended["ledger"]


def test_checkpoint_of_an_ended_trial_is_evaluated_with_another_k_and_without_its_own_final_queries(
    tmp_path: Path,
) -> None:
    trained = BiArch2PerfTrainable(config())
    result = run(trained)
    trained.save_checkpoint(str(tmp_path))
    model, ledger, state = Checkpoint.read(tmp_path).opened(benchmark(TOY), Settings(**SETTINGS | {"final_k": 7}))
    assert state.report is None  # it goes on as one that has not ended
    finish(model, ledger)
    evaluated = ledger.outcome()
    assert evaluated["queries"] == 27
    assert evaluated["best_test"] >= max(query["test"] for query in result["ledger"][:20])
    assert [asdict(query) for query in ledger.queries] == run(BiArch2PerfTrainable(config(final_k=7)))["ledger"]


def test_checkpoint_is_asked_for_nothing_that_its_training_cannot_answer(
    tmp_path: Path,
) -> None:
    trainable = NACGTrainable(config(final_k=4, per_round=2))
    trainable.train()
    trainable.save_checkpoint(str(tmp_path))
    with pytest.raises(UserError, match="was trained with another alpha"):
        Checkpoint.read(tmp_path).opened(benchmark(TOY), Settings(**SETTINGS, alpha=0.9))
    with pytest.raises(UserError, match="has learnt from its final queries"):
        Checkpoint.read(tmp_path).opened(benchmark(TOY), Settings(**SETTINGS))


def test_checkpoint_holds_no_pickles_and_names_its_table(tmp_path: Path) -> None:
    trained = BiArch2PerfTrainable(config())
    trained.train()
    trained.save_checkpoint(str(tmp_path))
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "optimizers.safetensors", "state.json", "weights.safetensors",
    ]  # fmt: skip
    with pytest.raises(UserError, match="was trained on another nasbench201/toy table"):
        Checkpoint.read(tmp_path).opened(benchmark("mnist1d-201"))
    with pytest.raises(UserError, match="holds no checkpoint"):
        Checkpoint.read(tmp_path / "empty").opened(benchmark(TOY))
    weights = load_file(tmp_path / "weights.safetensors")
    save_file(
        {name.replace(".gin.layers", ".encoder.gin"): weight for name, weight in weights.items()},
        tmp_path / "weights.safetensors",
    )
    with pytest.raises(UserError, match="written by a version of nadlab with other networks"):
        Checkpoint.read(tmp_path).opened(benchmark(TOY))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def of_a_newer_version(file: Path) -> None:
    state = json.loads(file.read_text())
    state["settings"]["warmth"] = 1
    file.write_text(json.dumps(state))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("state.json", of_a_newer_version),
        *product(("state.json", "weights.safetensors", "optimizers.safetensors"), (cut, Path.unlink)),
    ],
)  # fmt: skip
def test_damaged_checkpoint_is_one_sentence_that_names_the_file(
    tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    trained = BiArch2PerfTrainable(config())
    trained.save_checkpoint(str(tmp_path))
    damage(tmp_path / name)
    with pytest.raises(UserError, match=rf"^[^\n]*{name}[^\n]*$"):
        Checkpoint.read(tmp_path)


def test_checkpoint_of_another_width_is_one_sentence(tmp_path: Path) -> None:
    BiArch2PerfTrainable(config()).save_checkpoint(str(tmp_path))
    kept = load_file(tmp_path / "weights.safetensors")
    save_file({name: torch.zeros(*value.shape, 2) for name, value in kept.items()}, tmp_path / "weights.safetensors")
    with pytest.raises(UserError, match="other networks"):
        Checkpoint.read(tmp_path).opened(benchmark(TOY))


def test_diagnosis_moves_no_random_number_and_asks_the_ledger_nothing() -> None:
    opened = BiArch2PerfTrainable(config()).run
    before = opened.model.random.get_state()
    found = diagnosis(opened.model, opened.ledger)
    assert torch.equal(opened.model.random.get_state(), before)
    assert len(opened.ledger.queries) == 20
    assert found.keys() >= {"predictor_tau", "predictor_tau_top", "predictor_calibration", "rank_fidelity"}
    assert 0 <= found["predictor_calibration"] <= 1
    assert 0 <= found["rank_fidelity"] <= 1
    oracle, pool = opened.ledger.oracle, opened.ledger.oracle.pool()
    others = pool[~opened.ledger.known(pool)]
    predicted = opened.model.predict(oracle.space.canonical(others))
    assert found["predictor_tau"] == pytest.approx(kendalltau(predicted, search_accuracies(oracle, others)).statistic)
