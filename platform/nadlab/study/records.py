"""What a study leaves on disk: frozen values, written as JSON at once or not at all.

A trial's identity is what decides its result: benchmark table, protocol, settings, seed and trainable, but not its study.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.oracle import ACCURACY, Metric, Split
from nadlab.benchmarks.presets import PAPER, WORDS, benchmark_text
from nadlab.json_text import strict_json
from nadlab.parameters.hyperparameters import INERT
from nadlab.queries.ledger import Query

Status = Literal["FINISHED", "FAILED", "KILLED"]
"""MLflow's words; a trial that a pruner stopped early is KILLED"""
UNCHANGED = "nothing"
"""default level of a study that changes one factor at a time"""


@dataclass(frozen=True)
class Trial:
    """One configuration and seed on one benchmark table."""

    benchmark: str
    digest: str
    """SHA-256 of the benchmark's table"""
    seed: int
    settings: dict[str, Any]
    """every field of the study's settings"""
    trainable: str
    """module:class"""
    protocol: str = PAPER
    """by which the benchmark answers (`nadlab.benchmarks.presets`)"""

    def value(self, factor: str) -> Any:
        """Return a setting, INERT for a hyperparameter of another method than the trial's."""
        return self.settings.get(factor, INERT if "." in factor else None)  # goals that are not set are left out

    @property
    def epochs(self) -> int:
        """Epochs of the trial, 1 where it has none."""
        return int(self.settings.get("epochs", 1))

    @cached_property
    def id(self) -> str:
        """Sixteen hexadecimal digits that name this trial on every machine."""
        content = asdict(self)
        if self.protocol == PAPER:  # the only one of early versions, whose trials keep their names
            del content["protocol"]
        return hashlib.sha256(strict_json(content, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Record:
    """A trial that ended: all that its reports and its MLflow run are made of."""

    trial: Trial
    status: Status
    metrics: dict[str, float | None]
    """the last result's numbers; None where the benchmark has none"""
    history: list[dict[str, float | None]]
    """losses, one row an epoch, all of them finite; PP's tau where a study watches it, None of constant predictions"""
    ledger: list[dict[str, Any]]
    """queries in order: number, key, cell, valid, test (percent)"""
    started: float
    """seconds since 1970, of the process that ended the trial"""
    ended: float
    provenance: dict[str, str]
    """git revision, versions, host"""
    error: str | None = None
    """traceback of a failed trial; one sentence where it diverged"""
    trained: list[dict[str, Any]] = field(default_factory=list)
    """how its epochs were trained (`nadlab.provenance.training.Segment`); empty where a trainable does not say"""
    diverged: bool = False
    """a failed trial whose numbers did not stay finite: it would diverge again"""

    @property
    def is_final(self) -> bool:
        """Whether the study has no reason to run the trial again."""
        return self.status != "FAILED" or self.diverged

    @property
    def is_judged(self) -> bool:
        """Whether it finished with a best cell: none of its queries may keep its constraints."""
        return self.status == "FINISHED" and self.metrics.get("best_reported") is not None

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        """The ledger's queries in order."""
        return tuple(Query(**query) for query in self.ledger)

    @property
    def accuracy(self) -> float:
        """Reported accuracy of the best cell in percent; only a trial that is judged is sure to have one."""
        value = self.metrics["best_reported"]
        assert value is not None
        return float(value)

    @cached_property
    def digest(self) -> str:
        """Fingerprint of the whole record: a delivery to MLflow carries it."""
        return hashlib.sha256(strict_json(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class StudyRecord:
    """What a study's folder belongs to; `settings` lack the factors, which are free to grow."""

    study: str
    question: str
    expectation: str
    trainable: str
    benchmark: str
    digest: str
    preset: str
    """protocol by which the benchmark answers (`nadlab.benchmarks.presets`)"""
    search_split: Split
    report_split: Split
    optimum: float | None
    """best reported accuracy that the table allows, percent; None where it is unknown"""
    settings: dict[str, Any]
    default: dict[str, Any]
    """factor -> its default level"""
    study_id: str
    """drawn when the folder was made: the parent run in MLflow carries it"""
    published: dict[str, float] = field(default_factory=dict)
    """level as text -> accuracy that a paper reports, percent"""
    one_at_a_time: bool = False
    """a trial differs from the default in one factor at most, and its level is named by that"""
    names: dict[str, str] = field(default_factory=dict)
    """level as text -> the short name by which a report calls it"""
    reference: str = "default"
    """the word for `default`: `baseline` where the user named the level to compare with"""
    answers: str = "unknown"
    """`stored`, `predicted` or `trained`, where the benchmark says so"""
    trained_by: str = ""
    """who trained the benchmark's cells; empty where it does not say"""
    training_code: str = ""
    """the command that trains them anew; empty where the benchmark names none"""
    chosen_on: dict[str, list[str] | None] = field(default_factory=dict)
    """settings or method -> benchmarks on which they were chosen: none for published settings, None where that is not known"""
    origin: dict[str, str] = field(default_factory=dict)
    """git revision and what else decides results (`nadlab.provenance.code.origin`); empty in folders of early versions"""
    sources: dict[str, dict[str, str]] = field(default_factory=dict)
    """part of the code -> file -> digest (`nadlab.provenance.code.Sources`)"""

    metric: dict[str, Any] = field(default_factory=lambda: asdict(ACCURACY))
    """fields of `Metric`: what the benchmark's answers are"""
    objectives: list[dict[str, Any]] = field(default_factory=list)
    """fields of `Metric` of each objective, the range over the benchmark where it is known; empty for the metric alone"""
    outcomes: list[str] = field(default_factory=lambda: ["final"])
    """names of `nadlab.study.outcomes`; the first decides the conclusions"""
    smallest_effect: float | None = None
    """smallest difference of interest in the first outcome; None: the outcome's own"""
    search_optimum: float | None = None
    """best answer of the table by the search split; None where it is unknown"""
    held_out: bool = False
    """no setting may be chosen on the benchmark"""
    looks: list[list[int]] = field(default_factory=list)
    """the seeds of each run of the study that added some; empty in folders of early versions"""

    @property
    def measured(self) -> Metric:
        """What the benchmark's answers are."""
        return Metric(**self.metric)

    def regret(self, reported: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far reported answers are from the table's best, which is known, in the metric's unit, their shape."""
        assert self.optimum is not None
        return self.optimum - reported if self.measured.maximise else reported - self.optimum

    @property
    def benchmark_text(self) -> str:
        """The benchmark's name, with its protocol where that is not the paper's."""
        return benchmark_text(self.benchmark, self.preset)

    @property
    def searched_by(self) -> str:
        """The split that the search sees, as a word."""
        return WORDS[self.search_split]

    @property
    def reported_by(self) -> str:
        """The split that is reported, as a word."""
        return WORDS[self.report_split]

    @property
    def is_tuning(self) -> bool:
        """A sampler chose the levels: `settings` describe the search (`nadlab.study.tuning.tuning_record`)."""
        return {"sampler", "objectives", "seeds"} <= self.settings.keys()

    def level(self, trial: Trial) -> str:
        """Return a trial's level of the study's factors as text, such as `0.3`, or `coverage 0.3` one at a time."""
        values = {factor: trial.value(factor) for factor in self.default}
        if not self.one_at_a_time:
            return self._named(level_text(values))
        changes = {factor: value for factor, value in values.items() if value != self.default[factor]}
        return ", ".join(f"{factor} {value_text(value)}" for factor, value in changes.items()) or UNCHANGED

    @property
    def default_level(self) -> str:
        """The default level as text."""
        return UNCHANGED if self.one_at_a_time else self._named(level_text(self.default))

    @property
    def factor(self) -> str:
        """The factor's name; several are joined by ` x `, or called by one word where levels have names of their own."""
        return "change" if self.one_at_a_time else "configuration" if self.names else " x ".join(self.default)

    def _named(self, level: str) -> str:
        return self.names.get(level, level)


def origin_text(origin: Mapping[str, str]) -> str:
    """Return git revision and digest of the code in words."""
    revision, code = origin.get("git_revision", "unknown"), origin.get("code", "unknown")
    commit, dirty, _ = revision.partition("+")
    return f"revision {commit[:12]}{dirty and '+dirty'} (code {code})"


def value_text(value: object) -> str:
    """Return the level of a factor as text."""
    return "none" if value is None else str(value)


def level_text(values: Mapping[str, Any]) -> str:
    """Return levels of the factors, in their order, as text."""
    return ", ".join(map(value_text, values.values()))


def read_record(path: Path) -> Record:
    """Read a record; raise ValueError (also for incomplete JSON), KeyError or TypeError when the file is none."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    return Record(**raw | {"trial": Trial(**raw["trial"])})
