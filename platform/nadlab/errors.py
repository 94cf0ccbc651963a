"""The one exception for bad input: a sentence that says what is wrong, where, and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """Input that the user can mend; command lines print its sentence and exit with status 2."""


def did_you_mean(name: str, known: Iterable[str], before: str = "") -> str:
    """Return the question after the nearest known name, with a space behind it; empty where none is near.

    before: what is written before that name.
    """
    near = get_close_matches(name, known, 1)
    return f"did you mean {before}{near[0]}? " if near else ""
