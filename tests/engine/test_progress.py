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


@pytest.mark.parametrize("epochs", [1, 3, 7, 10, 20, 60])
def test_the_bar_of_trials_that_have_all_ended_is_full_and_no_more(
    epochs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress(3) as progress:
        for epoch in range(1, epochs + 1):
            for seed in range(3):
                progress.reached(Trial("toy", "0" * 64, seed, {"epochs": epochs}, "module:class"), epoch)
    assert "100%|██████████| 3.0/3 trials" in capsys.readouterr().err
