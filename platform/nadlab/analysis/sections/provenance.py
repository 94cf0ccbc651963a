"""Where numbers come from: runs, code, versions, machines, settings."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.sections.content import RunLink, Section, Table
from nadlab.study.records import Record

FEW_TRIALS = 30
"""that are shown at once"""


def links(evidence: Evidence, records: Sequence[Record]) -> tuple[RunLink, ...]:
    """Return the MLflow runs of records; empty where there is no store."""
    if not evidence.runs:
        return ()
    found = [(record, evidence.runs.children.get(record.trial.id)) for record in records]
    return tuple(
        RunLink(
            run,
            evidence.runs.link(run),
            f"{evidence.study.factor} {evidence.study.level(each.trial)}, seed {each.trial.seed}",
        )
        for each, run in found
        if run
    )


def provenance(evidence: Evidence, _rng: np.random.Generator) -> Section | None:
    """Return what made the results."""
    if not evidence.records:
        return None
    study = evidence.study
    made = sorted({key for record in evidence.records for key in record.provenance})
    values = {key: sorted({record.provenance.get(key, "unknown") for record in evidence.records}) for key in made}
    said = []
    if len(values.get("git_revision", [])) > 1:
        said.append("Trials come from several revisions of the code.")
    if any(value.endswith("+dirty") or value == "unknown" for value in values.get("git_revision", [])):
        said.append("Some of the code was not committed: these results can't be made again from a revision alone.")
    first = min(record.started for record in evidence.records)
    last = max(record.ended for record in evidence.records)
    rows = [
        ("study", study.study),
        ("benchmark", study.benchmark),
        ("benchmark digest (SHA-256)", study.digest),
        ("protocol", study.preset),
        ("searched by, reported by", f"{study.searched_by}, {study.reported_by} accuracy"),
        ("best of the table", f"{study.optimum:.2f} %"),
        ("trainable", study.trainable),
        ("first trial began, last ended", f"{_time(first)}, {_time(last)}"),
        *((key.replace("_", " "), ", ".join(found)) for key, found in values.items()),
    ]
    if evidence.runs:
        rows += [("MLflow store", evidence.runs.uri), ("parent run", evidence.runs.parent)]
    settings = Table(
        "settings",
        ("setting", "value"),
        tuple((name, str(value)) for name, value in sorted({**study.settings, **study.default}.items())),
        "Settings of the default level; the factors vary as the tables above say.",
        folded=True,
    )
    return Section("Provenance", tuple(said), (), (Table("provenance", ("", ""), tuple(rows)), settings))


def all_trials(evidence: Evidence, _rng: np.random.Generator) -> Section | None:
    """Return every trial with its run."""
    if not evidence.records:
        return None
    ordered = [record for group in evidence.groups.values() for record in group]
    ordered += [record for record in evidence.records if record.status != "FINISHED"]
    table = Table(
        "trials",
        (evidence.study.factor, "seed", "status", "accuracy %", "regret", "queries", "seconds", "trial"),
        tuple(
            (
                evidence.study.level(record.trial),
                str(record.trial.seed),
                record.status.lower(),
                _number(record.metrics.get("best_reported")),
                _number(record.metrics.get("regret")),
                str(len(record.ledger)),
                f"{record.ended - record.started:.1f}",
                record.trial.id,
            )
            for record in ordered
        ),
        "Seconds are from the trial's start to its end as the driver saw them.",
        tuple(links(evidence, [record]) for record in ordered),
        folded=len(ordered) > FEW_TRIALS,
    )
    return Section("All trials", (), (), (table,))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
