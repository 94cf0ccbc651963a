"""Origin of the results: runs, code, versions, machines, settings."""

from datetime import UTC, datetime

import numpy as np

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.sections.content import Section, Table
from nadlab.analysis.sections.tables import links
from nadlab.analysis.text import number, regret_cells


def provenance(evidence: Evidence, _rng: np.random.Generator) -> Section | None:
    """Return benchmark, code, versions and settings of the results."""
    if not evidence.records:
        return None
    study = evidence.study
    values = {
        key: evidence.provenance(key) for key in sorted({key for each in evidence.records for key in each.provenance})
    }
    said = []
    if len(values.get("git_revision", [])) > 1:
        said.append("Trials come from several revisions of the code.")
    if any(value.endswith("+dirty") or value == "unknown" for value in values.get("git_revision", [])):
        said.append("Some of the code was not committed: these results can't be reproduced from a revision alone.")
    first = min(record.started for record in evidence.records)
    last = max(record.ended for record in evidence.records)
    rows = [
        ("study", study.study),
        ("benchmark", study.benchmark),
        ("benchmark digest (SHA-256)", study.digest),
        ("protocol", study.preset),
        ("searched by, reported by", f"{study.searched_by}, {study.reported_by} {study.measured.name}"),
        *((("best of the table", study.measured.text(study.optimum)),) if study.optimum is not None else ()),
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
        f"Settings of the {study.reference} level; the factors vary as the tables above show.",
        folded=f"{len(study.settings) + len(study.default)} settings",
    )
    return Section("Provenance", tuple(said), (), (Table("provenance", ("", ""), tuple(rows)), settings), folded=True)


def all_trials(evidence: Evidence, _rng: np.random.Generator) -> Section | None:
    """Return every trial with its run."""
    if not evidence.records:
        return None
    ordered = [record for group in evidence.groups.values() for record in group]
    ordered += [record for record in evidence.records if not record.is_judged]
    regret = () if evidence.study.optimum is None else ("regret",)
    table = Table(
        "trials",
        (
            evidence.study.factor,
            "seed",
            "status",
            evidence.study.measured.heading,
            *regret,
            "queries",
            "seconds",
            "trial",
        ),
        tuple(
            (
                evidence.study.level(record.trial),
                str(record.trial.seed),
                record.status.lower(),
                number(record.metrics.get("best_reported"), evidence.study.measured.places),
                *regret_cells(evidence.study, record.metrics.get("regret")),
                str(len(record.ledger)),
                f"{record.ended - record.started:.1f}",
                record.trial.id,
            )
            for record in ordered
        ),
        "Seconds are from the trial's start to its end, as seen by the driver.",
        tuple(links(evidence, [record]) for record in ordered),
    )
    return Section("All trials", (), (), (table,), folded=True)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
