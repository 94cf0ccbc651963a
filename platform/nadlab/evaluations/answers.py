"""The answers of a benchmark's `evaluate`, checked before anything else sees them."""

from collections.abc import Mapping, Sequence
from reprlib import repr as short

from nadlab.benchmarks.fidelity import evaluate_at
from nadlab.benchmarks.oracle import SPLITS, Evaluation, Metric, Oracle, Split, metric_of, quantities_of
from nadlab.errors import UserError
from nadlab.spaces import Cells
from nadlab.spaces.cells import shown

SECONDS = Metric("seconds", "s", low=0.0, high=None)
NAMED = 3
"""cells that a sentence names; of others it says how many"""


class EvaluationFailed(RuntimeError):  # noqa: N818 - as Python's own: its cause is the error
    """A benchmark's own code raised; the cause is what it raised."""


def evaluated(oracle: Oracle, cells: Cells, fidelity: int | None = None) -> list[Evaluation]:
    """Evaluate cells in one call and return the checked answers; fidelity: epochs of the trainings, None for full ones.

    Raises UserError as `checked` does, and EvaluationFailed that names benchmark and cells when `evaluate` raises.
    """
    try:
        answers = evaluate_at(oracle, cells, fidelity)
    except (UserError, EvaluationFailed):
        raise
    except (Exception, SystemExit) as error:
        if hasattr(error, "ray_terminate_msg"):  # Ray ends this process
            raise
        raise EvaluationFailed(
            f"{oracle.name} raised {type(error).__name__} ({error}) when it evaluated {_named(oracle, cells)}"
        ) from error
    needed = (oracle.search_split,) if fidelity else (oracle.search_split, oracle.report_split)
    return checked(answers, oracle, cells, needed)


def checked(answers: object, oracle: Oracle, cells: Cells, needed: Sequence[Split]) -> list[Evaluation]:
    """Return what `evaluate` returned for cells, with plain floats.

    Raises UserError that names benchmark, cell and value where there is not one answer a cell, or where an answer lacks a
    number in the metric's range on a split: both splits must be there, and one that is not needed may be None. Raises it
    too where a further quantity is not a finite number or was not declared, and where the seconds are no number.
    """
    if not isinstance(answers, Sequence) or len(answers) != len(cells):
        found = f"{len(answers)} answers" if isinstance(answers, Sequence) else short(answers)
        raise UserError(
            f"{oracle.name} returned {found} for {len(cells)} cells ({_named(oracle, cells)}): its evaluate must return a "
            "list with one Evaluation per cell, in their order"
        )
    answered = []
    for cell, answer in zip(cells, answers, strict=True):
        valid, test = (_accuracy(oracle, cell, answer, split, split not in needed) for split in SPLITS)
        failed, seconds = str(getattr(answer, "failed", "")), getattr(answer, "seconds", None)
        if seconds is not None and SECONDS.number(seconds) is None:
            raise UserError(
                f"{oracle.name} answered {shown(cell, oracle.space)} with seconds = {short(seconds)}: they must be "
                f"{SECONDS.range_text}, or None"
            )
        answered.append(Evaluation(valid, test, _extras(oracle, cell, answer), failed, SECONDS.number(seconds)))
    return answered


def _accuracy(oracle: Oracle, cell: Cells, answer: object, split: Split, optional: bool) -> float | None:
    value = getattr(answer, split, answer)  # an answer without the split is not a number, and is named
    if value is None and answer is not None and optional:
        return None
    number = metric_of(oracle).number(value)
    if number is None or value is answer:
        raise UserError(
            f"{oracle.name} answered {shown(cell, oracle.space)} with {split} = {short(value)}: its evaluate must return an "
            f"Evaluation whose {split} is {metric_of(oracle).range_text}{', or None' if optional else ''}"
        )
    return number


def _extras(oracle: Oracle, cell: Cells, answer: object) -> dict[str, float]:
    extras, declared = getattr(answer, "extras", {}), {each.name: each for each in quantities_of(oracle)}
    if not isinstance(extras, Mapping):
        raise UserError(
            f"{oracle.name} answered {shown(cell, oracle.space)} with extras = {short(extras)}: they must be a dict"
        )
    found = {}
    for name, value in extras.items():
        number = declared[name].number(value) if name in declared else None
        if number is None:
            raise UserError(
                f"{oracle.name} answered {shown(cell, oracle.space)} with extras[{name!r}] = {short(value)}: "
                + ("it must be a finite number, or be left out" if name in declared else "name it in its quantities")
            )
        found[name] = number
    return found


def _named(oracle: Oracle, cells: Cells) -> str:
    more = f" and {len(cells) - NAMED} more" if len(cells) > NAMED else ""
    return ", ".join(shown(cell, oracle.space) for cell in cells[:NAMED]) + more
