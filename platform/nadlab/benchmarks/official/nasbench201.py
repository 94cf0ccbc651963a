"""NAS-Bench-201: `NAS-Bench-201-v1_1-096897.pth`, a torch file of nested dictionaries, no tensors.

`meta_archs` lists the strings, `arch2infos[index]` holds `less` (12 epochs) and `full` (200 epochs), each with every
seed and epoch (`nas_201_api/api_201.py` of D-X-Y/NAS-Bench-201). The whole file must be in memory once while it is
converted, tens of gigabytes for the official one; NATS-Bench's folder holds the same trainings and needs little.
"""

import pickle
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from nadlab.benchmarks.archive import Archive
from nadlab.benchmarks.official.nats import answers
from nadlab.benchmarks.official.results import (
    MALFORMED,
    Architecture,
    check_states,
    official_package,
    read_architecture,
    tables,
)
from nadlab.benchmarks.official.unpickle import PLAIN
from nadlab.errors import UserError

BUDGETS = ("12", "200")
"""Their names in the official API; the file says `less` and `full`."""
PART = 256
"""Architectures handed to the API at a time: it copies what it is given."""


def read_nasbench201(path: Path) -> Archive:
    """Read the file through torch's restricted loader and hand its plain values to the official `NASBench201API`.

    Raises UserError when the official package is missing, or the file is damaged, of another layout, or names
    anything but plain numbers of numpy beside plain values (a hostile file).
    """
    official_package()
    content = _load(path)
    texts, infos = content.get("meta_archs"), content.get("arch2infos")
    if not isinstance(texts, list) or not isinstance(infos, dict):
        raise UserError(f"{path} has no meta_archs and arch2infos: it is not NAS-Bench-201's official file")
    for index, info in infos.items():
        where = f"{path}, architecture {index!r}"
        if not isinstance(index, int) or not 0 <= index < len(texts) or not isinstance(info, dict):
            raise UserError(f"{where}: it is not among the {len(texts)} of meta_archs; download the file again")
        if {"less", "full"} - set(info):
            raise UserError(f"{where}: it lacks 'less' or 'full'; download the file again")
        check_states({budget: info[budget] for budget in ("less", "full")}, where)
    indexes = list(infos)
    parts = ({i: infos[i] for i in indexes[start : start + PART]} for start in range(0, len(indexes), PART))
    architectures = [architecture for part in parts for architecture in _part(path, texts, part)]
    arrays = tables(architectures, path)
    source = {"source": path.name, "architectures": str(len(architectures))}
    return Archive("nasbench201", answers(arrays), source, arrays)


def _part(path: Path, texts: list[Any], infos: dict[int, Any]) -> Iterator[Architecture]:
    try:
        content = {"meta_archs": texts, "arch2infos": infos, "evaluated_indexes": list(infos)}
        api = official_package().NASBench201API(content, verbose=False)
    except MALFORMED as error:
        where = f"{path}, architectures {min(infos)} to {max(infos)}"
        raise UserError(f"{where}: not a result of NAS-Bench-201 ({error!r}); download it again") from error
    for index in infos:
        results = {budget: api.query_meta_info_by_index(index, budget) for budget in BUDGETS}
        yield read_architecture(results, api.arch(index), f"{path}, architecture {index}")


def _load(path: Path) -> dict[str, Any]:
    _check_container(path)
    names: list[Any] = [(stand_in, f"{module}.{name}") for (module, name), stand_in in PLAIN.items()]
    try:
        with torch.serialization.safe_globals(names):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(f"{path} is refused: {_refusal(error)}; download it again from its official source") from error
    except Exception as error:  # torch reports a damaged file by whatever its parser trips over
        raise UserError(f"{path} is not a readable torch file ({type(error).__name__}); download it again") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no dictionary: it is not NAS-Bench-201's official file")
    return content


def _check_container(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        return  # the container of torch before 1.6, which has no compression
    try:
        with zipfile.ZipFile(path) as container:
            members = container.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{path} is a damaged zip container ({error}); download it again") from error
    # torch stores its records as they are; a compressed one could unpack to any size
    stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
    if not stored or sum(member.file_size for member in members) > path.stat().st_size:
        raise UserError(f"{path} is refused: it has compressed parts, which no torch file has; download it again")


def _refusal(error: pickle.UnpicklingError) -> str:
    # torch's message explains to a programmer how to load such a file after all; a user needs the name alone
    named = re.search(r"(?:GLOBAL|global:?) ([\w.]+)", str(error))
    return f"it asks for {named[1].rstrip('.')}, which no such file needs" if named else "it is not a plain pickle"
