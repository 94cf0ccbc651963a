"""NATS-Bench: the topology (`tss`) and the size benchmark (`sss`), as a folder, as a tar, or as one file.

The folder `NATS-tss-v1_0-3ffb9-simple`, and the tar that it comes in, hold bz2-compressed pickles: `meta.pickle.pbz2`
lists all 15,625 strings (`sss`: 32,768), `000284.pickle.pbz2` holds architecture 284: budget (`"12"`, `"200"`; `"01"`,
`"12"`, `"90"`) -> its results with every seed and epoch, which the official `ArchResults` of NAS-Bench-201 reads.
`NATS-tss-v1_0-3ffb9.pickle.pbz2` holds all of it in one pickle, `meta_archs` and `arch2infos`, and must be in memory once
while it is converted. Format: `nats_bench/api_topology.py`, `api_size.py` and `api_utils.py` of D-X-Y/NATS-Bench.
"""

import os
import re
import tarfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from nadlab.benchmarks.archive import Archive
from nadlab.benchmarks.isolated import die_with_parent
from nadlab.benchmarks.official.results import (
    MALFORMED,
    Architecture,
    check_states,
    official_package,
    read_architecture,
    tables,
)
from nadlab.benchmarks.official.unpickle import PLAIN, read_bz2, read_pickle, read_pickle_file
from nadlab.errors import UserError
from nadlab.spaces import space

META = "meta.pickle.pbz2"
META_LIMIT = 16 << 20
ARCHITECTURE_LIMIT = 8 << 20
"""Bytes once unpacked; the real files have 1.4 MB and 0.3 MB."""
_BLOCK = 512
"""bytes of a tar's header; one of zeros ends the tar"""

DATASETS = {
    "cifar10": {"valid": ("cifar10-valid", "x-valid"), "test": ("cifar10", "ori-test")},
    "cifar10-valid": {"valid": ("cifar10-valid", "x-valid"), "test": ("cifar10-valid", "ori-test")},
    "cifar100": {"valid": ("cifar100", "x-valid"), "test": ("cifar100", "x-test")},
    "ImageNet16-120": {"valid": ("ImageNet16-120", "x-valid"), "test": ("ImageNet16-120", "x-test")},
}
"""Which training and split of the file answers for a dataset (`remap_dataset_set_names` of the official API)."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One compressed pickle: a file, or bytes of a tar."""

    path: Path
    file: str
    place: tuple[int, int] | None = None
    """first byte and number of bytes in a tar"""

    def read(self, limit: int) -> Any:
        return read_pickle(read_bz2(self.path, limit, self.place), PLAIN, self.where)

    @property
    def where(self) -> str:
        return f"{self.path}, {self.file}" if self.place else str(self.path)


def read_nats(source: Path, cells: str = "nasbench201") -> Archive:
    """Read the folder or tar; architectures whose file is absent are left out.

    cells: the search space, `nasbench201` or `natssize`. Raises UserError that names the file that is missing, damaged or
    hostile, the package that is missing, or the other space.
    """
    official_package()
    parts = _members(source) if source.is_file() else {each.name: _Part(each, each.name) for each in source.iterdir()}
    if META not in parts:
        raise UserError(f"{source} has no {META}: name the tar or folder NATS-tss-v1_0-3ffb9-simple")
    texts = _texts(parts[META].read(META_LIMIT), parts[META].where, cells)
    jobs: list[tuple[_Part, str]] = []
    for name in sorted(name for name in parts if re.fullmatch(r"[0-9]{6}\.pickle\.pbz2", name)):
        if int(name[:6]) >= len(texts):
            raise UserError(
                f"{parts[name].where} is architecture {int(name[:6])}, but the meta file lists {len(texts)}"
            )
        jobs.append((parts[name], texts[int(name[:6])]))
    return _archive(list(_read_all(jobs)), source, cells)


def read_nats_file(path: Path, cells: str = "nasbench201") -> Archive:
    """Read the single file; see `read_nats`."""
    official_package()
    content = read_pickle_file(path, PLAIN)
    texts = _texts(content, str(path), cells)
    infos = content.get("arch2infos")
    if not isinstance(infos, dict) or not all(isinstance(each, int) and 0 <= each < len(texts) for each in infos):
        raise UserError(f"{path} has no results of the architectures that it lists; download it again")
    indexes = tqdm(sorted(infos), desc="architectures", unit="")
    # what is read leaves memory
    return _archive([_read(infos.pop(i), texts[i], f"{path}, architecture {i}") for i in indexes], path, cells)


def answers(arrays: dict[str, Any]) -> dict[str, dict[str, dict[str, str]]]:
    """Return benchmark -> budget -> split -> array prefix, of those that the arrays have."""
    budgets = sorted({name.split("/")[1] for name in arrays if name.endswith("/runs")}, key=int)
    found: dict[str, dict[str, dict[str, str]]] = {}
    for dataset, splits in DATASETS.items():
        for budget in budgets:
            prefixes = {split: f"{training}/{budget}/{part}" for split, (training, part) in splits.items()}
            present = {split: prefix for split, prefix in prefixes.items() if f"{prefix}/accuracy" in arrays}
            if present:
                found.setdefault(dataset, {})[budget] = present
    return found


def _archive(architectures: list[Architecture], source: Path, cells: str) -> Archive:
    arrays = tables(architectures, source, cells)
    return Archive(cells, answers(arrays), {"source": source.name, "architectures": str(len(architectures))}, arrays)


def _read_all(jobs: list[tuple[_Part, str]]) -> Iterator[Architecture]:
    if len(jobs) < 64:
        yield from map(_read_part, jobs)
        return
    with ProcessPoolExecutor(os.cpu_count(), initializer=die_with_parent) as pool:
        yield from tqdm(pool.map(_read_part, jobs, chunksize=16), total=len(jobs), desc="architectures", unit="")


def _read_part(job: tuple[_Part, str]) -> Architecture:
    part, text = job
    return _read(part.read(ARCHITECTURE_LIMIT), text, part.where)


def _read(state: Any, text: str, where: str) -> Architecture:
    if not isinstance(state, dict):
        raise UserError(f"{where} holds no results by budget; download it again")
    check_states(state, where)
    try:
        create = official_package().ArchResults.create_from_state_dict
        results = {budget: create(of_budget) for budget, of_budget in state.items()}
    except MALFORMED as error:
        raise UserError(f"{where} is not a result of NAS-Bench-201 ({error!r}); download it again") from error
    return read_architecture(results, text, where)


def _members(path: Path) -> dict[str, _Part]:
    try:
        with tarfile.TarFile(path) as packed:
            members = [member for member in packed if member.isreg() and not member.issparse()]
            end = packed.offset
    except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        raise UserError(f"{path} is not a readable tar ({type(error).__name__}); download it again") from error
    with path.open("rb") as file:
        file.seek(end)
        # tarfile takes a damaged header for the end
        if file.read(_BLOCK) != bytes(_BLOCK):
            raise UserError(f"{path} is a damaged or truncated tar at byte {end:,}; download it again")
    names = [member.name.rpartition("/")[2] for member in members]
    return {
        name: _Part(path, name, (member.offset_data, member.size)) for name, member in zip(names, members, strict=True)
    }


def _texts(meta: Any, where: str, cells: str) -> list[str]:
    texts = meta.get("meta_archs") if isinstance(meta, dict) else None
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise UserError(f"{where} lists no architectures; download it again")
    try:
        space(cells).parse(texts[0])
    except UserError as error:
        raise UserError(
            f"{where}: {error}; 'sss' in the name of the file or folder says that it is the size space, as in NATS-sss-v1_0-50262"
        ) from error
    return texts
