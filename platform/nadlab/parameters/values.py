"""Values as the declared type of their setting, so that 1, 1.0 and "1" are one value."""

import math
import types
import typing
from functools import cache
from numbers import Integral, Real
from typing import Any

from nadlab.errors import UserError

Value = float | int | str | bool | None
WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
TRUTHS = {"true": True, "1": True, "false": False, "0": False}


@cache
def declared_types(owner: type) -> dict[str, Any]:
    """Return field -> declared type of a dataclass."""
    return typing.get_type_hints(owner)


def coerced(declared: Any, name: str, value: object) -> Value:
    """Return a value or its text as a setting's declared type; raise UserError when it is not a level of it.

    A type that is neither bool, int, float, str, None nor a union or Literal of them leaves the value as it is.
    """
    kinds = alternatives(declared)
    if type(None) in kinds and (value is None or (isinstance(value, str) and value.lower() == "none")):
        return None
    plain = [kind for kind in kinds if kind is not type(None)]
    if not all(kind in WORDS or typing.get_origin(kind) is typing.Literal for kind in plain):
        return typing.cast(Value, value)
    # its own type first: in int | str, "1" is a text
    for kind in sorted(plain, key=lambda kind: kind is not type(value)):
        found = _as(kind, value)
        if found is not None:
            return found
    expected = " or ".join([_words(kind) for kind in plain] + ["none"] * (type(None) in kinds))
    raise UserError(f"{value!r} is not a level of {name}: it must be {expected}")


def alternatives(declared: Any) -> tuple[Any, ...]:
    """Return the types of a union, or the type alone."""
    union = isinstance(declared, types.UnionType) or typing.get_origin(declared) is typing.Union
    return typing.get_args(declared) if union else (declared,)


def _words(kind: Any) -> str:
    return WORDS[kind] if kind in WORDS else "one of " + ", ".join(map(str, typing.get_args(kind)))


def _as(kind: Any, value: object) -> Value:
    """Return a value as one type, None where it is none."""
    if typing.get_origin(kind) is typing.Literal:
        return next((choice for choice in typing.get_args(kind) if value == choice or value == str(choice)), None)
    if kind is str:
        return str(value) if isinstance(value, str) else None
    if kind is bool:
        return TRUTHS.get(str(value).strip().lower())
    return _number(kind, value)


def _number(kind: type, value: object) -> int | float | None:
    """Return a number or its text as int or float: 60, 60.0 and "6e1" are one int; None for 0.5 as int, nan and infinity."""
    if isinstance(value, bool) or not isinstance(value, str | Real):
        return None
    if kind is int and isinstance(value, Integral):
        return int(value)
    try:
        number = float(value) + 0.0  # -0.0 is 0.0
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number) or (kind is int and not number.is_integer()):
        return None
    return number if kind is float else int(number)
