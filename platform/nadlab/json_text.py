"""Strict JSON (RFC 8259): it has no NaN and no infinity, which Python's own writer would write all the same."""

import json
import math
import os
from pathlib import Path
from typing import Any

from nadlab.errors import UserError


def strict_json(value: object, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """Return a value as strict JSON; raise UserError that names the field which is NaN or infinite.

    What is missing is None, written as null.
    """
    try:
        return json.dumps(value, allow_nan=False, indent=indent, sort_keys=sort_keys)
    except ValueError as error:
        if "circular" in str(error).lower():
            raise
        raise UserError(
            f"{_not_finite(value, '')}, which JSON cannot hold: a missing number is written as null"
        ) from error


def _not_finite(value: object, name: str) -> str | None:
    """Return the first number that is not finite, with its place such as `history[3].loss`."""
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{name or 'the value'} is {value}"
    if isinstance(value, dict):
        parts = [(f"{name}.{key}" if name else str(key), each) for key, each in value.items()]
    elif isinstance(value, list | tuple):
        parts = [(f"{name}[{index}]", each) for index, each in enumerate(value)]
    else:
        return None
    return next((found for place, each in parts if (found := _not_finite(each, place))), None)


def read_json(path: Path) -> Any:
    """Return what a JSON file of ours holds; raise UserError when it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): delete it, or choose another folder with --out") from error


def read_json_lines(path: Path, key: str) -> dict[Any, dict[str, Any]]:
    """Return the objects of a file of ours with an object a line, by the value that `key` has in each.

    Raises UserError that names a line which is damaged or cut.
    """
    found = {}
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        try:
            if not line.endswith(b"\n"):
                raise ValueError("it is cut")
            row = json.loads(line)
            found[row[key]] = row
        except (ValueError, LookupError, TypeError) as error:
            raise UserError(
                f"line {number} of {path} is damaged ({error!r}): delete it, and it will be recreated"
            ) from error
    return found


def write_json(path: Path, value: object) -> None:
    """Write a JSON file such that a reader, also after a crash, finds the old or the new content and no mixture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    text = strict_json(value)
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
