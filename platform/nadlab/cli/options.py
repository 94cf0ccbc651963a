"""What options mean: text to seeds and levels."""

import types
import typing

from nadlab.errors import UserError
from nadlab.study.study import Level, TrialSettings


def parse_level(settings: TrialSettings, factor: str, text: str) -> Level:
    """Read a level as the type of its setting; raise UserError when it is none."""
    declared = typing.get_type_hints(type(settings))[factor]
    kinds = typing.get_args(declared) if isinstance(declared, types.UnionType) else (declared,)
    if type(None) in kinds and text.lower() == "none":
        return None
    kind = next(kind for kind in kinds if kind is not type(None))
    try:
        value: Level = {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
    except (ValueError, KeyError):
        raise UserError(f"{text!r} is no level of {factor}: it must be a {kind.__name__}") from None
    return value


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read seeds: a count (`10`), a range (`0-9`), a list (`1,4,7`) or a mixture; UserError otherwise."""
    seeds: list[int] = []
    try:
        if text.strip().isdigit():
            seeds = list(range(int(text)))
        else:
            for part in filter(None, text.split(",")):
                first, dash, last = part.strip().partition("-")
                seeds += range(int(first), int(last) + 1) if dash else [int(first)]
    except ValueError:
        seeds = []
    if not seeds or len(set(seeds)) < len(seeds):
        raise UserError(f"{text!r} names no seeds: give a count (10), a range (0-9) or a list of distinct ones (1,4,7)")
    return tuple(seeds)
