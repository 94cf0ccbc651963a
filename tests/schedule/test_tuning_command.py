"""The command of a tuning study: run, resumed, packed, forecast."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from nadlab.cli.report import report_studies
from nadlab.cli.tuning import tuning_command
from nadlab.errors import UserError
from nadlab.study.folder import StudyFolder, read_owner
from studies.tune_default import TUNING as DEFAULT
from studies.tune_semigan import TUNING
from tests.conftest import TOY

pytestmark = pytest.mark.usefixtures("data")


@pytest.mark.usefixtures("local_ray")
def test_smoke_run_is_recorded_in_mlflow_and_is_not_run_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = ["--smoke", "--benchmark", TOY, "--pruner", "asha", "--out", str(out)]
    for _ in range(2):
        assert tuning_command(TUNING).main(given, standalone_mode=False) == 0
        owner = read_owner(out)
        assert owner
        records = StudyFolder(out, owner).records()
        client = MlflowClient(tracking_uri=f"sqlite:///{out / 'mlflow.db'}")
        experiments = [each.experiment_id for each in client.search_experiments()]
        children = client.search_runs(experiments, "tags.kind = 'trial'")
        assert sorted(run.info.status for run in children) == sorted(record.status for record in records)
        (first, *_) = [run for run in children if run.info.status == "FINISHED" and run.data.tags["seed"] == "0"]
        assert len(client.get_metric_history(first.info.run_id, "predictor/val_tau")) == 2  # epochs
    (parent,) = client.search_runs(experiments, "tags.kind = 'study'")
    texts = {
        name: (out / name).read_text() for name in ("report.html", "report.md", "configurations.csv", "trials.csv")
    }
    assert texts["report.md"] in parent.data.tags["mlflow.note.content"]
    assert "report/report.html" in {file.path for file in client.list_artifacts(parent.info.run_id, "report")}
    report_studies(str(out), None)  # says the same again
    assert texts == {name: (out / name).read_text() for name in texts}
    assert "The best configuration is" in texts["report.html"]


@pytest.mark.usefixtures("local_ray")
def test_seeds_of_a_configuration_share_a_process_where_no_pruner_stops_them(tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = ["--smoke", "--benchmark", TOY, "--fresh", "0", "--pack", "2", "--concurrent", "1", "--out", str(out)]
    assert tuning_command(TUNING).main([*given, "--pruner", "none"], standalone_mode=False) == 0
    owner = read_owner(out)
    assert owner
    assert {record.metrics["packed"] for record in StudyFolder(out, owner).records()} == {2}
    with pytest.raises(UserError, match="leave out --pack or --pruner"):
        tuning_command(TUNING).main([*given, "--pruner", "asha"], standalone_mode=False)


def test_dry_run_counts_configurations_and_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--smoke", "--benchmark", TOY, "--trials", "10", "--dry-run", "--out", str(tmp_path / "out")]
    assert tuning_command(TUNING).main(given, standalone_mode=False) == 0
    assert "at most 22 trials: 10 configurations x 2 seeds" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("local_ray")
def test_smoke_run_of_a_fixed_budget_spends_it_in_every_trial(tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = ["--smoke", "--benchmark", TOY, "--fresh", "0", "--out", str(out)]
    assert tuning_command(DEFAULT).main(given, standalone_mode=False) == 0
    owner = read_owner(out)
    assert owner
    records = StudyFolder(out, owner).records()
    assert {len(record.ledger) for record in records} == {22}
    assert len({record.trial.settings["final_k"] for record in records}) > 1
