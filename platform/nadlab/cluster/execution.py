"""Where and how the trials of a study run."""

from dataclasses import dataclass, field
from pathlib import Path

from nadlab.evaluations.config import EvaluationConfig


@dataclass(frozen=True)
class ExecutionConfig:
    """Where and how a study runs."""

    out: Path
    tracking_uri: str | None = None
    """None: a SQLite store in `out`"""
    address: str | None = None
    """None: a Ray cluster of this process"""
    concurrent: int | None = None
    """None: one trial a CPU"""
    gpus_per_trial: float | None = None
    """a fraction or a number; None: an even share of the cluster's"""
    pack: int = 1
    """trials that are trained at once in one process, at most"""
    anyway: bool = False
    """add to a folder that another version of the code filled"""
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    """of a benchmark that is not free"""
