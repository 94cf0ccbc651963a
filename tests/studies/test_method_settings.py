"""Hyperparameters of methods as factors of studies and tuning studies."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from optuna.distributions import CategoricalDistribution, IntDistribution

from nadlab.benchmarks.registry import benchmark
from nadlab.cli.study import command as study_command
from nadlab.cluster.execution import ExecutionConfig
from nadlab.engine.plans import plan_tuning
from nadlab.engine.runner import run, run_study
from nadlab.errors import UserError
from nadlab.methods.request import SearchRequest
from nadlab.study.levels import changed, level_type, names
from nadlab.study.smoke import smoke
from nadlab.study.study import Study, plan
from nadlab.study.tuning import Tuning, smoke_tuning
from studies.tune_methods import command
from tests.conftest import TOY, records_of
from trainables.searcher import SearcherTrainable

OWN = """
from dataclasses import dataclass


@dataclass(frozen=True)
class Steps:
    steps: int = 2
    reverse: bool = False

    def __call__(self, ledger, rng):
        pool = ledger.oracle.pool()
        order = rng.permutation(len(pool))[:: -1 if self.reverse else 1]
        while True:
            ledger.query(pool[order[len(ledger.queries) : len(ledger.queries) + self.steps]])
"""


COMMON: dict[str, Any] = {
    "question": "?",
    "expectation": "none",
    "trainable": SearcherTrainable,
    "settings": SearchRequest(method="bananas", queries=14, hyperparameters={"bananas.epochs": 2}),
    "benchmark": TOY,
}


def quick(**changes: object) -> Study:
    study = Study(
        name="settings",
        **COMMON,
        vary={"method": ("bananas", "random-search"), "bananas.ensemble": (1, 3, 5)},
        seeds=(0, 1),
    )
    return replace(study, **changes)  # type: ignore[arg-type]


def tuned(**changes: object) -> Tuning:
    tuning = Tuning(
        name="tuned",
        **COMMON,
        space={"bananas.ensemble": IntDistribution(1, 9)},
        seeds=(0,),
        configurations=3,
        fresh=1,
    )
    return replace(tuning, **changes)  # type: ignore[arg-type]


def test_setting_of_another_method_is_inert_and_its_levels_are_one_trial(data: Path) -> None:  # noqa: ARG001
    trials = plan(quick(seeds=(0,)), benchmark(TOY))
    settings = [(trial.settings["method"], trial.settings.get("bananas.ensemble")) for trial in trials]
    assert settings == [("bananas", 1), ("bananas", 3), ("bananas", 5), ("random-search", None)]
    assert {trial.settings.get("bananas.epochs") for trial in trials} == {2, None}


def test_default_level_and_the_settings_without_it_are_one_trial(data: Path) -> None:  # noqa: ARG001
    (default,) = plan(quick(vary={"queries": (14,)}, seeds=(0,)), benchmark(TOY))
    (explicit,) = plan(quick(vary={"bananas.ensemble": (5.0,)}, seeds=(0,)), benchmark(TOY))
    assert default.id == explicit.id


def test_levels_are_named_by_what_a_trial_has(data: Path) -> None:  # noqa: ARG001
    study = quick(settings=SearchRequest(method="random-search", queries=14))
    assert study.default == {"method": "random-search", "bananas.ensemble": "-"}
    assert {trial.value("bananas.ensemble") for trial in plan(study, benchmark(TOY))} == {1, 3, 5, "-"}


@pytest.mark.parametrize(
    ("vary", "words"),
    [
        ({"bananas.ensembl": (1,)}, "'ensembl' is not a setting of bananas: did you mean bananas.ensemble"),
        ({"bananas.ensemble": (0,)}, "bananas: ensemble must be at least 1, not 0"),
        ({"ensemble": (1,)}, "unknown method|not a setting"),
    ],
)
def test_factor_or_level_that_is_none_is_refused(vary: dict[str, tuple[int, ...]], words: str) -> None:
    with pytest.raises(UserError, match=words):
        quick(vary=vary)


def test_factor_that_changes_nothing_is_refused(data: Path) -> None:  # noqa: ARG001
    with pytest.raises(UserError, match=r"nao.epochs changes nothing: no trial of study settings runs this method"):
        plan(quick(vary={"nao.epochs": (5,)}), benchmark(TOY))
    with pytest.raises(UserError, match=r"nao.epochs changes nothing: the method is bananas"):
        tuned(space={"nao.epochs": IntDistribution(5, 2000)})


def test_setting_of_a_method_that_only_a_level_names_is_that_level_s(data: Path) -> None:  # noqa: ARG001
    study = quick(vary={"method": ("bananas", "local-search")})
    study = replace(study, settings=changed(study.settings, {"local-search.starts": 3}))
    (_, searched, *_) = [trial.settings for trial in plan(study, benchmark(TOY))]
    assert (searched["method"], searched["local-search.starts"]) == ("local-search", 3)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("semigan-nad.local_queries", "= 4 changes nothing: .*as per_round is none"),
        ("nao.epochs", "changes nothing: no trial of study settings runs this method"),
    ],
)
@pytest.mark.usefixtures("data")
def test_setting_that_changes_nothing_is_refused(setting: str, words: str) -> None:
    asked = ["--set", f"{setting}=4", "--dry-run", "--benchmark", TOY]
    study = quick(vary={"method": ("random-search", "semigan-nad")})
    with pytest.raises(UserError, match=f"{setting} {words}"):
        study_command(study).main(asked, standalone_mode=False)


def test_names_and_types_of_settings_include_the_methods() -> None:
    request = SearchRequest()
    assert {"method", "queries", "bananas.ensemble", "arch2vec-bo.pretraining.epochs"} <= names(request)
    assert (level_type(request, "bananas.ensemble"), level_type(request, "queries")) == (int, int)
    assert level_type(request, "nao.dropout") is float


def test_smoke_keeps_the_method_whose_setting_is_varied(data: Path) -> None:  # noqa: ARG001
    study = smoke(quick(settings=SearchRequest(method="local-search", queries=14)))
    assert {trial.settings["method"] for trial in plan(study, benchmark(TOY))} == {"bananas", "local-search"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"space": {"bananas.ensemble": IntDistribution(6, 9)}},
            "the default bananas.ensemble = 5 is outside of 6 to 9",
        ),
        ({"space": {"method": CategoricalDistribution(("bananas",))}}, "methods are compared by a study"),
        ({"pruner": "asha"}, "needs PP's tau"),
    ],
)
def test_tuning_study_that_cannot_be_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        tuned(**changes)


def test_budget_and_smoke_of_a_tuning_study_of_a_method() -> None:
    assert tuned().spending(20).settings.budget == 20
    assert smoke_tuning(tuned()).settings.budget == 20


@pytest.mark.usefixtures("local_ray")
def test_study_and_tuning_study_over_a_methods_setting_run(tmp_path: Path) -> None:
    oracle = benchmark(TOY)
    assert run_study(quick(vary={"method": ("bananas", "random-search"), "bananas.ensemble": (1, 5)}), oracle,
                     ExecutionConfig(tmp_path / "study")) == 0  # fmt: skip
    assert (
        sorted(
            (record.trial.settings["method"], record.trial.settings.get("bananas.ensemble"))
            for record in records_of(tmp_path / "study")
        )
        == [("bananas", 1)] * 2 + [("bananas", 5)] * 2 + [("random-search", None)] * 2
    )
    assert "| random-search, - |" in (tmp_path / "study" / "report.md").read_text()
    assert run(plan_tuning(tuned(), oracle), ExecutionConfig(tmp_path / "tuning")) == 0
    found = {record.trial.settings["bananas.ensemble"] for record in records_of(tmp_path / "tuning")}
    assert 5 in found
    assert len(found) > 1
    assert "bananas.ensemble" in (tmp_path / "tuning" / "report.md").read_text()


def test_own_method_with_two_settings_is_varied_and_tuned_with_the_same_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path  # noqa: ARG001
) -> None:  # fmt: skip
    (tmp_path / "steps_of_one.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    name = "steps_of_one:Steps"
    study = quick(
        settings=SearchRequest(method=name, queries=12),
        vary={f"{name}.steps": (1, 2), f"{name}.reverse": (False, True)},
        seeds=(0,),
    )
    trials = plan(study, benchmark(TOY))
    assert len({trial.id for trial in trials}) == 4
    results = [SearcherTrainable(config={"trial": {**vars(trial)}}).step() for trial in trials]
    cells = [frozenset(query["cell"] for query in result["ledger"]) for result in results]
    assert cells[0] == cells[2] != cells[1] == cells[3]


def test_every_method_gets_the_same_tuning_budget_and_a_stop_loses_nothing(tmp_path: Path) -> None:
    arguments = ["--methods", "local-search,regularized-evolution", "--seeds", "2", "--queries", "12", "--tuned-on",
                 "mnist1d-201", "--held-out", "mnist1d-101", "--held-out-seeds", "2", "--concurrent", "1",
                 "--out", str(tmp_path)]  # fmt: skip
    CliRunner().invoke(command, [*arguments, "--configurations", "1"], catch_exceptions=False)
    before = json.loads((tmp_path / "tuned" / "local-search.json").read_text())["configurations"]
    done = CliRunner().invoke(command, [*arguments, "--configurations", "3"], catch_exceptions=False)
    after = {path.stem: json.loads(path.read_text())["configurations"] for path in (tmp_path / "tuned").iterdir()}
    assert {method: len(rows) for method, rows in after.items()} == {"local-search": 3, "regularized-evolution": 3}
    assert after["local-search"][0] == before[0]
    assert len({row["values"]["local-search.starts"] for row in after["local-search"]}) > 1
    assert before[0]["values"] == {"local-search.starts": 10}
    assert "### mnist1d-101" in done.stdout
    assert done.stdout.strip() == (tmp_path / "README.md").read_text().strip()
    rows = pd.read_csv(tmp_path / "searches.csv").groupby("method")["seed"].nunique()
    assert {"local-search, configuration 0", "regularized-evolution, configuration 0"} <= set(rows.index)
    assert set(rows) == {2}
    page = CliRunner().invoke(command, [*arguments, "--configurations", "3", "--page"], catch_exceptions=False)
    assert page.stdout == done.stdout
    dry = [*arguments, "--configurations", "4", "--dry-run"]
    assert "2 of 8 configurations would be tuned" in CliRunner().invoke(command, dry, catch_exceptions=False).stdout
    dry = [*arguments, "--configurations", "3", "--held-out-seeds", "3", "--dry-run"]
    assert f"{len(rows)} of {3 * len(rows)} searches" in CliRunner().invoke(command, dry, catch_exceptions=False).stdout
    with pytest.raises(UserError, match="3 of 4 configurations: leave out --page"):
        CliRunner().invoke(command, [*arguments, "--configurations", "4", "--page"], catch_exceptions=False)
    for also in ([], ["--dry-run"]):
        with pytest.raises(UserError, match="made with another queries"):
            CliRunner().invoke(command, [*arguments, "--queries", "13", *also], catch_exceptions=False)
    with pytest.raises(UserError, match="no setting is chosen on nas-bench-graph/cora"):
        CliRunner().invoke(command, [*arguments, "--tuned-on", "nas-bench-graph/cora"], catch_exceptions=False)
    with pytest.raises(UserError, match="none of --tuned-on"):
        CliRunner().invoke(command, [*arguments, "--held-out", "mnist1d-201"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ("local-search,banana", "unknown method 'banana': did you mean bananas"),
        ("local-search,random-search", "random-search has no setting with a declared range"),
        ("local-search,local-search", "--methods names local-search twice"),
    ],
)
def test_a_method_that_cannot_be_tuned_is_said_before_any_method_is_tuned(
    tmp_path: Path, methods: str, words: str
) -> None:
    arguments = ["--methods", methods, "--held-out", "mnist1d-101", "--tuned-on", "mnist1d-201"]
    with pytest.raises(UserError, match=words):
        CliRunner().invoke(command, [*arguments, "--out", str(tmp_path / "out")], catch_exceptions=False)
    assert not (tmp_path / "out").exists()


def test_damaged_configurations_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "tuned").mkdir()
    (tmp_path / "tuned" / "local-search.json").write_text("{")
    arguments = [
        "--methods",
        "local-search",
        "--tuned-on",
        "mnist1d-201",
        "--held-out",
        "mnist1d-101",
        "--out",
        str(tmp_path),
    ]
    with pytest.raises(UserError, match=r"local-search.json is damaged \("):
        CliRunner().invoke(command, [*arguments, "--concurrent", "1"], catch_exceptions=False)
