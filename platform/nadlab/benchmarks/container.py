"""One safetensors file of arrays and facts that opens by memory map, in milliseconds at any size.

Why safetensors: one file (replaced atomically; a folder of .npy files is not), raw little-endian arrays behind a
small JSON header (an npz cannot be mapped, Parquet must be decoded, Arrow has no plain three-axis arrays), no
pickles, and its library is a dependency already. Processes that open the same file share its memory.

The header's metadata holds the kind of content, the facts as JSON, and a SHA-256 digest over facts and arrays.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from nadlab.benchmarks.files import check_file
from nadlab.benchmarks.oracle import Facts
from nadlab.cache import replacing
from nadlab.errors import UserError
from nadlab.json_text import strict_json

SUFFIX = ".safetensors"
_TYPES = {"F32": "<f4", "F64": "<f8", "I16": "<i2", "I32": "<i4", "I64": "<i8"}

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Container:
    """Arrays by name, and facts that JSON can hold."""

    kind: str
    facts: Mapping[str, Any]
    arrays: Arrays

    def digest(self) -> str:
        """Compute the SHA-256 of everything in it; reads every array."""
        total = hashlib.sha256(strict_json([self.kind, self.facts], sort_keys=True).encode())
        for name, array in sorted(self.arrays.items()):
            total.update(strict_json([name, array.dtype.str, array.shape]).encode())
            total.update(np.ascontiguousarray(array).data.cast("B"))
        return total.hexdigest()


def write_container(container: Container, path: Path) -> str:
    """Write the file, replacing one of that name in one step, and return the digest.

    Raises UserError when the disk is full or the folder cannot be written to; an existing file then stays.
    """
    with replacing(path) as partial:
        return save_container(container, partial)


def save_container(container: Container, path: Path) -> str:
    """Write the file and return the digest; raise OSError when the disk is full."""
    digest = container.digest()
    metadata = {"format": container.kind, "digest": digest, "facts": strict_json(container.facts)}
    arrays = {name: np.ascontiguousarray(array) for name, array in container.arrays.items()}
    try:
        save_file(arrays, path, metadata)
    except SafetensorError as error:  # its library wraps the system's error in its own
        raise OSError(str(error)) from error
    return digest


def facts_from(answers: Literal["stored", "predicted"], provenance: Mapping[str, str]) -> Facts:
    """Return what a file's own provenance says of its cells' trainings: a command and its recipe, or an official file."""
    if {"command", "recipe"} <= provenance.keys():
        return Facts(answers, "this project", provenance["command"])
    return Facts(answers, "the benchmark's authors" if "source_sha256" in provenance else "")


def open_container(path: Path) -> tuple[Container, str]:
    """Map the file into memory, check its header and not its arrays; return it with the digest stored in it.

    Raises UserError when it is truncated or no such file.
    """
    check_file(path)
    try:
        with safe_open(path, framework="numpy") as checked:
            metadata = checked.metadata() or {}
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size))
        arrays = _mapped(path, 8 + size, header)
        facts = json.loads(metadata["facts"])
        if not isinstance(facts, dict):
            raise ValueError("its facts are no dictionary")
        return Container(metadata["format"], facts, arrays), metadata["digest"]
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(
            f"{path} is not a benchmark archive ({error}): move it away, or convert the official file again"
        ) from error


def _mapped(path: Path, start: int, header: dict[str, Any]) -> Arrays:
    everything = np.asarray(np.memmap(path, np.uint8, "r", start))
    arrays: dict[str, NDArray[Any]] = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            arrays[name] = everything[begin:end].view(_TYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays
