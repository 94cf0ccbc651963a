"""A study under another protocol: other trials, another folder, another report, and reproduced as it was run."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nadlab import Study, search
from nadlab.benchmarks.registry import benchmark
from nadlab.cli.main import nadlab
from nadlab.cli.report import comparable, report_on_folder
from nadlab.cli.study import command
from nadlab.cli.tuning import tuning_command
from nadlab.engine.reproduce import reproduce
from nadlab.errors import UserError
from nadlab.methods.request import SearchRequest
from nadlab.queries.ledger import best
from nadlab.study.records import Trial
from nadlab.tracking.store import default_store
from studies.ablate_alpha import STUDY
from studies.tune_semigan import TUNING
from tests.conftest import TOY, children, records_of, run_alpha
from trainables.searcher import SearcherTrainable

SMALL = ("--smoke", "--benchmark", TOY, "--seeds", "1", "--set", "epochs=1", "--vary", "alpha=0.5")


def test_a_protocol_makes_another_trial_and_the_paper_s_keeps_the_name_of_early_versions() -> None:
    trial = Trial("toy", "0" * 64, 0, {"alpha": 0.5}, "module:class")
    assert trial.id == "ea55f5faf539e14f"  # as the versions without protocols computed it
    assert replace(trial, protocol="validation").id != trial.id


@pytest.fixture(scope="module")
def validated(local_ray: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trial by validation."""
    local_ray.start(1)
    out = tmp_path_factory.mktemp("validated") / "out"
    assert run_alpha(out, *SMALL, "--protocol", "validation", "--outcome", "final") == 0
    return out


def test_trials_are_searched_by_validation_and_say_so_in_their_records_and_runs(validated: Path) -> None:
    (record,) = records_of(validated)
    assert record.trial.protocol == "validation"
    incumbent = best(record.queries, "valid")
    assert record.metrics["best_reported"] == incumbent.test
    (run,) = children(validated)
    assert run.data.tags["protocol"] == run.data.params["protocol"] == "validation"
    report = (validated / "report.html").read_text()
    assert f"ablate_alpha · {TOY} (protocol validation)" in report
    assert "Searched by validation accuracy, reported by test accuracy" in report


def test_a_run_is_reproduced_under_its_protocol(validated: Path) -> None:
    (run,) = children(validated)
    for retrain in (False, True):
        assert reproduce(run.info.run_id, default_store(validated)[0], retrain, anyway=False).equal


def test_a_folder_takes_no_trials_of_another_protocol(validated: Path) -> None:
    with pytest.raises(UserError, match="contains this study by the protocol validation, not paper: choose another"):
        run_alpha(validated, *SMALL)


def test_benchmarks_are_compared_under_one_protocol_alone(smoke_study: Any, validated: Path, tmp_path: Path) -> None:
    studies = [report_on_folder(out, tmp_path / out.parent.name, None) for out in (smoke_study.out, validated)]
    same = [replace(each, study=replace(each.study, settings={}, default={})) for each in studies]
    other = replace(same[1], study=replace(same[1].study, benchmark="another"))
    assert len(comparable([same[0], other])) == 1
    assert len(comparable([same[1], other])) == 2


@pytest.mark.usefixtures("data")
def test_the_default_folder_names_the_protocol_and_the_file_of_a_study_may_choose_it() -> None:
    asked = ["--smoke", "--benchmark", TOY, "--dry-run"]
    made_by_file = {
        f"runs/{STUDY.name}/nasbench201-toy": command(replace(STUDY, protocol="validation")),
        f"runs/{TUNING.name}/nasbench201-toy": tuning_command(replace(TUNING, protocol="validation")),
    }
    for folder, made in made_by_file.items():
        for more, name in (((), f"{folder}-validation-"), (("--protocol", "paper"), f"{folder}-")):
            shown = CliRunner().invoke(made, [*asked, *more], catch_exceptions=False).output
            assert f"are done in {name}" in shown
            assert ("(protocol validation)" in shown) == ("validation" in name)
    with pytest.raises(UserError, match="unknown protocol 'mine': choose one of paper, validation, naslib"):
        replace(STUDY, protocol="mine")


@pytest.mark.usefixtures("data", "own_folder")
def test_search_names_its_protocol_in_every_row() -> None:
    asked = ["search", "--method", "random-search", "--benchmark", TOY, "--queries", "300", "--seeds", "1"]
    rows = {}
    for protocol in ("paper", "validation"):
        shown = CliRunner().invoke(nadlab, [*asked, "--json", "--protocol", protocol], catch_exceptions=False)
        rows[protocol] = json.loads(shown.stdout)
        assert rows[protocol]["protocol"] == protocol
    oracle = benchmark(TOY, "validation")
    answers = oracle.evaluate(oracle.pool())
    assert rows["validation"]["best_valid"] == max(each.valid for each in answers if each.valid)
    assert rows["paper"]["best_test"] == max(each.test for each in answers if each.test)
    assert (
        search("random-search", TOY, 300, [0], protocol="validation").best_valid[0] == rows["validation"]["best_valid"]
    )
    table = CliRunner().invoke(nadlab, [*asked, "--protocol", "validation"], catch_exceptions=False).output
    assert "best cell by validation, its test accuracy, mean over seeds" in table


@pytest.mark.services
@pytest.mark.usefixtures("local_ray")
def test_a_table_that_mixes_protocols_says_so_beside_the_published_number(tmp_path: Path) -> None:
    study = Study(
        name="mixed", question="?", expectation="none", trainable=SearcherTrainable, vary={"method": ("random-search",)},
        settings=SearchRequest(method="random-search", queries=4), published={TOY: {"random-search": 77.77}},
    )  # fmt: skip
    for protocol, heading in (("paper", "paper %"), ("validation", "paper (protocol paper) %")):
        asked = ["--benchmark", TOY, "--seeds", "1", "--out", str(tmp_path / protocol), "--protocol", protocol]
        assert command(study).main(asked, standalone_mode=False) == 0
        text = (tmp_path / protocol / "report.md").read_text()
        page = (tmp_path / protocol / "report.html").read_text()
        assert f"| {heading} |" in text
        assert "77.77" in text
        for each in (text, page):
            mixed = (
                "The table mixes protocols: the paper&#39;s result"
                if each is page
                else "The table mixes protocols: the paper's result"
            )
            assert (mixed in each) == (protocol == "validation")
