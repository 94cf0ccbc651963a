"""One grammar of options in all studies: --vary, --set and --baseline, checked before anything runs."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from nadlab.cli.grammar import assigned, held, varied, word
from nadlab.cli.options import RUNS
from nadlab.cli.study import command
from nadlab.cli.tuning import tuning_command
from nadlab.errors import UserError
from nadlab.semigan.settings import Settings
from nadlab.study.published import TABLE_1
from studies.ablate_additions import STUDY as ADDITIONS
from studies.ablate_alpha import STUDY
from studies.ablate_labels import STUDY as LABELS
from studies.ablate_split import STUDY as SPLIT
from studies.reproduce_table1 import STUDY as TABLE
from studies.tune_semigan import TUNING
from tests.conftest import TOY


def test_levels_of_a_factor_are_replaced_and_a_further_factor_is_added() -> None:
    found = varied(STUDY, ["alpha=0.1, 0.5", "labels=60,120,"], [])
    assert found.vary == {"alpha": (0.1, 0.5), "labels": (60, 120)}
    assert len(found.combinations) == 4


def test_rows_meet_every_level_of_a_further_factor() -> None:
    assert SPLIT.rows
    found = varied(SPLIT, ["epochs=20,40"], [])
    assert len(found.combinations) == 2 * len(SPLIT.rows)
    assert {(each["labels"], each["final_k"]) for each in found.combinations} == set(SPLIT.rows)


def test_published_accuracies_stay_beside_their_own_factors_alone() -> None:
    assert len(varied(TABLE, ["queries=110"], []).published["nasbench101"]) == len(TABLE_1)


def test_factor_changed_one_at_a_time_may_be_added() -> None:
    assert len(varied(ADDITIONS, ["width=32,64"], []).combinations) == len(ADDITIONS.combinations) + 1


def test_names_may_have_dots() -> None:
    assert assigned("--set", ["bananas.ensemble=3", " a.b = x=y "]) == {"bananas.ensemble": "3", "a.b": "x=y"}
    assert word("method", "halving:Halving/2") == "method-halving-Halving-2"
    assert word("bananas.ensemble", 3) == "bananas.ensemble-3"


def test_value_that_is_the_default_names_no_folder() -> None:
    settings, words = held(Settings(), ["epochs=40", "width=32.0", "t=90"], STUDY.vary)
    assert (settings.width, settings.t, words) == (32, 90.0, ["width-32", "t-90.0"])


def said(study: click.Command, *arguments: str) -> str:
    shown = CliRunner().invoke(study, [*arguments, "--dry-run"], catch_exceptions=False)
    assert shown.exit_code == 0
    return shown.output


SMOKE = ("--smoke", "--benchmark", TOY, "--seeds", "1", "--set", "epochs=1")


@pytest.mark.usefixtures("data")
def test_folder_is_named_by_what_is_changed() -> None:
    words = said(command(STUDY), *SMOKE, "--vary", "labels=20,30", "--set", "width=8", "--baseline", "alpha=0.1")
    assert f"in {RUNS}/ablate_alpha/nasbench201-toy-smoke-by-labels-epochs-1-width-8 and" in words


@pytest.mark.usefixtures("data")
def test_tuning_study_holds_settings_by_the_same_option() -> None:
    assert "tpe-accuracy-smoke-epochs-1 and" in said(tuning_command(TUNING), *SMOKE)


@pytest.mark.parametrize("study", [command(STUDY), tuning_command(TUNING)], ids=["study", "tuning"])
def test_help_lists_the_settings_and_their_values(study: click.Command) -> None:
    shown = CliRunner().invoke(study, ["--help"]).output
    for words in ("final_k=40", "t=none", "precision=float32", "--set NAME=VALUE", "held at these values unless --set"):
        assert words in shown


def test_help_lists_factors_and_their_defaults() -> None:
    shown = CliRunner().invoke(command(LABELS), ["--help"]).output
    assert "labels=20,40,60,80,120,240  [default: 120]" in shown
    assert "--vary labels=20,40" in shown
    assert "labels=120 " not in shown


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--vary", "alhpa=0.1,0.5"], r"'alhpa' is not a setting of this study: did you mean alpha\?"),
        (["--set", "lables=60"], r"did you mean labels\? It has alpha, alpha_p, annealed, beta_1"),
        (["--set", "epochs=many"], "'many' is not a level of epochs: it must be a whole number"),
        (["--set", "epochs"], "--set epochs: write --set NAME=VALUE"),
        (["--vary", "=1"], "write --vary NAME=VALUE"),
        (["--vary", "alpha=,"], "alpha has no levels"),
        (["--vary", "alpha=0.1,1e-1"], "alpha has the level 0.1 twice, written 0.1 and 1e-1"),
        (["--vary", "alpha=0.1", "--vary", "alpha=0.2"], "--vary names alpha twice"),
        (["--set", "alpha=0.1"], "alpha is varied in this study, so it cannot be held with --set"),
        (["--vary", "t=80,90", "--set", "t=80"], "t is varied in this study"),
        (["--baseline", "alpha=0.2"], "the baseline alpha = 0.2 is none of the levels"),
        (["--baseline", "labels=60"], "'labels' is not a setting of what this study varies: It has alpha"),
    ],
)
def test_mistake_is_one_sentence_before_anything_runs(arguments: list[str], words: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UserError, match=words):
        command(STUDY).main(["--out", str(out), "--benchmark", TOY, *arguments], standalone_mode=False)
    assert not out.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"baseline": {"alpha": "0.1"}, "one_at_a_time": True}, "which is its baseline"),
        ({"baseline": {"alpha": 0.2}}, "add it with --vary"),
        ({"baseline": {"alpha": "high"}}, "'high' is not a level of alpha"),
    ],
)
def test_baseline_that_no_level_is_cannot_be_named(changes: Mapping[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        replace(STUDY, **changes)


def test_baseline_is_what_others_are_compared_with() -> None:
    study = replace(STUDY, baseline={"alpha": "1e-1"})
    assert study.reference == {"alpha": 0.1}
    assert study.default == {"alpha": 0.5}
