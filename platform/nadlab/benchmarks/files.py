"""Files that others wrote: what may be opened, how much of it, and its checksum."""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from nadlab.errors import UserError

DEEPEST = 8
"""Folders inside each other that are looked into; official downloads have three."""


def short_digest(digest: str) -> str:
    """Return 12 digits of a hexadecimal digest; a text that a benchmark of one's own has instead is returned whole."""
    return digest[:12] if re.fullmatch("[0-9a-f]{16,}", digest) else digest


def check_file(path: Path, limit: int | None = None) -> int:
    """Return the size of a regular file in bytes, without opening it: a FIFO would block, a device never ends.

    Raises UserError for anything else, a file that cannot be reached, or one of more than `limit` bytes.
    """
    try:
        found = path.stat()
    except OSError as error:
        dangling = error.errno == errno.ENOENT and path.is_symlink()
        what = "is a link to nothing" if dangling else f"cannot be read ({error.strerror or error})"
        raise UserError(f"{path} {what}: remove it, or name another file") from error
    if stat.S_ISDIR(found.st_mode):
        raise UserError(f"{path} is a folder, not a file: move it away, or name a file")
    if not stat.S_ISREG(found.st_mode):
        raise UserError(f"{path} is a device or pipe, not a file: move it away, or name a file")
    if limit is not None and found.st_size > limit:
        raise UserError(f"{path} has {found.st_size:,} bytes, more than any such file ({limit:,}): it is not opened")
    return found.st_size


def read_file(path: Path, limit: int, place: tuple[int, int] | None = None) -> bytes:
    """Return the bytes of a regular file, or of `place`, the first and the number of bytes in it.

    Raises UserError when it is none, unreadable, or the bytes are more than `limit`.
    """
    check_file(path, None if place else limit)
    start, count = place or (0, -1)
    if count > limit:
        raise UserError(f"{path} has a part of {count:,} bytes, more than any such part ({limit:,}): it is not opened")
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(count)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}): make it readable") from error


def files_in(folder: Path, name: str | None = None) -> Iterator[Path]:
    """Yield the regular files, or those of one name, at most DEEPEST folders down.

    Links to folders, which may form a circle, are not followed. Raises OSError when a folder cannot be read.
    """
    level = [folder]
    for _ in range(DEEPEST):
        inside = [path for place in level for path in sorted(place.iterdir())]
        yield from (path for path in inside if name in (None, path.name) and path.is_file())
        level = [path for path in inside if path.is_dir() and not path.is_symlink()]


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def source_sha256(source: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's relative names and files' SHA-256 in order."""
    if source.is_file():
        return file_sha256(source)
    names = [os.fsencode(path.relative_to(source)) for path in sorted(files_in(source))]
    lines = [file_sha256(source / os.fsdecode(name)).encode() + b"  " + name + b"\n" for name in names]
    return hashlib.sha256(b"".join(lines)).hexdigest()
