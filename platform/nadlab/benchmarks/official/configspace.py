"""What the columns of NAS-Bench-301's surrogates read, from the official package's own files.

No ConfigSpace of today opens them (docs/official_packages.md has the errors), so they are read without importing the
package: `configspace.json`, and as literals the fixed training settings of `api.py` and the ranges that `surrogate_models/utils.py`
widens. Order and values are those of ConfigSpace 0.4: unconditional hyperparameters by name, then conditional ones by
name; a choice is its index, a number its place in its range.
"""

import ast
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.surrogates.features import CHOICES
from nadlab.errors import UserError
from nadlab.spaces.darts.cells import INNER_OPERATIONS

_KINDS = {"UniformIntegerHyperparameter": "uniform_int", "UniformFloatHyperparameter": "uniform_float"}
_BOOLEANS = {"True": True, "False": False}
_ROUNDING = 0.49999
"""ConfigSpace widens the range of an integer by this on both sides."""


@dataclass(frozen=True)
class Columns:
    """The C columns that an official surrogate reads."""

    names: tuple[str, ...]
    feature: NDArray[np.int32]
    """of `nadlab.benchmarks.surrogates.features.darts_choices`, (C,); -1 where a column is a training setting"""
    setting: NDArray[np.float64]
    """value of the training setting, the same for every architecture, (C,); NaN elsewhere"""


@cache
def columns() -> Columns:
    """Return the columns; raise UserError when the package is not installed, or holds something else."""
    space = json.loads(official_file("configspace.json").read_text(encoding="utf-8"))
    try:
        settings = _assigned(official_file("api.py"), "fixed_hyperparameters")
        hyperparameters = {one["name"]: one for one in space["hyperparameters"]}
        hyperparameters |= {one["name"]: one for one in _widened(official_file("surrogate_models/utils.py"))}
        conditional = {condition["child"] for condition in space["conditions"]}
        names = tuple(sorted(hyperparameters, key=lambda name: (name in conditional, name)))
        feature = [-1 if name in settings else _feature(hyperparameters[name]) for name in names]
        setting = [
            _VALUES[(h := hyperparameters[n])["type"]](h, settings[n]) if n in settings else np.nan for n in names
        ]
    except (KeyError, TypeError, ValueError, StopIteration, SyntaxError) as error:
        raise UserError(
            f"the package nasbench301 is not the one of version 0.3 ({error!r}): run pip install 'nadlab[nasbench301]'"
        ) from error
    return Columns(names, np.array(feature, np.int32), np.array(setting))


def official_file(name: str) -> Path:
    """Return where a file of the package nasbench301 is; raise UserError when the package is not installed."""
    package = find_spec("nasbench301")
    if package is None or package.origin is None:
        raise UserError("NAS-Bench-301's columns are described by its package: run pip install 'nadlab[nasbench301]'")
    return Path(package.origin).parent / name


def _assigned(path: Path, name: str) -> Mapping[str, Any]:
    assignments = (node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.Assign))
    value = next(node.value for node in assignments if ast.unparse(node.targets[0]) == name)
    found: Mapping[str, Any] = ast.literal_eval(value)
    return found


def _widened(path: Path) -> list[dict[str, Any]]:
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    chosen = [(call, _KINDS[call.func.attr]) for call in calls if getattr(call.func, "attr", "") in _KINDS]  # type: ignore[attr-defined]
    return [
        {"type": kind, "log": False, **{str(k.arg): ast.literal_eval(k.value) for k in call.keywords}}
        for call, kind in chosen
    ]


def _feature(hyperparameter: Mapping[str, Any]) -> int:
    # both cells of an architecture are the same one
    name = re.sub("_(normal|reduce)_", "_", hyperparameter["name"].rpartition(":")[2])
    pairs = tuple(f"{low}_{high}" for low, high in combinations(range(int(name[-1])), 2))
    if tuple(hyperparameter["choices"]) != (pairs if name.startswith("inputs") else INNER_OPERATIONS):
        raise ValueError(f"{name} chooses among {hyperparameter['choices']}")
    return CHOICES.index(name)


def _choice(hyperparameter: Mapping[str, Any], value: Any) -> float:
    return float(hyperparameter["choices"].index(_BOOLEANS.get(value, value)))


def _place(lower: float, upper: float, value: float, log: bool) -> float:
    if log:
        lower, upper, value = math.log(lower), math.log(upper), math.log(value)
    return (value - lower) / (upper - lower)


def _integer(hyperparameter: Mapping[str, Any], value: float) -> float:
    lower, upper = hyperparameter["lower"] - _ROUNDING, hyperparameter["upper"] + _ROUNDING
    return _place(lower, upper, value, hyperparameter["log"])


_VALUES: Mapping[str, Callable[[Mapping[str, Any], Any], float]] = {
    "categorical": _choice,
    "constant": lambda _hyperparameter, _value: 0.0,
    "normal_float": lambda hyperparameter, value: math.log(value) if hyperparameter["log"] else float(value),
    "uniform_float": lambda h, value: _place(h["lower"], h["upper"], value, h["log"]),
    "uniform_int": _integer,
}
