"""Our own format of a benchmark: one safetensors file that opens by memory map, in milliseconds at any size.

Why safetensors: one file (replaced atomically; a folder of .npy files is not), raw little-endian arrays behind a
small JSON header (an npz cannot be mapped, Parquet must be decoded, Arrow has no plain three-axis arrays), no
pickles, and its library is a dependency already. Processes that open the same file share its memory.

Arrays of N architectures, R runs, E epochs:

| name | type, shape | what |
| --- | --- | --- |
| `keys` | int64 (N,) | `SearchSpace.identities` of the rows, ascending |
| `<dataset>/<budget>/runs` | int32 (N, R) | seed, or number, of each run; -1 where there is none |
| `<dataset>/<budget>/<split>/epochs` | int32 (E,) | epochs after which the split was measured, ascending |
| `<dataset>/<budget>/<split>/accuracy` | float32 (N, R, E) | percent; NaN where there is none |
| `<dataset>/<budget>/train/seconds` | float32 (N, R, E) | training time up to that epoch |
| `<dataset>/<budget>/<split>/seconds` | float32 (N, R) | mean time of one evaluation of another split |
| `<dataset>/parameters`, `/flops`, `/latency` | float64 (N,) | millions, millions, seconds |

A budget is the number of epochs of the whole training. The header's metadata holds the space, `answers`
(benchmark -> budget -> split -> the array prefix that answers for it), provenance, and a SHA-256 digest over all
of these and every array.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from nadlab.benchmarks.cache import replacing
from nadlab.errors import UserError
from nadlab.spaces import SPACES

FORMAT = "nadlab-archive-1"
SUFFIX = ".safetensors"
_TYPES = {"F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8"}

Arrays = Mapping[str, NDArray[Any]]
Answers = Mapping[str, Mapping[str, Mapping[str, str]]]


@dataclass(frozen=True)
class Archive:
    """A benchmark's tables; see the module for the arrays."""

    space: str
    answers: Answers
    provenance: Mapping[str, str]
    arrays: Arrays

    def digest(self) -> str:
        """Compute the SHA-256 of everything in it; reads every array."""
        total = hashlib.sha256(json.dumps(self._header(), sort_keys=True).encode())
        for name, array in sorted(self.arrays.items()):
            total.update(json.dumps([name, array.dtype.str, array.shape]).encode())
            total.update(np.ascontiguousarray(array).data.cast("B"))
        return total.hexdigest()

    def _header(self) -> dict[str, Any]:
        return {"space": self.space, "answers": self.answers, "provenance": self.provenance}


@dataclass(frozen=True)
class OpenArchive:
    """An archive file, its arrays mapped into memory; `digest` is as stored, `verify_archive` recomputes it."""

    path: Path
    digest: str
    content: Archive


def write_archive(archive: Archive, path: Path) -> str:
    """Write the file, replacing one of that name in one step, and return the digest.

    Raises UserError when the disk is full or the folder cannot be written to; an existing file then stays.
    """
    digest = archive.digest()
    metadata = {
        "format": FORMAT,
        "digest": digest,
        "space": archive.space,
        "answers": json.dumps(archive.answers),
        "provenance": json.dumps(archive.provenance),
    }
    arrays = {name: np.ascontiguousarray(array) for name, array in archive.arrays.items()}
    with replacing(path) as partial:
        try:
            save_file(arrays, partial, metadata)
        except SafetensorError as error:  # its library wraps the system's error in its own
            raise OSError(str(error)) from error
    return digest


def open_archive(path: Path) -> OpenArchive:
    """Map the file into memory and check its header, not its arrays.

    Raises UserError when it is no archive, truncated, or of another version of this format.
    """
    try:
        with safe_open(path, framework="numpy") as checked:
            metadata = checked.metadata() or {}
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size))
    except (OSError, SafetensorError, ValueError) as error:
        raise UserError(f"{path} is no benchmark archive ({error}): convert the official file again") from error
    if metadata.get("format") != FORMAT:
        raise UserError(
            f"{path} is no benchmark archive of the form {FORMAT!r}: convert the official file again with this version"
        )
    try:
        content = Archive(
            metadata["space"],
            json.loads(metadata["answers"]),
            json.loads(metadata["provenance"]),
            _mapped(path, 8 + size, header),
        )
        digest = metadata["digest"]
        _check_shapes(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is a damaged benchmark archive ({error}): convert the official file again") from error
    return OpenArchive(path, digest, content)


def verify_archive(path: Path) -> OpenArchive:
    """Open the file and check all of it: the digest, the order of the keys, the range of every accuracy.

    Raises UserError that says what is wrong.
    """
    opened = open_archive(path)
    if opened.content.digest() != opened.digest:
        raise UserError(f"{path} differs from what was written (wrong digest): convert the official file again")
    arrays = opened.content.arrays
    if (np.diff(arrays["keys"]) <= 0).any():
        raise UserError(f"{path} has architectures out of order or twice: convert the official file again")
    for name, array in arrays.items():
        if name.endswith("/accuracy") and not ((array >= 0) & (array <= 100) | np.isnan(array)).all():
            raise UserError(f"{path}: {name} has values outside 0 to 100 percent: convert the official file again")
    return opened


def _mapped(path: Path, start: int, header: dict[str, Any]) -> Arrays:
    everything = np.memmap(path, np.uint8, "r", start)
    arrays: dict[str, NDArray[Any]] = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            arrays[name] = np.asarray(everything[begin:end]).view(_TYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays


def _check_shapes(content: Archive) -> None:
    keys = content.arrays["keys"]
    if content.space not in SPACES or keys.dtype != np.int64 or keys.ndim != 1 or not len(keys):
        raise ValueError("no known space or no keys")
    for budgets in content.answers.values():
        for prefixes in budgets.values():
            for prefix in prefixes.values():
                accuracy, epochs = content.arrays[f"{prefix}/accuracy"], content.arrays[f"{prefix}/epochs"]
                if accuracy.dtype != np.float32 or accuracy.ndim != 3:
                    raise ValueError(f"{prefix} has no accuracies of three axes")
                if accuracy.shape[::2] != (len(keys), len(epochs)) or 0 in accuracy.shape:
                    raise ValueError(f"{prefix} does not fit the keys")
