"""The progress line."""

import pytest

from nadlab.engine.progress import Progress
from nadlab.study.records import Trial


def test_the_time_left_leaves_out_what_passed_before_the_first_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [1000.0]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    trial = Trial("toy", "0" * 64, 0, {"epochs": 20}, "module:class")
    with Progress(1, 20) as progress:
        now[0] += 100  # Ray starts
        progress.reached(trial, 1)
        now[0] += 30
        progress.reached(trial, 4)  # 3 epochs in 30 seconds: 160 seconds for the other 16
    assert "4/20 [00:30<02:40" in capsys.readouterr().err
