"""What one search found."""

from dataclasses import dataclass, field, fields
from typing import Any

from nadlab.benchmarks.oracle import Split
from nadlab.queries.ledger import Query


@dataclass(frozen=True, slots=True)
class Search:
    """One method and seed; answers and regret in the metric's unit, None where the benchmark has none."""

    method: str
    benchmark: str
    protocol: str
    seed: int
    queries: int
    best_valid: float | None
    best_test: float | None
    """of the cell that is best by search accuracy"""
    regret: float | None
    """optimum less that cell's reported accuracy; None where the benchmark does not know its optimum"""
    seconds: float
    feasible: int | None = None
    """queries that keep the constraints; None without constraints"""
    ledger: tuple[Query, ...] = field(default=(), repr=False)
    """the queries in order"""
    trainings: int | None = None
    """of any length; None with a budget in queries, as what they took"""
    epochs: int | None = None
    training_seconds: float | None = None
    settings: str | None = None
    """of the method that differ from its defaults, such as `share = 0.2`; None where none does"""

    def row(self) -> dict[str, Any]:
        """Return the values by name, without a regret or cost that is unknown and what there is with goals alone."""
        optional = ("regret", "feasible", "trainings", "epochs", "training_seconds", "settings")
        found = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "ledger"}
        return {name: value for name, value in found.items() if name not in optional or value is not None}

    def reported(self, split: Split) -> float:
        """Return that cell's accuracy on the split by which the benchmark reports; only a search that found one has it."""
        value = self.best_valid if split == "valid" else self.best_test
        assert value is not None
        return value

    def found(self, split: Split) -> bool:
        """Return whether there is such a cell: none of the queries may keep the constraints."""
        return (self.best_valid if split == "valid" else self.best_test) is not None
