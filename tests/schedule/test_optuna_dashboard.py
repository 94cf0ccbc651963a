"""The Optuna dashboard opens a study in SQLite, the storage of `studies/tune_semigan.py`."""

from pathlib import Path

import optuna
from optuna_dashboard import wsgi
from werkzeug.test import Client


def test_dashboard_lists_a_study_and_its_trials(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'optuna.db'}"
    study = optuna.create_study(study_name="tune_semigan", storage=storage, directions=["maximize", "minimize"])
    for alpha in (0.1, 0.5):
        study.add_trial(
            optuna.create_trial(
                params={"alpha": alpha},
                distributions={"alpha": optuna.distributions.FloatDistribution(0, 1)},
                values=[90 + alpha, 22],
            )
        )
    browser = Client(wsgi(storage))
    with browser.get("/dashboard/") as page:
        assert "text/html" in page.headers["Content-Type"]
    (listed,) = browser.get("/api/studies").get_json()["study_summaries"]
    assert listed["study_name"] == "tune_semigan"
    details = browser.get(f"/api/studies/{listed['study_id']}?after=0").get_json()
    assert [trial["values"] for trial in details["trials"]] == [[90.1, 22], [90.5, 22]]
