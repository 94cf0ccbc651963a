"""What a study and a trial look like in MLflow: parameters, tags, metrics. Names are the same in every study."""

import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mlflow.entities import Metric, Param, RunTag

from nadlab.benchmarks.oracle import SPLITS
from nadlab.json_text import strict_json
from nadlab.provenance.training import Segment, training_text
from nadlab.study.incumbents import incumbent_of, incumbents, query_row
from nadlab.study.records import Record, StudyRecord, Trial
from nadlab.tracking.mlflow_internals import ARTIFACTS, DESCRIPTION, artifacts_tag, source_tags, view_link
from nadlab.tracking.names import ANSWERS, FACTS, GROUPED, incumbent, incumbent_quantity, reported

TRIAL, RECORD, STUDY = "nadlab.trial_id", "nadlab.record", "nadlab.study_id"
TRIAL_CONTENT = "nadlab.trial"
"""the trial itself, as JSON"""
LEDGER = "ledger.json"
TRAINED = "trained"
"""how the trial was trained, in words"""
LONGEST = 5000
"""characters of a tag, as every server of MLflow takes them"""


def study_params(study: StudyRecord) -> list[Param]:
    """Return what all trials of a study share."""
    values = {
        "benchmark": study.benchmark,
        "protocol": study.preset,
        "trainable": study.trainable,
        **study.settings,
    }
    return [Param(key, str(value)) for key, value in values.items()]


def study_tags(study: StudyRecord) -> list[RunTag]:
    """Return the parent run's tags; its description is replaced by the report."""
    tags = {
        "kind": "study",
        "study": study.study,
        "factor": study.factor,
        "default_level": study.default_level,
        "benchmark": study.benchmark,
        "benchmark_digest": study.digest,
        "protocol": study.preset,
        DESCRIPTION: f"{study.question}\n\nExpected: {study.expectation}",
        **source_tags(study.origin.get("git_revision", "")),
    }
    return [RunTag(key, value) for key, value in tags.items()]


def experiment_description(experiment: str, study: StudyRecord) -> str:
    """Return what an experiment's page says: the question, and links to the saved views."""
    charts, table, means = (view_link(experiment, *view) for view in (("trials",), ("trials", "TABLE"), ("levels",)))
    return f"{study.question}\n\n[Compare the trials]({charts}), [list them]({table}), [compare the means of the levels]({means})."


def identity_tags(trial: Trial, study: StudyRecord) -> dict[str, str]:
    """Return the tags by which a child run is found and filtered, from a trial's start on."""
    return {
        TRIAL: trial.id,
        TRIAL_CONTENT: strict_json(asdict(trial)),
        "kind": "trial",
        "study": study.study,
        "factor": study.factor,
        "level": study.level(trial),
        "seed": str(trial.seed),
        "benchmark": trial.benchmark,
        "benchmark_digest": trial.digest,
        "protocol": trial.protocol,
        **source_tags(study.origin.get("git_revision", "")),
    }


def trial_tags(record: Record, study: StudyRecord) -> dict[str, str]:
    """Return all tags of a child run."""
    return {
        **identity_tags(record.trial, study),
        RECORD: record.digest,
        ARTIFACTS: artifacts_tag(LEDGER),
        **{name: f"{value:g}" for name in FACTS if (value := record.metrics.get(name)) is not None},
        **record.provenance,
        **source_tags(record.provenance.get("git_revision", "")),
    } | ({TRAINED: training_text([Segment(**each) for each in record.trained])[:LONGEST]} if record.trained else {})


def trial_description(record: Record, study: StudyRecord, parent: str, trials: str) -> str:
    """Return a child's description: its numbers, and links to its parent run and to all trials."""
    trial, metrics = record.trial, record.metrics
    cells = {study.factor: study.level(trial), "seed": str(trial.seed), "queries": str(len(record.ledger))}
    metric = study.measured
    numbers = {metric.heading: metrics.get("best_reported"), "regret": metrics.get("regret")}
    cells |= {name: f"{value:.{metric.places}f}" for name, value in numbers.items() if value is not None}
    lines = [
        f"A trial of [{study.study} on {study.benchmark_text}]({parent}), beside [all others]({trials}).",
        "",
        *(f"| {' | '.join(row)} |" for row in (cells, ["---"] * len(cells), cells.values())),
        "",
        study.question,
    ]
    return "\n".join(lines)


def trial_params(trial: Trial) -> list[Param]:
    """Return every setting, the seed, the benchmark and its protocol."""
    named = {"benchmark": trial.benchmark, "protocol": trial.protocol, "trainable": trial.trainable}
    values = {**trial.settings, "seed": trial.seed, **named}
    return [Param(key, str(value)) for key, value in values.items()]


def trial_metrics(record: Record, study: StudyRecord) -> list[Metric]:
    """Return the incumbent by query, what the design gave, and losses by epoch; absent ones are left out.

    A metric's step is the query or the epoch after which it was so; its last value is the trial's.
    """
    now, epochs, asked = int(record.ended * 1000), len(record.history), len(record.ledger)
    by_epoch = [
        (GROUPED.get(key, f"loss/{key}"), value, epoch)
        for epoch, row in enumerate(record.history, 1)
        for key, value in row.items()
    ]
    by_query = [(reported(study), value, number) for number, value in enumerate(incumbents(record, study), 1)]
    others = {incumbent(split, study.measured): record.metrics.get(f"best_{split}") for split in SPLITS}
    others = {"regret": record.metrics.get("regret")} | others
    if found := incumbent_of(record, study):
        others |= {incumbent_quantity(name): value for name, value in found.extras.items()}
    single = [(key, value, asked) for key, value in others.items() if key != reported(study) or not asked]
    known = {key for key, value, _ in by_epoch if value is not None}
    for key, value in record.metrics.items():
        name = GROUPED.get(key, key)
        if key not in (*FACTS, *ANSWERS, "regret") and name not in known:
            single.append((name, value, epochs))
    # the UI's compare view opens with the first one
    return [
        Metric(key, value, now, step)
        for key, value, step in [*by_query, *single, *by_epoch]
        if value is not None and not math.isnan(value)
    ]


def live_metrics(report: Mapping[str, Any], study: StudyRecord) -> list[Metric]:
    """Return the incumbent and PP's tau so far of a trial that goes on: what its record will hold at the same steps."""
    found = {
        reported(study): (report.get(f"best_{study.report_split}"), report.get("queries", 0)),
        GROUPED["predictor_tau"]: (report.get("predictor_tau"), report.get("epoch", 0)),
    }
    now = int(time.time() * 1000)
    return [Metric(name, value, now, int(step)) for name, (value, step) in found.items() if value is not None]


def ledger_text(record: Record) -> str:
    """Return the queries as the JSON of a table that the UI shows."""
    table = [query_row(query) for query in record.ledger]
    columns = list(dict.fromkeys(name for row in table for name in row))
    return strict_json({"columns": columns, "data": [[row.get(name) for name in columns] for row in table]}, indent=2)
