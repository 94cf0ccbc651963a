"""Benchmarks by name: the embedded ones, every table in `$NADLAB_DATA` or `../shared/data`, archives in the cache folder.

An archive replaces a table of the same name, since it also holds every run. A name `module:function` is a plugin: the
function gets the name and returns an `Oracle` with that name.
"""

import os
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from nadlab.benchmarks.archive import check_values, open_archive
from nadlab.benchmarks.container import SUFFIX, open_container
from nadlab.benchmarks.oracle import Oracle
from nadlab.benchmarks.presets import PRESETS
from nadlab.benchmarks.surrogates import surrogate
from nadlab.benchmarks.table import tables
from nadlab.benchmarks.tabular import open_benchmark
from nadlab.cache import cache_folder
from nadlab.errors import UserError
from nadlab.plugins import is_plugin, load_object

EMBEDDED = Path(__file__).parent / "embedded"
"""Archives that the package holds, made by `studies/mnist1d/embed.py`."""


def data_folder() -> Path | None:
    """Return the folder of downloaded tables, or None; raise UserError when $NADLAB_DATA names no folder."""
    named = os.environ.get("NADLAB_DATA")
    if named:
        if not Path(named).is_dir():
            raise UserError(
                f"$NADLAB_DATA is {named!r}, which is no folder: unset it or name the folder of your tables"
            )
        return Path(named)
    beside = Path(__file__).parents[4] / "shared" / "data"
    return beside if beside.is_dir() else None


def sources(preset: str = "paper") -> dict[str, tuple[Path, Callable[[], Oracle]]]:
    """Return name -> (file, opener) of every benchmark on this machine under a protocol preset.

    Tables in the data folder hold means alone, so they exist under the preset `paper` only. Raises UserError for an unknown
    preset.
    """
    if preset not in PRESETS:
        raise UserError(f"unknown protocol {preset!r}: choose one of {', '.join(PRESETS)}")
    found = cached(EMBEDDED, preset)
    folder = data_folder() if preset == "paper" else None
    for table in sorted(folder.glob("*.csv")) if folder else ():
        found |= {name: (table, opened) for name, opened in tables(table).items()}
    return found | cached(cache_folder(), preset)


def cached(folder: Path, preset: str = "paper") -> dict[str, tuple[Path, Callable[[], Oracle]]]:
    """Return name -> (file, opener) of every benchmark in a folder under a protocol preset.

    A file `nasbench201.safetensors` gives `nasbench201/<dataset>`; with one data set its stem alone is the name.
    Raises UserError that names a damaged file.
    """
    found: dict[str, tuple[Path, Callable[[], Oracle]]] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        if open_container(path)[0].kind == surrogate.KIND:
            found[path.stem] = (path, partial(surrogate.open_surrogate, path, path.stem, preset))
            continue
        datasets = list(open_archive(path)[0].answers)
        for dataset in datasets:
            name = path.stem if len(datasets) == 1 else f"{path.stem}/{dataset}"
            found[name] = (path, partial(open_benchmark, path, dataset, name, preset))
    return found


def verify(path: Path) -> str:
    """Verify the digest and the content of a container, and return the digest.

    Raises UserError that says what is wrong.
    """
    container, digest = open_container(path)
    if container.kind == surrogate.KIND:
        surrogate.open_surrogate(path, path.stem)
    else:
        open_archive(path)
    if container.digest() != digest:
        raise UserError(f"{path} differs from what was written (wrong digest): convert the official file again")
    if container.kind != surrogate.KIND:
        check_values(path, container.arrays)
    return digest


@cache
def benchmark(name: str, preset: str = "paper") -> Oracle:
    """Open a benchmark under a protocol preset (`nadlab.benchmarks.presets`); raise UserError that lists the names."""
    if is_plugin(name):
        return _own(name, preset)
    known = sources(preset)
    if name not in known:
        raise UserError(
            f"unknown benchmark {name!r}: this machine has {', '.join(known)}; others are looked up in $NADLAB_DATA, are downloaded by `nadlab benchmarks fetch`, or are your own module:function"
        )
    return known[name][1]()


def _own(name: str, preset: str) -> Oracle:
    oracle: Oracle = load_object(name)(name)
    absent = [each for each in vars(Oracle) if not each.startswith("_") and not hasattr(oracle, each)]
    if absent:
        raise UserError(f"{name} gives no benchmark: it lacks {', '.join(absent)} (nadlab.benchmarks.oracle.Oracle)")
    for what, got, asked in (("name", oracle.name, name), ("preset", oracle.preset, preset)):
        if got != asked:
            raise UserError(f"the benchmark {name} has the {what} {got!r}: it must be {asked!r}")
    return oracle
