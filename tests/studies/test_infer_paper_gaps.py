"""The search over readings: it goes on after a stop, and writes rows and page."""

from pathlib import Path

import optuna
import pandas as pd
import pytest
from click.testing import CliRunner

from nadlab.analysis.cells.printed import PRINTED
from nadlab.semigan.settings import Settings
from studies.infer_paper_gaps import ADDITIONS, READINGS, TODAY, command, opened, settings_of

pytestmark = pytest.mark.usefixtures("data")


def infer(out: Path, *arguments: str) -> str:
    return CliRunner().invoke(command, ["--smoke", "--out", str(out), *arguments], catch_exceptions=False).stdout


def test_same_command_goes_on_and_writes_rows_and_page(tmp_path: Path) -> None:
    study = opened(tmp_path, additions=False)
    stopped = study.ask(READINGS)  # as a kill in the middle of the first configuration leaves it
    assert "readings 2:" in infer(tmp_path)
    rows = pd.read_csv(tmp_path / "readings.csv", dtype={"configuration": str})
    assert {*READINGS, *PRINTED, "distance"} <= set(rows.columns)
    assert rows[rows["fresh"]]["seed"].unique().tolist() == [100]
    first = rows[~rows["fresh"]].iloc[0]
    assert {name: first[name] for name in TODAY if name in READINGS} == {name: TODAY[name] for name in READINGS}
    assert study.trials[stopped.number].state == optuna.trial.TrialState.FAIL
    again = infer(tmp_path, "--page")
    assert again.strip() == (tmp_path / "readings.md").read_text().strip()
    assert "What no reading reproduces" in again


def test_every_level_of_a_reading_or_addition_is_one_of_the_settings() -> None:
    for name, levels in (READINGS | ADDITIONS).items():
        for level in getattr(levels, "choices", ()):
            assert getattr(settings_of(TODAY | {name: level}, Settings()), name) == level
