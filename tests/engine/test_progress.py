"""The progress line."""

import pytest

from nadlab.engine.progress import Progress
from nadlab.study.records import Trial


def test_the_time_left_leaves_out_what_passed_before_the_first_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [1000.0]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    trial = Trial("toy", "0" * 64, 0, {"epochs": 16}, "module:class")
    with Progress(2) as progress:
        now[0] += 100  # Ray starts
        progress.reached(trial, 1)
        now[0] += 30
        progress.reached(trial, 4)  # 3 epochs in 30 seconds: 280 seconds for the other 28
    assert "| 0.2/2 trials [00:30<04:40]" in capsys.readouterr().err
