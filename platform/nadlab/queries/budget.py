"""What a search may spend: full trainings, epochs, or seconds of training, and what a training costs of it."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, Self

from nadlab.benchmarks.fidelity import fidelities_of
from nadlab.benchmarks.oracle import Oracle
from nadlab.errors import UserError

Unit = Literal["queries", "epochs", "seconds"]
_WORDS: dict[str, tuple[Unit, int]] = {
    "": ("queries", 1), "q": ("queries", 1), "queries": ("queries", 1), "epochs": ("epochs", 1),
    "s": ("seconds", 1), "min": ("seconds", 60), "h": ("seconds", 3600), "d": ("seconds", 86_400),
}  # fmt: skip
"""word after the number -> unit, and how many of it"""
_LARGEST = 1e15
_ROUNDING = 1e-6
"""seconds by which a sum of costs may be off"""


@dataclass(frozen=True, slots=True)
class Budget:
    """So much of a unit; a query is a full training, and a shorter one costs its share of the epochs."""

    amount: float
    unit: Unit = "queries"

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the budget of `160q`, `160`, `20000epochs`, `6h`, `90min`, `3600s` or `2d`; raise UserError for another text."""
        found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([a-z]*)", text.strip().lower())
        if not found or found[2] not in _WORDS:
            raise UserError(f"{text!r:.60} is not a budget: write 160q, 20000epochs, 90min or 6h")
        unit, factor = _WORDS[found[2]]
        return cls(float(found[1]) * factor, unit)

    def __post_init__(self) -> None:
        if not 0 < self.amount < _LARGEST or (self.unit != "seconds" and self.amount % 1):
            raise UserError(
                f"a budget must be above 0 and below {_LARGEST:g}, and whole in queries and epochs, not {self}"
            )

    def __str__(self) -> str:
        return f"{self.amount:,g} {self.unit}"


@dataclass(frozen=True, slots=True)
class Training:
    """One training that was paid."""

    key: int
    """of the cell"""
    fidelity: int | None
    """its epochs; None for a full one whose epochs the benchmark does not declare"""
    epochs: int
    """that were paid; 1 where none are declared"""
    seconds: float | None
    """that were paid; None where they are neither known nor expected"""


class Account:
    """What is left of a budget on one benchmark, in epochs (queries where it declares none) or in seconds.

    A training costs its epochs or its seconds; where the benchmark says that trainings can go on, those that a shorter one of
    the same cell lacks. Raises UserError where the benchmark does not say what the budget counts, or pays no full training.
    """

    def __init__(self, oracle: Oracle, budget: Budget) -> None:
        self.budget = budget
        self.fidelities = fidelities_of(oracle)
        self._whole = (self.fidelities.epochs or (1,))[-1]
        self._longest: dict[int, int] = {}
        self.trainings: list[Training] = []
        for unit, known in (("epochs", self.fidelities.epochs), ("seconds", self.fidelities.seconds)):
            if budget.unit == unit and not known:
                others = " or epochs, such as 160q or 20000epochs" if self.fidelities.epochs else ", such as 160q"
                raise UserError(
                    f"{oracle.name} does not say how many {unit} a full training takes: give the budget in queries{others}"
                )
        self._full = float(self.fidelities.seconds or 0) if budget.unit == "seconds" else self._whole
        """what a full training costs, as expected"""
        self._left = budget.amount * (self._full if budget.unit == "queries" else 1)
        if not self.remaining:
            raise UserError(
                f"a budget of {budget} does not pay a full training of {oracle.name}, about {self._full:,.0f} {budget.unit}"
            )

    @property
    def remaining(self) -> int:
        """Full trainings that what is left pays, as expected."""
        return int((self._left + _ROUNDING) // self._full)

    @property
    def epochs(self) -> int | None:
        """All epochs that were paid; None where the benchmark does not declare them."""
        return sum(each.epochs for each in self.trainings) if self.fidelities.epochs else None

    @property
    def seconds(self) -> float | None:
        """All seconds of training that were paid; None where those of a training are neither known nor expected."""
        known = [each.seconds for each in self.trainings if each.seconds is not None]
        return sum(known) if len(known) == len(self.trainings) else None

    def pays(self, keys: Collection[int], fidelity: int | None) -> bool:
        """Return whether what is left pays trainings of these cells, as expected."""
        epochs = sum(self._epochs(key, fidelity) for key in keys)
        return self._full * epochs / self._whole <= self._left + _ROUNDING

    def pay(self, key: int, fidelity: int | None, seconds: float | None) -> bool:
        """Pay a training and return True, or False where it costs more than what is left; seconds: from the start, if known."""
        length, epochs = fidelity or self._whole, self._epochs(key, fidelity)
        if seconds is None and self.fidelities.seconds is not None:
            seconds = self.fidelities.seconds * length / self._whole
        paid = None if seconds is None else seconds * epochs / length
        price = (paid or 0.0) if self.budget.unit == "seconds" else epochs
        if price > self._left + _ROUNDING:
            return False
        self._left -= price
        self._longest[key] = max(length, self._longest.get(key, 0))
        self.trainings.append(Training(key, length if self.fidelities.epochs else None, epochs, paid))
        return True

    def _epochs(self, key: int, fidelity: int | None) -> int:
        begun = self._longest.get(key, 0) if self.fidelities.resumable else 0
        return max(0, (fidelity or self._whole) - begun)
