"""Hyperparameters of a search method: the fields of its frozen dataclass, by name.

A field of type int, float, bool, str, or one of them or None, is a hyperparameter: its attribute docstring is its meaning,
its metadata may declare the range over which it is tuned. A field that holds a dataclass of hyperparameters gives them its
name as a prefix, `pretraining.epochs`, unless it is declared INLINE. Fields of other types are no hyperparameters.
"""

import ast
import inspect
import textwrap
import types
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any, TypeVar

from nadlab.errors import UserError
from nadlab.parameters.values import Value, alternatives, declared_types

INLINE: Mapping[str, Any] = {"inline": True}
"""metadata of a field whose dataclass gives its hyperparameters as the method's own"""
INERT = "-"
"""stands for the value of a hyperparameter of another method than the one that runs"""
_SCALARS = (int, float, bool, str)
AnyMethod = TypeVar("AnyMethod")


@dataclass(frozen=True, slots=True)
class Range:
    """Where a hyperparameter may be tuned: from `low` to `high`, on a logarithmic scale with `log`, or among `choices`."""

    low: float = 0
    high: float = 0
    log: bool = False
    choices: tuple[Value, ...] = ()

    @property
    def text(self) -> str:
        """The range in words."""
        between = f"{self.low:g} to {self.high:g}{', log' * self.log}"
        return ", ".join(map(str, self.choices)) if self.choices else between


def tunable(low: float, high: float, *, log: bool = False) -> Mapping[str, Any]:
    """Return a field's metadata: it may be tuned from `low` to `high`, both included."""
    return {"range": Range(low, high, log)}


def tunable_among(*choices: Value) -> Mapping[str, Any]:
    """Return a field's metadata: it may be tuned among values that have no order, or few."""
    return {"range": Range(choices=choices)}


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """One hyperparameter of a method."""

    kind: Any
    """its declared type"""
    default: Value
    meaning: str
    """the field's docstring, empty where it has none"""
    range: Range | None
    """over which it is tuned; None also where its value changes nothing, or is None"""


def hyperparameters(method: object, inert: Collection[str] = ()) -> dict[str, Hyperparameter]:
    """Return name -> hyperparameter of a method, its present values as defaults; a method that is not a dataclass has none.

    inert: names whose value changes nothing. A method that knows its own has a method `inert`.
    """
    if not is_dataclass(method) or isinstance(method, type):
        return {}
    found: dict[str, Hyperparameter] = {}
    inert = inert or (method.inert() if hasattr(method, "inert") else ())
    kinds, meanings = declared_types(type(method)), _docstrings(type(method))
    for each in fields(method):
        value, kind = getattr(method, each.name), kinds[each.name]
        if is_dataclass(value):
            inline = bool(each.metadata.get("inline"))
            inner = hyperparameters(value, inert if inline else ())
            found |= {f"{'' if inline else f'{each.name}.'}{name}": one for name, one in inner.items()}
        elif set(alternatives(kind)) <= {*_SCALARS, types.NoneType}:
            within = None if each.name in inert or value is None else each.metadata.get("range")
            found[each.name] = Hyperparameter(kind, value, meanings.get(each.name, ""), within)
    return found


def with_values(method: AnyMethod, values: Mapping[str, Value]) -> AnyMethod:
    """Return a method with other values of hyperparameters that it has; it checks them itself."""
    changes: dict[str, Any] = {}
    for each in fields(method) if values else ():  # type: ignore[arg-type]
        inner = getattr(method, each.name)
        if each.name in values:
            changes[each.name] = values[each.name]
        elif is_dataclass(inner):
            prefix = "" if each.metadata.get("inline") else f"{each.name}."
            names = {f"{prefix}{name}": name for name in hyperparameters(inner)}
            if own := {names[name]: value for name, value in values.items() if name in names}:
                changes[each.name] = with_values(inner, own)
    return replace(method, **changes) if changes else method  # type: ignore[type-var]


def at_least(least: float, method: object, *names: str) -> None:
    """Raise UserError that names the first of some fields that is below a bound, or no number."""
    for name in names:
        if not (value := getattr(method, name)) >= least:
            raise UserError(f"{name} must be at least {least:g}, not {value:g}")


def positive(method: object, *names: str) -> None:
    """Raise UserError that names the first of some fields that is not positive."""
    for name in names:
        if not (value := getattr(method, name)) > 0:
            raise UserError(f"{name} must be positive, not {value:g}")


def between(low: float, high: float, method: object, *names: str) -> None:
    """Raise UserError that names the first of some fields that is not in [low, high]."""
    for name in names:
        if not low <= (value := getattr(method, name)) <= high:
            raise UserError(f"{name} must lie between {low:g} and {high:g}, not {value:g}")


def among(choices: Collection[Value], method: object, *names: str) -> None:
    """Raise UserError that names the first of some fields that is none of the choices."""
    for name in names:
        if (value := getattr(method, name)) not in choices:
            raise UserError(f"{name} must be one of {', '.join(map(str, choices))}, not {value!r}")


@cache
def _docstrings(kind: type) -> Mapping[str, str]:
    """Return field -> the string that follows it in the source of the class or of one that it extends."""
    inherited = {
        name: text for base in kind.__bases__ if is_dataclass(base) for name, text in _docstrings(base).items()
    }
    try:
        source = inspect.getsource(kind)
    except OSError:  # defined at a prompt
        return inherited
    (declared,) = ast.parse(textwrap.dedent(source)).body
    assert isinstance(declared, ast.ClassDef)
    return inherited | {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairwise(declared.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }  # fmt: skip
