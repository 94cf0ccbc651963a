"""C++ of this package, compiled for the machine that it runs on: once a machine, into the cache folder."""

import ctypes
import hashlib
import logging
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from nadlab.cache import cache_folder, made_once
from nadlab.errors import UserError

logger = logging.getLogger(__name__)

OFF = "NADLAB_COMPILED"
"""variable of the environment; 0 compiles nothing and loads no library"""
FLAGS = (
    *("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fno-strict-aliasing", "-fPIC", "-w", "-x", "c++"),
    "-falign-loops=64",  # where the loops of products happen to lie else makes a tenth
    # elsewhere the compiler that comes with the system has no OpenMP, and one thread does all
    *(("-fopenmp",) if sys.platform == "linux" else ()),
)


def compiler() -> str | None:
    """Return the path of this machine's C++ compiler, `$CXX` or c++; None without one."""
    return shutil.which(os.environ.get("CXX") or "c++")


def compiler_version() -> str:
    """Return the first line of what the compiler says of itself; `none` without one, or where it is turned off."""
    found = compiler()
    if not found or os.environ.get(OFF) == "0":
        return "none"
    said = subprocess.run(
        [found, "--version"], capture_output=True, encoding="utf-8", errors="replace", check=False
    ).stdout.splitlines()
    return said[0] if said else "none"


@cache
def library(source: Path) -> ctypes.CDLL | None:
    """Compile and load `source`; return None, with a warning, if compilation fails."""
    if os.environ.get(OFF) == "0":
        return None
    found = compiler()
    if not found:
        logger.warning("no C++ compiler here (c++ or $CXX): %s", _CONSEQUENCE)
        return None
    try:
        return ctypes.CDLL(str(_built(found, source)))
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines()
        logger.warning("%s cannot compile %s (%s): %s", found, source.name, said[0] if said else error, _CONSEQUENCE)
    except (UserError, OSError) as error:
        logger.warning("%s cannot be compiled (%s): %s", source.name, error, _CONSEQUENCE)
    return None


_CONSEQUENCE = "SemiGAN-NAD trains on torch's operators, which takes about half as long again on a CPU"


def _built(found: str, source: Path) -> Path:
    """Return the library of a source, whose name changes with its folder's files, the compiler and the processor."""
    digest = hashlib.sha256(repr(FLAGS).encode() + _run(found, *FLAGS, "-dM", "-E", os.devnull).encode())
    for file in sorted(source.parent.glob("*.?pp")):
        digest.update(file.read_bytes())
    built = cache_folder() / "compiled" / f"{source.parent.parent.name}-{digest.hexdigest()[:16]}.so"

    def build(partial: Path) -> None:
        logger.info("compiling %s, once for this machine", source.name)
        _run(found, *FLAGS, "-shared", str(source), "-o", str(partial))

    return made_once(built, build)


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=True).stdout
