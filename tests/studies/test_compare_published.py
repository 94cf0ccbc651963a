"""Published numbers beside ours: what is run again, when the two agree, and what is said where a file is missing."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nadlab.benchmarks.oracle import optimum_of
from nadlab.benchmarks.registry import benchmark
from studies import compare_published
from studies.compare_published import Published, command, verdict

NAME = "mnist1d-201"


def test_published_number_among_our_seeds_agrees_and_others_say_which_is_better() -> None:
    oracle, ours = benchmark(NAME), np.array([70.0, 71.0, 72.0])
    optimum = optimum_of(oracle)
    assert optimum is not None
    for accuracy, answer, reason in (
        (71.5, "yes", ""),
        (72.004, "yes", ""),
        (69.0, "no", "ours is better"),
        (72.5, "no", "ours is worse"),
        (optimum + 0.1, "no", "another protocol"),
    ):
        agree, why = verdict(Published(NAME, "random-search", 12, accuracy), ours, oracle)
        assert agree == answer
        assert reason in why


def test_same_command_goes_on_with_cheap_methods_first_and_says_which_file_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = "nasbench301-v1.0"
    numbers = [Published(NAME, method, 12, 60.0) for method in ("regularized-evolution", "random-search")]
    monkeypatch.setattr(compare_published, "PUBLISHED", (*numbers, Published(missing, "random-search", 12, 94.0)))
    monkeypatch.setattr(compare_published, "BENCHMARKS", (NAME, missing))
    arguments = ["--methods", "random-search,regularized-evolution", "--concurrent", "1", "--out", str(tmp_path)]
    arguments += ["--benchmarks", f"{NAME},{missing}"]
    for seeds in ("2", "3"):
        found = CliRunner().invoke(command, [*arguments, "--seeds", seeds], catch_exceptions=False)
        rows = [line.split(",") for line in (tmp_path / "searches.csv").read_text().splitlines()[1:]]
        assert len(rows) == 2 * int(seeds)
    assert [row[3] for row in rows[:2]] == ["random-search"] * 2
    assert "| random-search | 12 | 60.00 |" in found.stdout
    assert f"not on this machine: run `nadlab benchmarks fetch {missing}`" in found.stdout
