"""Download of one file: resumed after a failure, verified, and renamed only when it is complete.

Locations and checksums of the official files, as the benchmarks' own repositories state them.

Sources: README of google-research/nasbench; README of D-X-Y/AutoDL-Projects and D-X-Y/NATS-Bench (Google Drive
alone, which cannot be fetched by a plain request); `model_downloader.py` of automl/nasbench301, which states no
checksum.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import requests
from tqdm import tqdm

from nadlab.benchmarks.files import file_sha256
from nadlab.cache import locked, writable
from nadlab.errors import UserError, did_you_mean
from nadlab.network import exempt_loopback


@dataclass(frozen=True, slots=True)
class OfficialFile:
    """One download."""

    name: str
    """of the archive that it becomes"""
    file: str
    url: str | None
    """None where only a browser can download it, from `page`"""
    page: str
    sha256: str | None = None
    size: str = ""


_GOOGLE = "https://storage.googleapis.com/nasbench"
CATALOG = {
    "nasbench101": OfficialFile(
        "nasbench101",
        "nasbench_only108.tfrecord",
        f"{_GOOGLE}/nasbench_only108.tfrecord",
        "https://github.com/google-research/nasbench",
        "4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1",
        "499 MB",
    ),
    "nasbench101-full": OfficialFile(
        "nasbench101-full",
        "nasbench_full.tfrecord",
        f"{_GOOGLE}/nasbench_full.tfrecord",
        "https://github.com/google-research/nasbench",
        "3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c",
        "1.95 GB",
    ),
    "nasbench201": OfficialFile(
        "nasbench201",
        "NATS-tss-v1_0-3ffb9-simple.tar or NAS-Bench-201-v1_1-096897.pth",
        None,
        "https://github.com/D-X-Y/NATS-Bench (Google Drive)",
    ),
    "nasbench301-v0.9": OfficialFile(
        "nasbench301-v0.9",
        "nasbench301_models_v0.9.zip",
        "https://ndownloader.figshare.com/files/24693026",
        "https://figshare.com/articles/software/nasbench301_models_v0_9_zip/12962432",
    ),
    "nasbench301-v1.0": OfficialFile(
        "nasbench301-v1.0",
        "nasbench301_models_v1.0.zip",
        "https://ndownloader.figshare.com/files/24992018",
        "https://figshare.com/articles/software/nasbench301_models_v1_0_zip/13061510",
    ),
}


def official(name: str) -> tuple[OfficialFile, str]:
    """Return a benchmark's download and its URL.

    Raises UserError that lists the known names, or says which file to download by hand.
    """
    if name not in CATALOG:
        raise UserError(f"unknown download {name!r}: {did_you_mean(name, CATALOG)}choose one of {', '.join(CATALOG)}")
    found = CATALOG[name]
    if found.url is None:
        raise UserError(f"{name} can only be downloaded in a browser: {how_to_get(name)}")
    return found, found.url


def how_to_get(benchmark: str) -> str | None:
    """Return how the official file of a benchmark, `nasbench201/cifar10`, comes onto this machine; None where none is known."""
    found = CATALOG.get(name := benchmark.partition("/")[0])
    if found is None:
        return None
    if found.url is None:
        return f"get {found.file} from {found.page}, then run `nadlab benchmarks convert FILE`"
    size = f" ({found.size})" if found.size else ""
    return f"run `nadlab benchmarks fetch {name}`{size}, or get {found.file} and run `nadlab benchmarks convert FILE`"


ATTEMPTS = 5
"""Tries in a row that bring no byte before the download is given up."""
_BLOCK = 1 << 16
"""Bytes received at a time; a connection that breaks loses less than one block."""
_TIMEOUT = 30.0


def download(url: str, path: Path, sha256: str | None = None, pause: float = 2.0) -> Path:
    """Download a file unless it is there, and return its path; two processes at once download it once.

    The part of a broken download is kept beside it (`.NAME.part`); the next call resumes it if a checksum can verify
    the whole. `pause`: seconds before the first retry, doubled before each next one.

    Raises UserError when the server refuses, the connection stays broken, the checksum is wrong (the file is then
    removed) or the disk is full (its part is then removed).
    """
    exempt_loopback()
    with locked(path):
        if path.exists():
            return path
        part = path.with_name(f".{path.name}.part")
        if sha256 is None:
            part.unlink(missing_ok=True)
        _fetch(url, part, pause)
        found = file_sha256(part)
        if sha256 is not None and found != sha256:
            part.unlink()
            raise UserError(
                f"{url} gave a file whose SHA-256 is {found}, not the published {sha256}: it was removed; try again, or download it by hand"
            )
        part.replace(path)
    return path


def _fetch(url: str, part: Path, pause: float) -> None:
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _receive(url, part, before):
                return
            reason = "it ended early"
        except requests.RequestException as error:
            reason = str(error)
        failures = 0 if part.exists() and part.stat().st_size > before else failures + 1
        if failures >= ATTEMPTS:
            raise UserError(f"{url} cannot be downloaded ({reason}): run the same command again to go on from here")
        time.sleep(pause * 2 ** max(0, failures - 1))


def _receive(url: str, part: Path, offset: int) -> bool:
    """Append what the server sends; say whether the file is whole."""
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable and offset:
            if answer.headers.get("Content-Range") == f"bytes */{offset}":
                return True
            part.unlink()  # longer than the file: not a part of it
            return False
        answered = answer.status_code in (requests.codes.ok, requests.codes.partial_content)
        if not answered and answer.status_code < 500:  # refused, or such as 202, "not yet"
            raise UserError(f"{url} cannot be downloaded: the server answers {answer.status_code} {answer.reason}")
        answer.raise_for_status()
        if answer.status_code != requests.codes.partial_content:
            offset = 0  # the server sends the file from its start
        elif not answer.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
            raise UserError(f"{url} cannot be downloaded: the server sent another range than the one requested")
        length = answer.headers.get("Content-Length")
        total = offset + int(length) if length else None
        _append(answer, part, offset, total)
    return total is None or part.stat().st_size == total


def _append(answer: requests.Response, part: Path, offset: int, total: int | None) -> None:
    bar = tqdm(total=total, initial=offset, desc=part.name[1:-5], unit="B", unit_scale=True, unit_divisor=1024)
    try:
        with writable(part):
            file = part.open("ab" if offset else "wb")
        with bar, file:
            for block in answer.iter_content(_BLOCK):
                with writable(part):  # around the write alone: a broken connection is an OSError too
                    file.write(block)
                    file.flush()
                bar.update(len(block))
    except UserError:
        part.unlink(missing_ok=True)  # a full disk is not left full
        raise
