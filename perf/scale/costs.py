"""What a study costs and where it saturates, as functions of measured rates; `cost_model.py` measures and prints.

A trial costs each part of the study layer a fixed share, a share for every step (a result and a checkpoint) and one for
every value (a number by epoch or query), so a part's cost is (1, steps, values) times three coefficients.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from scipy.optimize import nnls

from nadlab.schedule.trial_schedule import STEPS_A_TRIAL
from perf.scale.sleeping import COLUMNS

PARTS = ("driver_cpu", "delivery_cpu", "delivery_wall", "server_cpu", "ray_cpu")
"""of `benchmarks.usage.Usage`, s a trial"""
SERVER_PROCESSES = 2
"""of `nadlab mlflow` by default"""

Coefficients = Mapping[str, np.ndarray[Any, np.dtype[np.float64]]]


@dataclass(frozen=True)
class Load:
    """A study: its trials, what one is like, and how many run at once."""

    trials: int
    workers: int
    seconds: float
    """of a trial by itself"""
    epochs: int
    queries: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """1, steps and values of a trial."""
        steps = ceil(self.epochs / ceil(self.epochs / STEPS_A_TRIAL))
        return 1, steps, len(COLUMNS) * self.epochs + self.queries


def fit(loads: Sequence[Load], measured: Sequence[Mapping[str, float]]) -> Coefficients:
    """Return each part's coefficients, s, none below zero, by least squares of relative errors over measured runs.

    `measured` holds the parts' s a trial, as `Usage` does; a part that took nothing in every run is left out.
    """
    shapes = np.array([load.shape for load in loads], dtype=float)
    found = {}
    for part in PARTS:
        values = np.array([run[part] for run in measured])
        if values.any():
            found[part], _ = nnls(shapes / values[:, None], np.ones(len(values)))
    return found


def per_trial(load: Load, coefficients: Coefficients) -> dict[str, float]:
    """Return part -> s a trial."""
    return {part: float(np.dot(load.shape, each)) for part, each in coefficients.items()}


def limits(load: Load, coefficients: Coefficients) -> dict[str, float]:
    """Return who -> trials a second that it can take."""
    cost = per_trial(load, coefficients)
    server = {"MLflow's server": SERVER_PROCESSES / cost["server_cpu"]} if "server_cpu" in cost else {}
    return {
        "workers": load.workers / load.seconds if load.seconds else float("inf"),
        # one Python process: its threads take turns
        "driver": 1 / (cost["driver_cpu"] + cost["delivery_cpu"]),
        "Ray's GCS and raylet": 1 / cost["ray_cpu"],
        "delivery to MLflow": 1 / cost["delivery_wall"],
        **server,
    }


@dataclass(frozen=True)
class Cost:
    """What a study takes."""

    hours: float
    """until the last trial has ended; MLflow may still lag behind"""
    worker_hours: float
    """in which a worker trains"""
    delivered_hours: float
    """until MLflow has all"""
    trials_a_second: float
    first_limit: str
    """who would hold more workers up"""
    workers_at_limit: float
    """from which on more workers are no use"""


def cost(load: Load, coefficients: Coefficients) -> Cost:
    """Return hours and limits of a study whose slowest part sets the pace."""
    rates = limits(load, coefficients)
    # delivery has a thread and a queue of its own: it makes no trial wait
    pace = {who: rate for who, rate in rates.items() if who not in ("delivery to MLflow", "MLflow's server")}
    rate = min(pace.values())
    others = {who: each for who, each in pace.items() if who != "workers"}
    first = min(others, key=lambda who: others[who])
    return Cost(
        hours=load.trials / rate / 3600,
        worker_hours=load.trials * load.seconds / 3600,
        delivered_hours=load.trials / min(rates.values()) / 3600,
        trials_a_second=rate,
        first_limit=first,
        workers_at_limit=others[first] * load.seconds,
    )
