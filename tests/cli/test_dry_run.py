"""A dry run says what a study would do and how long it would take, and writes nothing."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nadlab.benchmarks.registry import benchmark
from nadlab.cli.study import command
from nadlab.engine.forecast import Forecast, Timing, calibrated
from nadlab.errors import UserError
from nadlab.study.checkpoints import fingerprints
from studies.ablate_alpha import STUDY
from tests.conftest import TOY
from trainables.biarch2perf import BiArch2PerfTrainable

SMOKE = ["--smoke", "--benchmark", TOY]


def said(*arguments: str) -> str:
    """Return what ablate_alpha's dry run prints."""
    shown = CliRunner().invoke(command(STUDY), [*SMOKE, *arguments, "--dry-run"], catch_exceptions=False)
    assert shown.exit_code == 0
    return shown.output


def test_minutes_count_rounds_of_trials_at_once_and_hours_count_trials() -> None:
    forecast = Forecast(remaining=6, at_once=4, gpus=0.25, timing=Timing(60.0, 30.0, "a stopwatch"))
    assert forecast.minutes == 2.5
    assert forecast.hours == pytest.approx(0.1)
    said = [
        "About 2.5 minutes with 4 in parallel, and a quarter of a minute for Ray's start and the report: 6 minutes of CPU time, "
        "0.025 GPU-hours.",
        "A trial takes about 60 s: a stopwatch.",
        "It ran alone: trials side by side take longer.",
    ]
    assert forecast.sentences(pack=1) == said
    assert replace(forecast, at_once=1).sentences(pack=1)[2:] == []
    assert forecast.sentences(pack=8) == [
        *said,
        "Trials that share a process are counted as if they ran one after the other.",
    ]


def test_new_study_is_timed_by_a_part_of_a_trial_and_nothing_is_written(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ray.tune.trainable.trainable.DEFAULT_STORAGE_PATH", str(tmp_path / "ray_results"))
    before = fingerprints(data)
    words = said("--set", "epochs=50", "--out", str(tmp_path / "out"))
    assert f"ablate_alpha on {TOY}: 4 trials, 2 levels x 2 seeds; 0 of them are done" in words
    assert "3 of its 50 epochs were run in this process just now, at the default level with seed 0" in words
    assert "no GPU" in words
    assert not list(tmp_path.iterdir())
    assert fingerprints(data) == before


def test_finished_trials_are_skipped_and_time_the_missing_ones(smoke_study: Any) -> None:
    before = fingerprints(smoke_study.out)
    assert "4 of them are done" in (words := said("--out", str(smoke_study.out)))
    assert "Nothing is left to run." in words
    words = said("--seeds", "3", "--out", str(smoke_study.out))
    assert "6 trials, 2 levels x 3 seeds; 4 of them are done" in words
    assert "the mean of the 4 finished trials in the folder" in words
    assert fingerprints(smoke_study.out) == before


class OneStep(BiArch2PerfTrainable):
    """A trainable whose one step sleeps: 50 ms, and 100 more for each epoch."""

    def step(self) -> dict[str, Any]:
        time.sleep(0.05 + 0.1 * self.run.epochs_left)
        return {"done": True}


def test_trainable_that_trains_in_one_step_is_timed_by_its_epochs_too(data: Path) -> None:  # noqa: ARG001
    study = replace(STUDY, trainable=OneStep, settings=replace(STUDY.settings, epochs=50, width=16))
    timing = calibrated(study, benchmark(TOY))
    assert timing.trial == pytest.approx(5.05, rel=0.3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--vary", "final_k=1,1e6"], "reduce them by --vary final_k=N"),
        (["--set", "labels=299"], "more than the 300 distinct cells"),
        (["--gpus-per-trial", "0.5"], "there are 0 GPUs"),
        (["--retries", "3"], "--retries is for benchmarks that train"),
        (["--address", "127.0.0.1:1"], "no Ray cluster answers"),
        (["--tracking-uri", "http://127.0.0.1:1"], "127.0.0.1:1"),
    ],
)
def test_request_that_would_be_refused_is_refused(data: Path, arguments: list[str], words: str) -> None:  # noqa: ARG001
    asked = [*SMOKE, "--set", "epochs=1", "--dry-run", *arguments]
    with pytest.raises(UserError, match=words):
        command(STUDY).main(asked, standalone_mode=False)
