"""Provenance of a result: revision and changes of the code, packages. Long values are files named by their digests."""

import hashlib
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import distributions, version
from pathlib import Path

import nadlab
from nadlab.provenance.hardware import backend

PACKAGES = ("nadlab", "torch", "torch-geometric", "ray", "mlflow", "numpy", "scipy", "scikit-learn")
DECISIVE = ("code", "backend", "python", "torch", "torch-geometric", "numpy", "scipy", "scikit-learn")
"""must agree for a trial to give the same numbers: `nadlab reproduce` and a resumed study compare them"""
SOURCES = (".py", ".cpp", ".hpp")
LONGEST_DIFF = 2**20
"""characters"""


@dataclass(frozen=True)
class Provenance:
    """Values that every record and run carries, and the files that they name, which a study keeps once."""

    values: dict[str, str]
    files: dict[str, str]
    """name -> text"""


def provenance(package: str) -> Provenance:
    """Return the provenance of a result of a trainable in a package.

    `git_revision` is `unknown` outside a checkout, `git_diff` names the changes since (`none` without), `packages` the
    list of what is installed, `code` is a digest of the sources.
    """
    diff, installed = git_diff(Path(__file__).parent), _installed()
    diff_file, packages_file = f"diff-{_digest(diff)}.txt", f"packages-{_digest(installed)}.txt"
    values = {
        "git_revision": git_revision(Path(__file__).parent),
        "git_diff": diff_file if diff else "none",
        "packages": packages_file,
        **decisive(package),
        **{name: version(name) for name in PACKAGES},
    }
    return Provenance(values, {packages_file: installed} | ({diff_file: diff} if diff else {}))


def decisive(package: str) -> dict[str, str]:
    """Return the values of `DECISIVE` on this machine, for a trainable of a package."""
    own = {"code": code_digest(package), "backend": backend(), "python": platform.python_version()}
    return {name: own.get(name) or version(name) for name in DECISIVE}


def origin(package: str) -> dict[str, str]:
    """Return the git revision and `DECISIVE`: the origin by which a study's folder is resumed or refused."""
    return {"git_revision": git_revision(Path(__file__).parent), **decisive(package)}


def mismatches(recorded: Mapping[str, str], package: str) -> list[str]:
    """Return a sentence for each of `DECISIVE` that differs from where a result was recorded."""
    here = decisive(package)
    return [
        f"{name} was {recorded.get(name, 'not recorded')}, here it is {here[name]}"
        for name in DECISIVE
        if recorded.get(name) != here[name]
    ]


def code_digest(package: str) -> str:
    """Return a digest of the sources of nadlab and of one more imported package, in Python and C++."""
    total = hashlib.sha256()
    for module in {"nadlab": nadlab, package: sys.modules[package]}.values():
        folder = Path(module.__file__).parent if module.__file__ else Path(next(iter(module.__path__)))
        for path in sorted(path for path in folder.rglob("*") if path.suffix in SOURCES):
            total.update(f"{folder.name}/{path.relative_to(folder)}\n".encode() + path.read_bytes() + b"\0")
    return total.hexdigest()[:16]


def git_revision(folder: Path) -> str:
    """Return the commit of the checkout around a folder, `+dirty` when tracked files differ from it."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return commit + ("+dirty" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def git_diff(folder: Path) -> str:
    """Return how the checkout around a folder differs from its commit; empty when it doesn't, or where there is none.

    All changed and unknown files are named, the changes of code and dependencies follow, cut after `LONGEST_DIFF`.
    """
    try:
        root = Path(_git(folder, "rev-parse", "--show-toplevel"))
        named = _git(root, "status", "--porcelain")
        code = ("--", "*.py", "*.toml", "*.yaml", "constraints.txt")
        changes = _git(root, "diff", "HEAD", *code)
        unknown = _git(root, "ls-files", "--others", "--exclude-standard", "--", "*.py").splitlines()
        texts = [
            named,
            changes,
            *(f"+++ {path}\n{(root / path).read_text(errors='replace', encoding='utf-8')}" for path in unknown),
        ]
    except (OSError, subprocess.CalledProcessError):
        return ""
    text = "\n".join(filter(None, texts))
    return text if len(text) <= LONGEST_DIFF else f"{text[:LONGEST_DIFF]}\n... cut: {len(text)} characters in all"


def _installed() -> str:
    lines = {f"{each.name}=={each.version}" for each in distributions()}
    return "\n".join(sorted(lines, key=str.lower)) + "\n"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]  # found by PATH
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=True)
    return done.stdout.rstrip()
