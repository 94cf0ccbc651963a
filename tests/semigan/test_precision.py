"""bfloat16 is asked for by a setting and done where the hardware can."""

import os
import subprocess
import sys

import pytest
import torch

from nadlab.provenance.hardware import cpu_has_bfloat16
from nadlab.semigan import precision as module
from nadlab.semigan.precision import precision

CPU = torch.device("cpu")


@pytest.mark.parametrize("there", [True, False])
def test_bfloat16_is_used_where_the_processor_has_it_and_float32_elsewhere(
    there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "cpu_has_bfloat16", lambda: there)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    module._has_bfloat16.cache_clear()
    try:
        assert precision("bfloat16", CPU) == (torch.bfloat16 if there else torch.float32)
        assert precision("float32", CPU) == torch.float32
    finally:
        module._has_bfloat16.cache_clear()


def test_a_search_in_rounds_runs_and_says_so_where_bfloat16_cannot_be_had() -> None:
    search = "from nadlab.cli.main import nadlab; nadlab()"
    asked = ["--method", "semigan-nad-sequential", "--queries", "12", "--seeds", "1", "--concurrent", "1"]
    done = subprocess.run(
        [sys.executable, "-c", search, "search", *asked],
        capture_output=True,
        text=True,
        env=os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("float32 instead") == 1


def test_the_processor_says_by_itself_whether_it_has_bfloat16() -> None:
    named = torch.cpu.get_capabilities()
    assert cpu_has_bfloat16() == bool(named.get("avx512_bf16") or named.get("amx_bf16"))
