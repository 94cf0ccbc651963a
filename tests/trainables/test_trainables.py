"""The two trainables: resumed equals uninterrupted bit for bit, processes are reused, checkpoints are evaluated."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.semigan.checkpoint import load
from nadlab.semigan.diagnostics import diagnosis, held_out_tau
from tests.conftest import TOY
from trainables.biarch2perf import BiArch2PerfTrainable
from trainables.nacg import NACGTrainable

SETTINGS = {
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
        *("history", "ledger", "predictor_tau", "predictor_tau_top", "rank_fidelity", "rank0_lift"),
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


def test_checkpoint_is_evaluated_with_another_k_and_without_its_own_final_queries(tmp_path: Path) -> None:
    trained = BiArch2PerfTrainable(config())
    result = run(trained)
    trained.save_checkpoint(str(tmp_path))
    trial = {"checkpoint": str(tmp_path), "benchmark": TOY, "final_k": 7, "generated": 200}
    evaluated = NACGTrainable({"trial": trial}).train()
    assert evaluated["queries"] == 27
    assert evaluated["best_test"] >= max(query["test"] for query in result["ledger"][:20])


def test_checkpoint_holds_no_pickles_and_names_its_table(tmp_path: Path) -> None:
    trained = BiArch2PerfTrainable(config())
    trained.train()
    trained.save_checkpoint(str(tmp_path))
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "optimizers.safetensors", "state.json", "weights.safetensors",
    ]  # fmt: skip
    with pytest.raises(UserError, match="was trained on another nasbench201/toy table"):
        load(tmp_path, benchmark("mnist1d-201"))
    with pytest.raises(UserError, match="holds no checkpoint"):
        load(tmp_path / "empty", benchmark(TOY))
    weights = load_file(tmp_path / "weights.safetensors")
    save_file(
        {name.replace(".gin.layers", ".encoder.gin"): weight for name, weight in weights.items()},
        tmp_path / "weights.safetensors",
    )
    with pytest.raises(UserError, match="written by a version of nadlab with other networks"):
        load(tmp_path, benchmark(TOY))


def test_diagnosis_moves_no_random_number_and_asks_the_ledger_nothing() -> None:
    opened = BiArch2PerfTrainable(config()).run
    before = opened.model.random.get_state()
    found = diagnosis(opened.model, opened.ledger)
    assert torch.equal(opened.model.random.get_state(), before)
    assert len(opened.ledger.queries) == 20
    assert found.keys() >= {"predictor_tau", "predictor_tau_top", "rank_fidelity"}
    assert 0 <= found["rank_fidelity"] <= 1
    assert found["predictor_tau"] == held_out_tau(opened.model, opened.ledger)
