"""The folder of fetched and converted benchmarks, and of what is made once for a machine: several processes use it at once, and no
file in it is partial.

`$NADLAB_CACHE` names it; without, it is `~/.cache/nadlab/benchmarks`.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from filelock import FileLock

from nadlab.errors import UserError


def cache_folder() -> Path:
    """Return the cache folder, which need not exist yet; raise UserError where this user has no home."""
    named = os.environ.get("NADLAB_CACHE")
    try:
        return Path(named).expanduser() if named else Path.home() / ".cache" / "nadlab" / "benchmarks"
    except RuntimeError as error:
        raise UserError(
            f"there is no home folder ({error}): set $NADLAB_CACHE to a folder that you can write"
        ) from error


def made_once(path: Path, make: Callable[[Path], object]) -> Path:
    """Return a file of the cache folder that `make(partial)` writes where it is absent; processes that ask at once make it once.

    Raises UserError as `replacing`, also where the folder cannot be looked into, and what `make` raises.
    """
    if not is_there(path):
        with locked(path):
            if not is_there(path):
                with replacing(path) as partial:
                    make(partial)
    return path


def is_there(path: Path) -> bool:
    """Say whether the cache folder has a file; raise UserError when the folder cannot be looked into."""
    with writable(path):
        return path.exists()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a file beside `path` to write to; it takes the name `path` when all went well and is removed otherwise.

    Raises UserError when the folder cannot be written to or the disk is full.
    """
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".partial", delete=False) as made:
            partial = Path(made.name)
        try:
            yield partial
            with partial.open("rb") as written:
                os.fsync(written.fileno())
            partial.chmod(0o644)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Turn a failure to write at `path` into a UserError that says why."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"{path} cannot be written ({reason}): make room there or set $NADLAB_CACHE to another folder"
        ) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of `path` among all processes of this machine; waits for whoever has it."""
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.lock"))
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
