"""Conversion of an official file to an archive in the cache folder."""

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from nadlab.benchmarks.archive import Archive, open_archive
from nadlab.benchmarks.container import SUFFIX, open_container, save_container
from nadlab.benchmarks.files import files_in, source_sha256
from nadlab.benchmarks.isolated import Limits, isolated
from nadlab.benchmarks.surrogates import surrogate
from nadlab.benchmarks.surrogates.surrogate import Surrogate
from nadlab.cache import cache_folder, locked, replacing
from nadlab.errors import UserError

Reader = Callable[[Path], Archive | Surrogate]
FORMS = (
    "NAS-Bench-101's .tfrecord",
    "NAS-Bench-201's .pth",
    "NATS-Bench's NATS-tss-... (topology) or NATS-sss-... (size) as .tar, unpacked folder or .pickle.pbz2",
    "NASLib's nb201_..._full_training.pickle or nasbench_only108.pkl",
    "NAS-Bench-301's .zip or folder of surrogates",
)
"""What is read, told by the name and a folder's content."""
_NAME = r"\w[\w.-]{0,99}"
_MEMORY, _MEMORY_A_BYTE = 4 << 30, 64
_SECONDS, _SECONDS_A_MEGABYTE = 120, 10
"""What a conversion may use: so much, and more with the size of the file. NAS-Bench-201's needs tens of gigabytes."""


def convert(source: Path, name: str | None = None, origin: str = "local file") -> Path:
    """Convert a file or folder, and return the archive's path, `<cache folder>/<name>.safetensors`.

    The name defaults to the benchmark's. Provenance gets the origin and the SHA-256 of the source. A child process
    reads and writes, with limits on its memory and time.
    Raises UserError when the format is unknown or the file is damaged; an archive of that name then stays.
    """
    try:
        default, read = reader(source)
        limits = _limits(source)
    except OSError as error:
        raise UserError(_unreadable(source, error)) from error
    if not re.fullmatch(_NAME, name or default):
        raise UserError(
            f"{name!r} is not a name for a benchmark: use at most 100 letters, digits, dots and dashes, and no dot or dash first"
        )
    path = cache_folder() / f"{name or default}{SUFFIX}"
    with locked(path), replacing(path) as written:
        isolated(_convert, (read, source, origin, written), source, limits)
    return path


def reader(source: Path) -> tuple[str, Reader]:
    """Return the benchmark's name and the reader for a file or folder, by its name and content.

    Raises UserError that lists the formats when it is none of them, OSError when it cannot be reached.
    """
    name, is_file = source.name, source.is_file()
    nats = "natssize" if "sss" in name else "nasbench201"
    if (source / "meta.pickle.pbz2").is_file() or (is_file and source.suffix == ".tar"):
        from nadlab.benchmarks.official.nats import read_nats

        return nats, partial(read_nats, cells=nats)
    if is_file and name.endswith(".pickle.pbz2"):
        from nadlab.benchmarks.official.nats import read_nats_file

        return nats, partial(read_nats_file, cells=nats)
    if is_file and source.suffix == ".tfrecord":
        from nadlab.benchmarks.official.nasbench101 import read_nasbench101

        return "nasbench101", read_nasbench101
    if is_file and source.suffix == ".pth":
        from nadlab.benchmarks.official.nasbench201 import read_nasbench201

        _check_digits(source)
        return "nasbench201", read_nasbench201
    if is_file and (found := re.fullmatch(r"nb201_([\w-]+?)_full_training\.pickle", name)):
        from nadlab.benchmarks.official.naslib import read_naslib201

        return f"naslib-nasbench201-{found[1].lower()}", read_naslib201
    if is_file and re.fullmatch(r"(nasbench|nb101)_\w+\.(pkl|pickle)", name):
        from nadlab.benchmarks.official.naslib import read_naslib101

        return "nasbench101", read_naslib101
    if (is_file and source.suffix == ".zip") or (source.is_dir() and any(files_in(source, "surrogate_model.model"))):
        from nadlab.benchmarks.official.nasbench301 import read_nasbench301

        version = re.search(r"v?(0\.9|1\.0)", name)
        return f"nasbench301-v{version[1]}" if version else "nasbench301", read_nasbench301
    if not source.exists():
        raise UserError(f"{source} does not exist: name a downloaded file or folder")
    raise UserError(f"{source} is not an official benchmark file: name {', '.join(FORMS[:-1])}, or {FORMS[-1]}")


def found_in(path: Path) -> list[str]:
    """Return what an archive or surrogate holds, a line for each: architectures, and data sets, epochs and splits."""
    container, _ = open_container(path)
    if container.kind == surrogate.KIND:
        return ["a surrogate of NAS-Bench-301, which predicts validation accuracy of every cell"]
    content, _ = open_archive(path)
    datasets = {
        dataset: ", ".join(f"{' and '.join(splits)} of {epochs}" for epochs, splits in budgets.items()) + " epochs"
        for dataset, budgets in content.answers.items()
    }
    lines = [f"{len(content.arrays['keys']):,} architectures of the space {content.space}"]
    return lines + [f"{dataset}: {budgets}" for dataset, budgets in datasets.items()]


def _convert(read: Reader, source: Path, origin: str, path: Path) -> None:
    try:
        content = read(source)
        provenance = {**content.provenance, "origin": origin, "source_sha256": source_sha256(source)}
    except OSError as error:
        raise UserError(_unreadable(source, error)) from error
    save_container(replace(content, provenance=provenance).container(), path)


def _unreadable(source: Path, error: OSError) -> str:
    return f"{source} cannot be read ({error.strerror or error}): make it readable, or download it again"


def _limits(source: Path) -> Limits:
    files = files_in(source) if source.is_dir() else [source]
    size = sum(path.stat().st_size for path in files)
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    memory = min(_MEMORY + _MEMORY_A_BYTE * size, max(_MEMORY, there))
    return Limits(memory, _SECONDS + _SECONDS_A_MEGABYTE * (size >> 20))


def _check_digits(source: Path) -> None:
    # the authors put the last six digits of the file's MD5 into its name
    digits = re.fullmatch(r"NAS-Bench-201-v\d_\d-([0-9a-f]{6})\.pth", source.name)
    if not digits:
        return
    with source.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if not found.endswith(digits[1]):
        raise UserError(f"{source} is damaged: its MD5 ends in {found[-6:]}, not {digits[1]}; download it again")
