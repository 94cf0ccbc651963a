"""Which packages with benchmarks are installed here, and their benchmarks by name; none is imported."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from nadlab.benchmarks.packages import analognasbench, nasbenchgraph
from nadlab.benchmarks.packages.package import Package
from nadlab.benchmarks.tabular import TableBenchmark
from nadlab.errors import UserError

PACKAGES = (nasbenchgraph.PACKAGE, analognasbench.PACKAGE)


def packaged(preset: str) -> dict[str, tuple[Path, Callable[[], TableBenchmark]]]:
    """Return name -> (file, opener) of every benchmark of an installed package under a protocol; no file is opened."""
    return {
        f"{package.name}/{dataset}": (folder / file, partial(package.open, folder / file, dataset, preset))
        for package in PACKAGES
        if (folder := _folder(package))
        for dataset, file in package.files.items()
    }


def uncovered(preset: str) -> dict[str, str]:
    """Return the installed packages that have no benchmark under a protocol, each with a sentence that says why."""
    found = {}
    for package in PACKAGES:
        if _folder(package):
            try:
                package.rule(preset)
            except UserError as error:
                found[package.name] = str(error)
    return found


def absent() -> list[str]:
    """Return the extras of nadlab whose packages are not installed."""
    return [package.name for package in PACKAGES if _folder(package) is None]


def _folder(package: Package) -> Path | None:
    found = find_spec(package.module)
    return Path(next(iter(found.submodule_search_locations))) if found and found.submodule_search_locations else None
