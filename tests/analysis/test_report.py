"""The page of a study: only what the records hold, every number traceable, nothing from outside, nothing secret."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from nadlab.analysis.cells.drawing import draw_cell
from nadlab.analysis.figures.style import grid
from nadlab.analysis.page import latex
from nadlab.analysis.report import report_on
from nadlab.analysis.reports import exported, write
from nadlab.analysis.sections.content import Table
from nadlab.cli.main import nadlab
from nadlab.cli.report import study_folders
from nadlab.errors import UserError
from nadlab.spaces import SPACES
from nadlab.study.folder import StudyFolder
from nadlab.study.records import Record, StudyRecord, Trial
from nadlab.tracking.content import TRIAL
from nadlab.tracking.runs import Runs, without_password

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|"
STUDY = StudyRecord(
    "searches", "Which <method>?", "none", "module:class", "toy", "0" * 64, "paper", "valid", "test", 95.0, {},
    {"method": "random-search", "queries": 8}, "id",
)  # fmt: skip


class Page(HTMLParser):
    """Headings of a page and what it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.fetched: list[str] = []
        self._tag = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        fetching = {"src", "data", "poster"} | ({"href"} if tag not in ("a", "use") else set())
        self.fetched += [value or "" for name, value in attrs if name in fetching]

    def handle_data(self, data: str) -> None:
        if self._tag == "h2" and data.strip():
            self.headings.append(data.strip())


def searched(method: str, queries: int, seed: int, study: StudyRecord = STUDY) -> Record:
    rng = np.random.default_rng([seed, queries, len(method)])
    accuracies = 90 + rng.uniform(0, 4, queries) + 0.3 * (method == "local-search")
    ledger: list[dict[str, Any]] = [
        {"number": n, "key": n, "cell": CELL, "valid": value, "test": value} for n, value in enumerate(accuracies, 1)
    ]
    best = float(accuracies.max())
    trial = Trial(study.benchmark, "0" * 64, seed, {"method": method, "queries": queries}, "module:class")
    metrics: dict[str, float | None] = {"best_reported": best, "regret": 95 - best, "best_valid": best}
    return Record(trial, "FINISHED", metrics, [], ledger, 0.0, 1.0, {"git_revision": "abc", "host": "here"})


def searches(study: StudyRecord = STUDY, seeds: int = 6) -> list[Record]:
    methods = ("random-search", "local-search", "reinforce")
    return [searched(method, q, s, study) for method in methods for q in (8, 32) for s in range(seeds)]


def written(folder: Path, study: StudyRecord, records: list[Record], **more: Any) -> Page:
    write(report_on(study, records, np.random.default_rng(0), **more), folder, np.random.default_rng(0))
    return Page((folder / "report.html").read_text())


def test_only_sections_with_data_appear(smoke_study: Any, tmp_path: Path) -> None:
    trained = Page((smoke_study.out / "report.html").read_text()).headings
    found = written(tmp_path, STUDY, searches()).headings
    assert {"Training of D, AG and PP", "Generated cells"} <= set(trained)
    assert not {"Factors and interactions", "Pareto front of accuracy against queries"} & set(trained)
    assert {"Factors and interactions", "Label efficiency", "Pareto front of accuracy against queries"} <= set(found)
    assert not {"Training of D, AG and PP", "Generated cells", "Hyperparameters"} & set(found)


def test_page_opens_without_anything_from_outside(smoke_study: Any) -> None:
    text = (smoke_study.out / "report.html").read_text()
    assert Page(text).fetched == []
    assert not re.search(r"@import|url\((?!#)", text)
    assert "default-src 'none'" in text


def test_every_trial_of_the_page_names_its_run(smoke_study: Any) -> None:
    text = (smoke_study.out / "report.html").read_text()
    client = MlflowClient(tracking_uri=smoke_study.store)
    runs = client.search_runs([each.experiment_id for each in client.search_experiments()], "tags.kind = 'trial'")
    assert len(runs) == 4
    trials = text[text.index('<table class="trials">') :]
    for run in runs:
        row = next(row for row in trials.split("<tr>") if run.data.tags[TRIAL] in row)
        assert run.info.run_id in row
        assert f"runs/{run.info.run_id}" in row


def test_text_of_the_study_is_no_markup(tmp_path: Path) -> None:
    written(tmp_path, STUDY, searches(seeds=2))
    assert "Which &lt;method&gt;?" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://me:secret@host:5000/x", "https://host:5000/x"),
        ("postgresql://me:se@cret@db/runs", "postgresql://db/runs"),
        ("postgresql://me:se/cret@db/runs", "postgresql://db/runs"),
        ("postgresql://db/runs?user=me&password=secret&x=1", "postgresql://db/runs?user=me&password=***&x=1"),
        ("sqlite:////tmp/a@b/mlflow.db", "sqlite:////tmp/a@b/mlflow.db"),
    ],
)
def test_password_of_a_store_is_not_shown(uri: str, shown: str) -> None:
    assert without_password(uri) == shown


def test_link_opens_the_run_on_its_server() -> None:
    runs = Runs("https://host:5000", "7", "p", {"t": "r"})
    assert runs.link("r") == "https://host:5000/#/experiments/7/runs/r?workflowType=machine_learning"


def test_plots_of_an_earlier_report_are_removed_and_other_files_stay(tmp_path: Path) -> None:
    written(tmp_path, STUDY, searches())
    (tmp_path / "figures" / "notes.txt").write_text("mine")
    written(tmp_path, STUDY, [record for record in searches() if record.trial.settings["queries"] == 8])
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert "notes.txt" in names
    assert "pareto_front.png" not in names
    assert "accuracy_by_method_x_queries.svg" in names


def test_unreadable_cells_and_failed_trials_leave_the_report_whole(tmp_path: Path) -> None:
    records = [replace(each, ledger=[query | {"cell": "?"} for query in each.ledger]) for each in searches(seeds=2)]
    failed = replace(records[0], status="FAILED", metrics={}, ledger=[], error="broke")
    page = written(tmp_path, STUDY, [*records[1:], failed])
    assert "Best cells" in page.headings
    assert "1 trials failed" in (tmp_path / "report.html").read_text()


def test_study_whose_trials_all_failed_has_a_report_that_lists_them(tmp_path: Path) -> None:
    failed = [replace(each, status="FAILED", metrics={}, ledger=[], error="broke") for each in searches(seeds=1)]
    assert written(tmp_path, STUDY, failed).headings == ["What the results say", "Provenance", "All trials"]


def test_checklist_says_no_where_the_records_do_not_show_a_yes(tmp_path: Path) -> None:
    def answers(records: list[Record]) -> dict[str, str]:
        written(tmp_path, STUDY, records)
        rows = re.findall(r"<td>([^<]+)</td><td class=\"answer-(\w+)\">", (tmp_path / "report.html").read_text())
        return dict(rows)

    clean = answers(searches(seeds=9))
    assert clean["Compared with random search"] == "yes"
    assert clean["Ran several seeds and reported them"] == "yes"
    assert clean["Reported how hyperparameters were tuned, and its cost"] == "no"
    mixed = [replace(each, provenance={"git_revision": "abc+dirty", "host": str(each.trial.seed)})
             for each in searches(seeds=2) if each.trial.settings["method"] != "random-search"]  # fmt: skip
    found = answers(mixed)
    assert found["Compared with random search"] == "no"
    assert found["Controlled confounding factors"] == "no"
    assert found["Released the code of the search space and of the method"] == "no"
    assert found["Ran several seeds and reported them"] == "partly"


def test_report_calls_the_level_to_compare_with_a_baseline_where_the_user_named_it(tmp_path: Path) -> None:
    study = replace(STUDY, default={"method": "local-search", "queries": 8}, reference="baseline")
    written(tmp_path, study, searches(study, seeds=8))
    text = (tmp_path / "report.md").read_text()
    assert "local-search, 8 (baseline)" in text
    assert "difference to baseline" in text
    assert "chance to beat the baseline" in text
    assert "the baseline local-search, 8" in text
    assert "default" not in text


def test_exported_network_of_the_study_is_drawn_with_operations_on_edges(tmp_path: Path) -> None:
    (tmp_path / "best").mkdir()
    known = {
        "space": "nasbench201",
        "cell": CELL,
        "params": 12345,
        "flops": 9,
        "valid": 91.0,
        "test": 90.0,
        "benchmark": "train:digits",
    }
    (tmp_path / "best" / "network.json").write_text(json.dumps(known))
    assert "Exported network best" in written(tmp_path, STUDY, searches(seeds=2)).headings
    assert "12,345" in (tmp_path / "report.html").read_text()
    (axes,) = grid(1, 1, (4.0, 2.0))
    draw_cell(axes, SPACES["nasbench201"].parse(CELL), SPACES["nasbench201"])
    assert sorted(text.get_text() for text in axes.texts) == sorted(
        ["in", "1", "2", "out", "3x3", "skip", "1x1", "avg"]
    )
    assert len(axes.patches) == 4


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"space": "nasbench201", "cell": "|none~0|"}', "\xff"])
def test_damaged_description_of_an_exported_network_is_one_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "network.json").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"network.json describes no network .*: delete .*best, or export it again"):
        exported(tmp_path)


def test_latex_of_a_table_is_escaped() -> None:
    text = latex(Table("t", ("alpha_p", "95 %"), (("a & b", "1 ± 2"),)))
    assert r"alpha\_p & 95 \% \\" in text
    assert r"a \& b & 1 $\pm$ 2 \\" in text


def stored(place: Path, study: StudyRecord) -> None:
    with StudyFolder.claim(place, study) as folder:
        for record in searches(study, seeds=2):
            folder.finish(record, None)


def test_command_reports_every_benchmark_of_a_name_and_all_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for benchmark in ("one", "two"):
        stored(Path("runs/searches") / benchmark, replace(STUDY, benchmark=benchmark))
    stored(Path("runs/searches/one-smoke"), replace(STUDY, benchmark="one", settings={"epochs": 2}))
    done = CliRunner().invoke(nadlab, ["report", "searches"], catch_exceptions=False)
    assert done.exit_code == 0
    for benchmark in ("one", "two", "one-smoke"):
        assert Path("runs/searches", benchmark, "report.html").exists()
    together = Path("runs/searches/report.html").read_text()
    assert "searches · 2 benchmarks" in together
    assert "Friedman" in together


def test_command_names_the_studies_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"'nothing' is neither .* holds none yet"):
        study_folders("nothing")
    stored(Path("runs/searches/one"), STUDY)
    with pytest.raises(UserError, match="runs/ holds searches"):
        study_folders("nothing")
