"""How the evaluations of a benchmark that trains are run and kept."""

from dataclasses import dataclass, replace

from nadlab.benchmarks.oracle import Cost, Oracle, cost_of
from nadlab.errors import UserError

_OPTIONS = {
    "retries": "--retries",
    "timeout": "--evaluation-timeout",
    "cpus": "--cpus-per-evaluation",
    "gpus": "--gpus-per-evaluation",
}


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """Where evaluations are kept, what each gets, and when one counts as failed."""

    store: str | None = None
    """a folder, with one SQLite file a benchmark, or the URL of a PostgreSQL database; None: the study's own folder"""
    retries: int = 1
    """further attempts of a training that failed, whatever the reason"""
    timeout: float | None = None
    """seconds after which a training that runs counts as failed; None: it may take as long as it takes"""
    cpus: float | None = None
    """instead of what the benchmark declares"""
    gpus: float | None = None
    """the same"""

    def check(self, oracle: Oracle) -> None:
        """Raise UserError when it says how to train on a benchmark that declares no cost, and so trains nothing."""
        given = [
            option for name, option in _OPTIONS.items() if getattr(self, name) != getattr(EvaluationConfig(), name)
        ]
        if given and cost_of(oracle) is None:
            raise UserError(
                f"{given[0]} is for benchmarks that train, and {oracle.name} declares no cost of a training: leave it out"
            )

    def granted(self, cost: Cost) -> Cost:
        """Return what each evaluation of a benchmark gets."""
        cpus, gpus = (cost.cpus if self.cpus is None else self.cpus), (cost.gpus if self.gpus is None else self.gpus)
        return replace(cost, cpus=cpus, gpus=gpus)
