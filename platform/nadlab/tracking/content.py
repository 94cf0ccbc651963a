"""What a study and a trial look like in MLflow: parameters, tags, metrics. Names are the same in every study."""

import math
from dataclasses import asdict

from mlflow.entities import Metric, Param, RunTag

from nadlab.json_text import strict_json
from nadlab.provenance.training import Segment, training_text
from nadlab.study.incumbents import incumbents
from nadlab.study.records import Record, StudyRecord
from nadlab.tracking.mlflow_internals import ARTIFACTS, DESCRIPTION, artifacts_tag

TRIAL, RECORD, STUDY = "nadlab.trial_id", "nadlab.record", "nadlab.study_id"
TRIAL_CONTENT = "nadlab.trial"
"""the trial itself, as JSON"""
LEDGER = "ledger.json"
TRAINED = "trained"
"""how the trial was trained, in words"""
LONGEST = 5000
"""characters of a tag, as every server of MLflow takes them"""
LEADING = ("best_reported", "regret", "queries")
"""metrics that come first: the UI's compare view opens with the first one"""


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
    }
    return [RunTag(key, value) for key, value in tags.items()]


def trial_tags(record: Record, study: StudyRecord) -> dict[str, str]:
    """Return the tags by which a child run is found and filtered."""
    trial = record.trial
    return {
        TRIAL: trial.id,
        RECORD: record.digest,
        TRIAL_CONTENT: strict_json(asdict(trial)),
        "kind": "trial",
        "study": study.study,
        "factor": study.factor,
        "level": study.level(trial),
        "seed": str(trial.seed),
        "benchmark": trial.benchmark,
        "benchmark_digest": trial.digest,
        "protocol": trial.protocol,
        ARTIFACTS: artifacts_tag(LEDGER),
        **record.provenance,
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


def trial_params(record: Record) -> list[Param]:
    """Return every setting, the seed, the benchmark and its protocol."""
    trial = record.trial
    named = {"benchmark": trial.benchmark, "protocol": trial.protocol, "trainable": trial.trainable}
    values = {**trial.settings, "seed": trial.seed, **named}
    return [Param(key, str(value)) for key, value in values.items()]


def trial_metrics(record: Record, study: StudyRecord) -> list[Metric]:
    """Return the final numbers, the losses by epoch and the best accuracy so far by query; absent ones are left out."""
    now = int(record.ended * 1000)
    leading = {key: record.metrics[key] for key in LEADING if key in record.metrics}
    single = {key: value for key, value in (leading | record.metrics).items() if value is not None}
    return [
        *(Metric(key, value, now, 0) for key, value in single.items()),
        *(
            Metric(key if key == "predictor_tau" else f"loss/{key}", value, now, epoch)
            for epoch, row in enumerate(record.history, 1)
            for key, value in row.items()
            if value is not None
        ),
        *(
            Metric("best_so_far", value, now, number)
            for number, value in enumerate(incumbents(record, study), 1)
            if not math.isnan(value)
        ),
    ]
