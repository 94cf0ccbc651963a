"""Conversion of an official file to an archive in the cache folder."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from nadlab.benchmarks.archive import Archive
from nadlab.benchmarks.container import SUFFIX, write_container
from nadlab.benchmarks.download import file_sha256
from nadlab.benchmarks.surrogates.surrogate import Surrogate
from nadlab.cache import cache_folder, locked
from nadlab.errors import UserError


def convert(source: Path, name: str | None = None, origin: str = "local file") -> Path:
    """Convert a file or folder, and return the archive's path, `<cache folder>/<name>.safetensors`.

    The name defaults to the benchmark's. Provenance gets the origin and the SHA-256 of the source.
    Raises UserError when the format is unknown or the file is damaged; an archive of that name then stays.
    """
    default, read = reader(source)
    path = cache_folder() / f"{name or default}{SUFFIX}"
    if not re.fullmatch(r"[\w.-]+", name or default):
        raise UserError(f"{name!r} is no name for a benchmark: use letters, digits, dots and dashes")
    with locked(path):
        content = read(source)
        provenance = {**content.provenance, "origin": origin, "source_sha256": source_sha256(source)}
        write_container(replace(content, provenance=provenance).container(), path)
    return path


def reader(source: Path) -> tuple[str, Callable[[Path], Archive | Surrogate]]:
    """Return the benchmark's name and the reader for a file or folder, by its name and content.

    Raises UserError that lists the formats when it is none of them.
    """
    if (source / "meta.pickle.pbz2").is_file():
        from nadlab.benchmarks.official.nats import read_nats

        return "nasbench201", read_nats
    if source.is_file() and source.suffix == ".tfrecord":
        from nadlab.benchmarks.official.nasbench101 import read_nasbench101

        return "nasbench101", read_nasbench101
    if source.is_file() and source.suffix == ".pth":
        from nadlab.benchmarks.official.nasbench201 import read_nasbench201

        _check_digits(source)
        return "nasbench201", read_nasbench201
    if source.suffix == ".zip" or (source.is_dir() and any(source.rglob("surrogate_model.model"))):
        from nadlab.benchmarks.official.nasbench301 import read_nasbench301

        version = re.search(r"v?(0\.9|1\.0)", source.name)
        return f"nasbench301-v{version[1]}" if version else "nasbench301", read_nasbench301
    if not source.exists():
        raise UserError(f"{source} does not exist: name a downloaded file or folder")
    raise UserError(
        f"{source} is no official benchmark file: name a NAS-Bench-101 .tfrecord, a NAS-Bench-201 .pth, the unpacked NATS-Bench folder with meta.pickle.pbz2, or NAS-Bench-301's .zip or folder of surrogates"
    )


def source_sha256(source: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's relative names and files' SHA-256 in order."""
    if source.is_file():
        return file_sha256(source)
    lines = [
        f"{file_sha256(path)}  {path.relative_to(source)}\n" for path in sorted(source.rglob("*")) if path.is_file()
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _check_digits(source: Path) -> None:
    # the authors put the last six digits of the file's MD5 into its name
    digits = re.fullmatch(r"NAS-Bench-201-v\d_\d-([0-9a-f]{6})\.pth", source.name)
    if not digits:
        return
    with source.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if not found.endswith(digits[1]):
        raise UserError(f"{source} is damaged: its MD5 ends in {found[-6:]}, not {digits[1]}; download it again")
