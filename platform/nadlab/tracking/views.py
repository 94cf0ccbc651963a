"""MLflow's UI opened on what a study compares: saved views, and links into it.

A saved view is what the UI's own *Share* button writes, an experiment's tag that a link names. `trials` shows every
trial by itself, `levels` the means over seeds. Links are relative to the server's address. tests/tracking/test_mlflow_ui.py
opens all of them in a browser.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from nadlab.study.records import StudyRecord

Factors = list[str]

MAIN_PLOTS = ("accuracy_by_", "anytime_regret", "importance")

_TAG = "mlflow.sharedViewState."
_SECTION = "study"
_TRAINING = {"workflowType": "machine_learning"}
"""else the UI opens on what it has for language models"""


def experiment_tags(study: StudyRecord) -> dict[str, str]:
    """Return the tags of a study's experiment: its saved views and the metric that the UI puts first."""
    factors: Factors = list(study.default)
    curve = _chart("LINE", metricKey="best_so_far", selectedMetricKeys=["best_so_far"], xAxisKey="step", range={})
    accuracy = _chart("BAR", metricKey="best_reported", selectedMetricKeys=["best_reported"])
    coordinates = _chart(
        "PARALLEL", selectedParams=[*factors, "seed"], selectedMetrics=["best_reported"], showAllRuns=True
    )
    means = {"aggregateFunction": "average", "groupByKeys": [{"mode": "tag", "groupByData": "level"}]}
    views = {
        "trials": _view(factors, [coordinates, curve, accuracy], None),
        "levels": _view(factors, [accuracy, curve], means),
    }
    return {"mlflow.experiment.primaryMetric.name": "best_reported"} | {
        f"{_TAG}{name}": json.dumps(view) for name, view in views.items()
    }


def view_link(experiment: str, view: str, mode: str = "CHART") -> str:
    """Return the link that opens a saved view; mode is CHART or TABLE."""
    asked = {"viewStateShareKey": view, "compareRunsMode": mode}
    return f"#/experiments/{experiment}/runs?{urlencode(_TRAINING | asked)}"


def run_link(experiment: str, run: str, tab: str = "") -> str:
    """Return the link to a run's page, or to a tab of it, such as `/artifacts/ledger.json`."""
    return f"#/experiments/{experiment}/runs/{run}{tab}?{urlencode(_TRAINING)}"


def plots(run: str, artifacts: str, folder: Path, files: Iterable[Path]) -> str:
    """Return Markdown that shows the main effects and the regret by query: files of a folder, held by a run below `artifacts`."""
    shown = [file for file in files if file.suffix == ".png" and file.stem.startswith(MAIN_PLOTS)]
    paths = [f"{artifacts}/{file.relative_to(folder).as_posix()}" for file in shown]
    return "\n\n".join(f"![plot](get-artifact?{urlencode({'path': path, 'run_uuid': run})})" for path in paths)


def _chart(kind: str, **own: Any) -> dict[str, Any]:
    name = f"{_SECTION}-{kind}"
    return {"type": kind, "uuid": name, "metricSectionId": _SECTION, "deleted": False, "isGenerated": False, **own}


def _view(factors: Factors, charts: list[dict[str, Any]], groups: dict[str, Any] | None) -> dict[str, Any]:
    columns = [f"params.`{name}`" for name in (*factors, "seed", "benchmark")]
    columns += [f"metrics.`{name}`" for name in ("best_reported", "regret", "queries")]
    return {
        "searchFilter": "tags.kind = 'trial'",
        "orderByKey": "metrics.`best_reported`",
        "orderByAsc": False,
        "selectedColumns": columns,
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": charts,
        "compareRunSections": [
            {"uuid": _SECTION, "name": "Study", "display": True, "isReordered": False, "deleted": False, "isGenerated": False}
        ],
        "isAccordionReordered": True,  # the losses' section comes after ours
        "groupBy": groups,
    }  # fmt: skip
