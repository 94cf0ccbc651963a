"""What made a result: git revision, versions, machine."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("nadlab", "torch", "ray", "mlflow", "numpy")


def provenance() -> dict[str, str]:
    """Return name -> value; the revision is `unknown` outside a git checkout."""
    return {
        "git_revision": git_revision(Path(__file__).parent),
        "python": platform.python_version(),
        "host": platform.node(),
        "cpus": str(os.cpu_count()),
        **{package: version(package) for package in PACKAGES},
    }


def git_revision(folder: Path) -> str:
    """Return the commit of the checkout around a folder, `+dirty` when tracked files differ from it."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return commit + ("+dirty" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)  # noqa: S607 - git is found by PATH
    return done.stdout.strip()
