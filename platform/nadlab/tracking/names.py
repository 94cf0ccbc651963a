"""Names of metrics and runs in MLflow, whose UI makes a group of what comes before a slash."""

import re

from nadlab.benchmarks.oracle import Metric, Split
from nadlab.study.records import UNCHANGED, StudyRecord, Trial, value_text

SHORT = {"valid": "val", "test": "test"}
GROUPED = {
    "predictor_tau": "predictor/val_tau",
    "predictor_tau_top": "predictor/val_tau_top",
    "predictor_calibration": "predictor/calibration_error",
    "rank_fidelity": "generator/rank_fidelity",
    "rank0_lift": "generator/rank0_lift",
    "generated": "generator/generated",
    "share_valid": "generator/valid_share",
    "share_unique": "generator/unique_share",
    "share_novel": "generator/novel_share",
    "candidates": "generator/candidates",
    "pool_fallback": "generator/pool_fallback",
    "feasible": "incumbent/feasible_queries",
    "train_seconds": "time/train_seconds",
    "search_seconds": "time/search_seconds",
}
"""metric of a record -> its name in MLflow; a trainable's own metrics keep their names"""
OF_OUTCOMES = {
    "predictor-tau": GROUPED["predictor_tau"],
    "predictor-tau-top": GROUPED["predictor_tau_top"],
    "calibration": GROUPED["predictor_calibration"],
    "fidelity": GROUPED["rank_fidelity"],
    "lift": GROUPED["rank0_lift"],
}
"""outcome of a study -> the metric that shows it, where one does"""
FACTS = ("epoch", "queries", "packed")
"""numbers of a record that its settings decide, or the way it was run: tags and no metrics"""
ANSWERS = ("best_valid", "best_test", "best_reported", "done")
"""of a record: what `incumbent` names, and whether it is the last report"""


def incumbent(split: Split, metric: Metric) -> str:
    """Return the name of the incumbent's answer by a split, such as `incumbent/test_accuracy`."""
    return f"incumbent/{SHORT[split]}_{_plain(metric.name)}"


def incumbent_quantity(name: str) -> str:
    """Return the name of what a benchmark knows of the incumbent besides its answer, such as `incumbent/latency`."""
    return f"incumbent/{_plain(name)}"


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")  # MLflow refuses other characters


def reported(study: StudyRecord) -> str:
    """Return the name of the answer that a study reports."""
    return incumbent(study.report_split, study.measured)


def run_name(study: StudyRecord, trial: Trial) -> str:
    """Return a trial's name, such as `alpha = 0.5, seed 3`."""
    values = {factor: trial.value(factor) for factor in study.default}
    if study.one_at_a_time:
        values = {factor: value for factor, value in values.items() if value != study.default[factor]}
    elif study.names:
        values = {study.factor: study.level(trial)}
    levels = [f"{factor} = {value_text(value)}" for factor, value in values.items()]
    return ", ".join([*(levels or [f"{UNCHANGED} changed"]), f"seed {trial.seed}"])
