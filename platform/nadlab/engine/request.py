"""The configuration of a trainable: `config["trial"]`, or `config["trials"]` for several trials in one process."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from math import ceil
from pathlib import Path
from typing import Any

from nadlab.evaluations.config import EvaluationConfig
from nadlab.schedule.trial_schedule import STEPS_A_TRIAL
from nadlab.study.records import Trial

FIELDS = [each.name for each in fields(Trial)]


def request(
    trial: Trial,
    resume: Path | None = None,
    watch: bool = False,
    evaluations: EvaluationConfig | None = None,
    stand_in: bool = False,
) -> dict[str, Any]:
    """Return the request of one trial; trainables open its benchmark with `nadlab.queries.opening.opened`.

    resume: the checkpoint from which the trial continues. watch: report history and ledger, with PP's tau, at every step.
    evaluations: how those of a benchmark that is not free are run and kept. stand_in: evaluate nothing.
    """
    return {
        "id": trial.id,
        **asdict(trial),
        "epochs_per_step": ceil(trial.epochs / STEPS_A_TRIAL),
        "resume": str(resume.absolute()) if resume else None,
        "watch": watch,
        "evaluations": asdict(evaluations) if evaluations else None,
        "stand_in": stand_in,
    }


def is_pack(config: Mapping[str, Any]) -> bool:
    """Return whether the process takes a list of trials."""
    return "trials" in config


def requests(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the requests of a process: one, or those of a pack, all of one study."""
    return config["trials"] if is_pack(config) else [config["trial"]]


def trials_of(config: Mapping[str, Any]) -> list[Trial]:
    """Return the trials of a process."""
    return [Trial(**{name: each[name] for name in FIELDS}) for each in requests(config)]


def name_of(config: Mapping[str, Any]) -> str:
    """Return the name of a process: the id of its trial, or the id of a pack's first trial and the number of the others."""
    first, *others = requests(config)
    return f"{first['id']}-and-{len(others)}" if others else str(first["id"])
