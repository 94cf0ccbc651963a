"""The study of short trainings: equal seconds, pairs of methods, and what a stop leaves."""

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from nadlab.errors import UserError
from studies.compare_fidelities import command

TOY = ["--benchmarks", "nasbench101", "--methods", "random-search,hyperband", "--hours", "5", "--concurrent", "1"]


def test_pairs_are_compared_at_equal_seconds_and_the_same_command_goes_on(data: Path, tmp_path: Path) -> None:  # noqa: ARG001
    def page(*arguments: str) -> str:
        return CliRunner().invoke(command, [*TOY, "--out", str(tmp_path), *arguments], catch_exceptions=False).stdout

    page("--seeds", "2")
    before = (tmp_path / "searches.csv").read_text()
    shown = page("--seeds", "3")
    assert (tmp_path / "searches.csv").read_text().startswith(before)
    rows = pd.read_csv(tmp_path / "searches.csv")
    assert len(rows) == 6
    assert all(float(text.split()[-1].split(":")[0]) <= 5 for text in rows["curve"])
    assert "Of 1 comparisons short trainings help significantly in 0 and hurt in 0." in shown
    assert "| hyperband - random-search |" in shown
    assert (tmp_path / "anytime.png").exists()
    with pytest.raises(UserError, match="mnist1d-201 has only full trainings"):
        page("--benchmarks", "mnist1d-201")
