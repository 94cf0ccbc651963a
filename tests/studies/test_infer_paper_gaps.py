"""The search over readings: it goes on after a stop, and writes rows and page."""

from pathlib import Path

import optuna
import pandas as pd
import pytest
from click.testing import CliRunner

from nadlab.analysis.cells.printed import PRINTED
from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.semigan.settings import Settings
from studies.infer_paper_gaps import ADDITIONS, READINGS, TODAY, command, opened, settings_of

pytestmark = pytest.mark.usefixtures("data")


def infer(out: Path, *arguments: str) -> str:
    return CliRunner().invoke(command, ["--smoke", "--out", str(out), *arguments], catch_exceptions=False).stdout


def test_same_command_goes_on_and_writes_rows_and_page(tmp_path: Path) -> None:
    out = tmp_path / "smoke"
    conditions = {"benchmark": benchmark("nasbench101").digest, "updates": 4, "epochs": 1, "draws": 500, "seeds": "0"}
    study = opened(out, False, conditions)
    stopped = study.ask(READINGS)  # as a kill in the middle of the first configuration leaves it
    assert "readings 2:" in infer(tmp_path)
    rows = pd.read_csv(out / "readings.csv", dtype={"configuration": str})
    assert {*READINGS, *PRINTED, "distance"} <= set(rows.columns)
    assert rows[rows["fresh"]]["seed"].unique().tolist() == [100]
    first = rows[~rows["fresh"]].iloc[0]
    assert {name: first[name] for name in TODAY if name in READINGS} == {name: TODAY[name] for name in READINGS}
    assert study.trials[stopped.number].state == optuna.trial.TrialState.FAIL
    again = infer(tmp_path, "--page")
    assert again.strip() == (out / "readings.md").read_text().strip()
    assert "What no reading reproduces" in again


def test_every_level_of_a_reading_or_addition_is_one_of_the_settings() -> None:
    for name, levels in (READINGS | ADDITIONS).items():
        for level in getattr(levels, "choices", ()):
            assert getattr(settings_of(TODAY | {name: level}, Settings()), name) == level


def test_readings_of_other_conditions_are_refused_and_kept(tmp_path: Path) -> None:
    study = opened(tmp_path, False, {"updates": 4, "seeds": "0,1"})
    for asked, words in (
        ({"updates": 5, "seeds": "0,1"}, "updates = 4, not 5"),
        ({"updates": 4, "seeds": "0"}, "seeds"),
    ):
        with pytest.raises(UserError, match=f"has readings with {words}"):
            opened(tmp_path, False, asked)
    with pytest.raises(UserError, match="has readings with draws = None, not 10"):
        opened(tmp_path, False, {"updates": 4, "seeds": "0,1", "draws": 10})
    assert opened(tmp_path, False, {"updates": 4, "seeds": "0,1"}).user_attrs == study.user_attrs


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no readings yet: leave out --page"):
        infer(tmp_path / "new", "--page")
    assert not (tmp_path / "new").exists()
    with pytest.raises(UserError, match="mnist1d-201 has other cells than NAS-Bench-101"):
        infer(tmp_path / "new", "--benchmark", "mnist1d-201")
    opened(tmp_path / "smoke", False, {"updates": 4})
    with pytest.raises(UserError, match="none of the readings has ended yet"):
        infer(tmp_path, "--page")
    with pytest.raises(UserError, match="has no additions yet"):
        infer(tmp_path, "--page", "--additions")
    (tmp_path / "smoke" / "optuna.db").write_text("no database " * 100)
    with pytest.raises(UserError, match=r"optuna.db is damaged \(file is not a database\)"):
        infer(tmp_path)
