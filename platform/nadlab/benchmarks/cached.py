"""The benchmarks in a folder of containers, archives and surrogates."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from nadlab.benchmarks.archive import check_values, open_archive
from nadlab.benchmarks.container import SUFFIX, open_container
from nadlab.benchmarks.oracle import Oracle
from nadlab.benchmarks.surrogates import surrogate
from nadlab.benchmarks.tabular import open_benchmark
from nadlab.errors import UserError


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
