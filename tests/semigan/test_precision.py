"""bfloat16 is a GPU's, by autocast; a CPU refuses it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.nets import accelerator
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.method import start
from nadlab.semigan.settings import SEQUENTIAL, Settings
from tests.conftest import TOY

SMALL = Settings(labels=20, final_k=5, width=16, epochs=1, unlabelled_per_epoch=64, unlabelled_batch=64)


def model(settings: Settings) -> BiArch2Perf:
    return start(QueryLedger(benchmark(TOY), settings.budget), settings, np.random.default_rng(0))


@pytest.mark.usefixtures("data")
@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU takes bfloat16")
def test_a_cpu_refuses_bfloat16_in_one_sentence() -> None:
    with pytest.raises(UserError, match="precision = bfloat16 needs a GPU") as refusal:
        model(replace(SMALL, precision="bfloat16"))
    assert "\n" not in str(refusal.value)


def test_searches_with_default_settings_ask_for_no_bfloat16() -> None:
    assert SEQUENTIAL.precision == Settings().precision == "float32"


@pytest.mark.usefixtures("data")
def test_autocast_multiplies_in_bfloat16_and_keeps_weights_and_losses_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exact, rounded = model(SMALL), model(SMALL)
    monkeypatch.setattr(accelerator, "fits", lambda *_: False)
    # what a GPU does, on the CPU, which is too slow for use
    rounded.autocast = lambda: torch.autocast("cpu", torch.bfloat16)  # type: ignore[assignment]
    one, other = exact.epoch(), rounded.epoch()
    assert one != other
    assert other.discriminator == pytest.approx(one.discriminator, rel=0.02)
    assert other.coverage == pytest.approx(one.coverage, rel=0.02)
    assert all(weight.dtype == torch.float32 for weight in rounded.networks.parameters())
