"""Search spaces by name: `space("nasbench201")`, or one of your own by `space("my_space:MySpace")`.

A package may register spaces in the entry point group `nadlab.spaces`.
"""

from functools import cache
from importlib.metadata import entry_points
from typing import Any

from nadlab.errors import UserError, did_you_mean
from nadlab.plugins import is_plugin, load_object
from nadlab.spaces.cells import Cells, SearchSpace
from nadlab.spaces.check import broken_promises
from nadlab.spaces.darts import DARTS
from nadlab.spaces.derived import complete, unchecked
from nadlab.spaces.nasbench101 import NASBench101
from nadlab.spaces.nasbench201 import NASBench201
from nadlab.spaces.nasbenchgraph import NASBenchGraph
from nadlab.spaces.natssize import NATSSize

SPACES: dict[str, SearchSpace] = {
    each.name: each
    for each in (NASBench101(), NASBench201(), unchecked(DARTS), unchecked(NASBenchGraph), complete(NATSSize))
}


GROUP = "nadlab.spaces"
"""entry points of installed packages: name -> a space, or its class"""


@cache
def space(name: str) -> SearchSpace:
    """Return the space of that name, one object a process.

    name: one of the package's, of an installed package's entry point, or `module:object`; a class is called without
    arguments and completed (`complete`). Raises UserError where there is none, or it breaks a promise.
    """
    return SPACES[name] if name in SPACES else complete(_named(name))


def check_space(own: Any) -> list[str]:
    """Return a sentence for each promise of `SearchSpace` that a space breaks; empty where it keeps all of them.

    own: an object or a class, as `complete` takes it, or a name, as `space` takes it; UserError where there is none.
    """
    found = _named(own) if isinstance(own, str) else own
    try:
        return broken_promises(unchecked(found))
    except UserError as error:
        return [str(error)]


def _named(name: str) -> Any:
    if name in SPACES:
        return SPACES[name]
    if is_plugin(name):
        return load_object(name)
    for entry in entry_points(group=GROUP, name=name):
        try:
            return entry.load()
        except (ImportError, AttributeError) as error:
            package = entry.dist.name if entry.dist else "a package"
            raise UserError(
                f"the search space {name!r} of {package} can't be loaded from {entry.value} ({error}): mend its entry point"
            ) from error
    known = [*SPACES, *sorted(entry_points(group=GROUP).names)]
    meant = did_you_mean(name, known)
    raise UserError(
        f"unknown search space {name!r}: {meant}choose one of {', '.join(known)}, or name your own module:object"
    )


__all__ = [
    "DARTS", "SPACES", "Cells", "NASBench101", "NASBench201", "NASBenchGraph", "SearchSpace", "check_space", "complete",
    "space",
]  # fmt: skip
