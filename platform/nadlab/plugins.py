"""Code of one's own by name: `module:object`, such as `climb:Climb`; the current folder is looked in too."""

import importlib
import re
import sys
from collections.abc import Iterable
from inspect import signature
from pathlib import Path
from typing import Any

from nadlab.errors import UserError

_NAME = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<object>[^\W\d]\w*)")

TRAINING = "train:"
"""begins the name of a benchmark that trains (`nadlab.benchmarks.training`), which is not a module's"""


def is_plugin(name: object) -> bool:
    """Say whether a value is text of the form `module:object`."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None and not name.startswith(TRAINING)


def load_object(name: str) -> Any:
    """Return what `module:object` names; raise UserError when there is no such module or object.

    An error inside the module is its own and comes through as it is.
    """
    match = _NAME.fullmatch(name)
    assert match
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)  # commands and Ray's workers start without it
    try:
        module = importlib.import_module(match["module"])
    except ModuleNotFoundError as error:
        if error.name not in (match["module"], match["module"].partition(".")[0]):
            raise
        advice = "leave out .py" if match["module"].endswith(".py") else "go to its folder or set PYTHONPATH"
        raise UserError(
            f"{name}: there is no module {error.name!r}, neither in {folder} nor installed: {advice}"
        ) from error
    if not hasattr(module, match["object"]):
        raise UserError(f"{name}: {module.__file__} has no {match['object']!r}")
    return getattr(module, match["object"])


def check_call(name: str, called: Any, *arguments: str) -> None:
    """Raise UserError where an object can't be called with so many arguments; one without a known signature passes."""
    if not callable(called):
        raise UserError(f"{name} is of type {type(called).__name__}: name a function or a class")
    try:
        signature(called).bind(*arguments)
    except TypeError as error:
        how = f"with {' and '.join(arguments)}" if arguments else "without arguments"
        raise UserError(f"{name} can't be called {how}: {error}") from error
    except ValueError:  # compiled, and says nothing
        return


def instance(name: str, found: Any) -> Any:
    """Return an object as it is, and of a class the object that it makes; raise UserError where it needs arguments."""
    if not isinstance(found, type):
        return found
    check_call(name, found)
    return found()


def plugin_names(names: Iterable[object]) -> list[str]:
    """Return the modules that names of the form `module:object` name, loaded; raises UserError as `load_object`."""
    found = {str(name): load_object(str(name)) for name in names if is_plugin(name)}
    return sorted({name.partition(":")[0] for name in found})
