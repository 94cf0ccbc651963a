"""NATS-Bench's topology benchmark: the folder `NATS-tss-v1_0-3ffb9-simple` of bz2-compressed pickles.

`meta.pickle.pbz2` lists all 15,625 strings; `000284.pickle.pbz2` holds architecture 284: budget (`"12"`, `"200"`)
-> its results with every seed and epoch, which the official `ArchResults` of NAS-Bench-201 reads. Format:
`nats_bench/api_topology.py` and `api_utils.py` of D-X-Y/NATS-Bench.
"""

import os
import re
from concurrent.futures import ProcessPoolExecutor
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
from nadlab.benchmarks.official.unpickle import PLAIN, read_bz2, read_pickle
from nadlab.errors import UserError

META_LIMIT = 16 << 20
ARCHITECTURE_LIMIT = 8 << 20
"""Bytes once unpacked; the real files have 1.4 MB and 0.3 MB."""

DATASETS = {
    "cifar10": {"valid": ("cifar10-valid", "x-valid"), "test": ("cifar10", "ori-test")},
    "cifar10-valid": {"valid": ("cifar10-valid", "x-valid"), "test": ("cifar10-valid", "ori-test")},
    "cifar100": {"valid": ("cifar100", "x-valid"), "test": ("cifar100", "x-test")},
    "ImageNet16-120": {"valid": ("ImageNet16-120", "x-valid"), "test": ("ImageNet16-120", "x-test")},
}
"""Which training and split of the file answers for a dataset (`remap_dataset_set_names` of the official API)."""


def read_nats(folder: Path) -> Archive:
    """Read the folder; architectures whose file is absent are left out.

    Raises UserError that names the file that is missing, damaged or hostile, or the package that is missing.
    """
    official_package()
    texts = _meta(folder / "meta.pickle.pbz2")
    paths = sorted(path for path in folder.iterdir() if re.fullmatch(r"[0-9]{6}\.pickle\.pbz2", path.name))
    for path in paths:
        if int(path.name[:6]) >= len(texts):
            raise UserError(f"{path} is architecture {int(path.name[:6])}, but the meta file lists {len(texts)}")
    jobs = [(path, texts[int(path.name[:6])]) for path in paths]
    arrays = tables(list(_read_all(jobs)), folder)
    return Archive("nasbench201", answers(arrays), {"source": folder.name, "architectures": str(len(paths))}, arrays)


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


def _read_all(jobs: list[tuple[Path, str]]) -> list[Architecture]:
    if len(jobs) < 64:
        return [_read(job) for job in jobs]
    with ProcessPoolExecutor(os.cpu_count(), initializer=die_with_parent) as pool:
        return list(tqdm(pool.map(_read, jobs, chunksize=16), total=len(jobs), desc="architectures", unit=""))


def _read(job: tuple[Path, str]) -> Architecture:
    path, text = job
    state = read_pickle(read_bz2(path, ARCHITECTURE_LIMIT), PLAIN, path)
    if not isinstance(state, dict):
        raise UserError(f"{path} holds no results by budget; download it again")
    check_states(state, str(path))
    try:
        create = official_package().ArchResults.create_from_state_dict
        results = {budget: create(of_budget) for budget, of_budget in state.items()}
    except MALFORMED as error:
        raise UserError(f"{path} is no result of NAS-Bench-201 ({error!r}); download it again") from error
    return read_architecture(results, text, str(path))


def _meta(path: Path) -> list[str]:
    if not path.is_file():
        raise UserError(f"{path} is missing: name the unpacked folder NATS-tss-v1_0-3ffb9-simple")
    meta = read_pickle(read_bz2(path, META_LIMIT), PLAIN, path)
    texts = meta.get("meta_archs") if isinstance(meta, dict) else None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UserError(f"{path} lists no architectures; download it again")
    return texts
