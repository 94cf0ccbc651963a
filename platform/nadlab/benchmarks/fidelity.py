"""Fidelities: the lengths of training that a benchmark answers for, the last of which is what results are reported by."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from nadlab.benchmarks.oracle import Evaluation, Oracle
from nadlab.errors import UserError
from nadlab.spaces import Cells


@dataclass(frozen=True, slots=True)
class Fidelities:
    """What a benchmark declares about the lengths of its trainings; the defaults claim nothing."""

    epochs: tuple[int, ...] = ()
    """ascending; the last is the full training, which `evaluate(cells)` answers with; empty where they are not known"""
    seconds: float | None = None
    """of a full training, as expected before it has run; None where that is not known"""
    resumable: bool = False
    """whether a training goes on from a shorter one of the same cell and costs the difference; else it starts anew"""
    estimate: str = ""
    """how the seconds of answers are estimated; empty where they were measured"""

    def __post_init__(self) -> None:
        if any(shorter >= longer for shorter, longer in pairwise((0, *self.epochs))):
            raise UserError(f"fidelities must be epochs in ascending order, from 1 on, not {self.epochs}")


class MultiFidelity(Protocol):
    """What an `Oracle` with several fidelities has beside them."""

    def evaluate(self, cells: Cells, fidelity: int) -> list[Evaluation]:
        """Return what trainings of so many epochs answer; by the split that is not searched they may answer None."""
        ...


def fidelities_of(oracle: Oracle) -> Fidelities:
    """Return the lengths of a benchmark's trainings, as it declares them; most of one's own declare nothing."""
    found: Fidelities = getattr(oracle, "fidelities", Fidelities())
    return found


def lower_fidelities(oracle: Oracle) -> Sequence[int]:
    """Return the epochs of all trainings that are shorter than the full one, ascending; raise UserError where there are none."""
    epochs = fidelities_of(oracle).epochs
    if len(epochs) < 2:
        raise UserError(one_fidelity(oracle))
    return epochs[:-1]


def one_fidelity(oracle: Oracle) -> str:
    """Return the sentence that says that a benchmark has only full trainings."""
    return (
        f"{oracle.name} has only full trainings, and the method needs shorter ones too: choose another method, or a "
        "benchmark with several fidelities, such as nasbench101"
    )


def evaluate_at(oracle: Oracle, cells: Cells, fidelity: int | None) -> list[Evaluation]:
    """Return a benchmark's answers by trainings of so many epochs, None for the full ones."""
    if fidelity is None:
        return oracle.evaluate(cells)
    shorter: MultiFidelity = oracle  # type: ignore[assignment] # one that declares lower fidelities takes them
    return shorter.evaluate(cells, fidelity)
