"""The study of the parts: it goes on after a stop, and its ladder leads from the paper to sequential."""

from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from nadlab.errors import UserError
from nadlab.methods.registry import SEARCHERS
from nadlab.semigan.method import SemiGANNAD
from nadlab.semigan.settings import SEQUENTIAL, Settings
from nadlab.study.search_file import mean_regrets
from studies import components
from studies.components import STEPS, command, ladder


def study(out: Path, *arguments: str) -> str:
    shared = ["components", "--benchmarks", "mnist1d-201", "--queries", "12", "--concurrent", "1", "--out", str(out)]
    return CliRunner().invoke(command, [*shared, *arguments], catch_exceptions=False).stdout


def test_each_step_of_the_ladder_changes_what_it_says() -> None:
    steps, made = dict(STEPS), {name: each.settings for name, each in ladder().items() if isinstance(each, SemiGANNAD)}
    for (_, before), (name, after) in pairwise(made.items()):
        differing = {key for key, value in asdict(after).items() if value != getattr(before, key)}
        assert differing, name
        assert name not in steps or differing <= set(steps[name]), name
    assert list(made.values())[-1] == SEQUENTIAL
    assert ladder()["paper"] == SEARCHERS["semigan-nad-paper"]
    assert ladder()["+ K of 40: default"] == SemiGANNAD(Settings())


def test_mean_over_benchmarks_is_of_the_seeds_that_ran_on_all_of_them() -> None:
    regrets = {("a", "one"): {0: 1.0, 1: 2.0}, ("a", "two"): {1: 4.0, 2: 9.0}}
    assert mean_regrets(regrets, "a", ["one", "two"]) == {1: 3.0}
    assert mean_regrets(regrets, "a", ["one", "three"]) == {}


def test_nothing_is_chosen_on_a_benchmark_that_is_held_out(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing is chosen on nas-bench-graph/arxiv: use mnist1d-101"):
        CliRunner().invoke(
            command,
            ["choices", "--benchmarks", "nas-bench-graph/arxiv", "--out", str(tmp_path)],
            catch_exceptions=False,
        )


def test_same_command_goes_on_and_differences_are_paired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # the cheap ones under the names of a comparison
    arms = {"random-search": SEARCHERS["random-search"], "predictor-pool": SEARCHERS["local-search"]}
    monkeypatch.setattr(components, "SETS", {"components": (arms, "predictor-pool", ["mnist1d-201"])})
    study(tmp_path, "--seeds", "2")
    path = tmp_path / "components" / "searches.csv"
    before = path.read_text()
    shown = study(tmp_path, "--seeds", "3")
    assert path.read_text().startswith(before)
    rows = pd.read_csv(path)
    assert len(rows) == 6
    regrets = rows.pivot(index="seed", columns="method", values="regret")
    (row,) = [line for line in shown.splitlines() if line.startswith("| random-search") and "p = " in line]
    assert f"{(regrets['random-search'] - regrets['predictor-pool']).mean():+.2f}" in row
    assert study(tmp_path, "--seeds", "3", "--page") == shown
    rows.assign(code="0" * 16).to_csv(path, index=False)
    with pytest.raises(UserError, match="other code of random-search, predictor-pool"):
        study(tmp_path, "--seeds", "4")


def test_each_step_of_the_ladder_is_compared_with_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arms = {name: SEARCHERS[name] for name in ("random-search", "local-search", "regularized-evolution")}
    monkeypatch.setattr(components, "SETS", {"components": (arms, None, ["mnist1d-201"])})
    shown = study(tmp_path, "--seeds", "2")
    assert "Regret minus that of the arm before" in shown
    rows = pd.read_csv(tmp_path / "components" / "searches.csv").pivot(index="seed", columns="method", values="regret")
    gaps = {line.split(" | ")[0].strip("| "): line for line in shown.splitlines() if "p = " in line}
    assert list(gaps) == ["local-search", "regularized-evolution"]
    for before, after in pairwise(arms):
        assert f"{(rows[after] - rows[before]).mean():+.2f}" in gaps[after]
    assert "minus that of random-search" in study(tmp_path, "--seeds", "2", "--reference", "random-search", "--page")
