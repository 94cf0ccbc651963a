"""Benchmarks by name: the embedded ones, tables in `$NADLAB_DATA` or `../shared/data`, and archives in the cache folder.

An archive wins over a table of its name, since it holds all that the table does and every run.
"""

import os
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from nadlab.benchmarks.cache import cache_folder
from nadlab.benchmarks.cached import cached
from nadlab.benchmarks.oracle import Oracle
from nadlab.benchmarks.presets import PRESETS
from nadlab.benchmarks.table import datasets, read_nasbench101, read_nasbench201
from nadlab.errors import UserError

EMBEDDED = Path(__file__).parent / "embedded"
"""Archives that the package holds, made by `studies/embed_mnist1d.py`."""


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
    """Return name -> (file, how to open it) of every benchmark that this machine has under a protocol preset.

    Tables in the data folder hold means alone and answer by the preset `paper` only. Raises UserError for an unknown
    preset.
    """
    if preset not in PRESETS:
        raise UserError(f"unknown protocol {preset!r}: choose one of {', '.join(PRESETS)}")
    found = cached(EMBEDDED, preset)
    folder = data_folder() if preset == "paper" else None
    if folder and (table := folder / "nasbench201.csv").exists():
        for dataset in datasets(table):
            name = f"nasbench201/{dataset}"
            found[name] = (table, partial(read_nasbench201, table, dataset, name, "test"))
    if folder and (table := folder / "nasbench101_sample.csv").exists():
        found["nasbench101"] = (table, partial(read_nasbench101, table, "nasbench101"))
    return found | cached(cache_folder(), preset)


@cache
def benchmark(name: str, preset: str = "paper") -> Oracle:
    """Open a benchmark under a protocol preset (`nadlab.benchmarks.presets`); raise UserError that lists the names."""
    known = sources(preset)
    if name not in known:
        raise UserError(
            f"unknown benchmark {name!r}: this machine has {', '.join(known)}; others are looked up in $NADLAB_DATA, or come by `nadlab benchmarks fetch`"
        )
    return known[name][1]()
