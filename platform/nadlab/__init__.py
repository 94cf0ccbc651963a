"""Distributed hyperparameter and ablation studies of neural-architecture design, built around SemiGAN-NAD.

The public API is what `__all__` lists (docs/api.md):

    from nadlab import Study, Tuning, benchmark, check_space, complete, load, main, search, space

All else is private by convention, whatever its name: a later version may move, rename or remove it without notice.
Importing `nadlab` is cheap: a name is imported from its module when it is first used. In a script, Ctrl-C while its imports
run ends it with one line; from then on Python's own handling is in force, and in a session always.
"""

from typing import TYPE_CHECKING

from nadlab.interrupts import quiet_imports

quiet_imports()

if TYPE_CHECKING:
    from nadlab.analysis.results import load
    from nadlab.api import main, search
    from nadlab.benchmarks.registry import benchmark
    from nadlab.spaces import check_space, complete, space
    from nadlab.study.study import Study
    from nadlab.study.tuning import Tuning
else:
    from importlib import import_module

    _MODULES = {
        "Study": "nadlab.study.study",
        "Tuning": "nadlab.study.tuning",
        "benchmark": "nadlab.benchmarks.registry",
        "check_space": "nadlab.spaces",
        "complete": "nadlab.spaces",
        "load": "nadlab.analysis.results",
        "main": "nadlab.api",
        "search": "nadlab.api",
        "space": "nadlab.spaces",
    }

    def __getattr__(name):
        """Import a public name from its module (PEP 562)."""
        if name not in _MODULES:
            raise AttributeError(f"module 'nadlab' has no attribute {name!r}; it offers {', '.join(__all__)}")
        return getattr(import_module(_MODULES[name]), name)

    def __dir__():
        """Return the public names, for completion in a shell."""
        return sorted(__all__)


__all__ = ["Study", "Tuning", "benchmark", "check_space", "complete", "load", "main", "search", "space"]
