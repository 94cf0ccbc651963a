"""Provenance of a result: revision and changes of the code, packages. Long values are files named by their digests."""

import hashlib
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution, distributions, packages_distributions, version
from pathlib import Path

from nadlab.json_text import strict_json
from nadlab.plugins import is_plugin, load_object, plugin_names
from nadlab.provenance.hardware import backend
from nadlab.provenance.reachable import Reach, reachable
from nadlab.provenance.source import source_digest

PACKAGES = ("nadlab", "torch", "torch-geometric", "ray", "mlflow", "numpy", "scipy", "scikit-learn")
"""recorded with every result, whether it uses them or not"""
LONGEST_DIFF = 2**20
"""characters"""
ALWAYS = ("code", "backend", "python")
"""what decides a result, besides modules of one's own and the versions of used packages"""
OWN = "own "
"""begins the name of a part that is a module of one's own"""

Sources = Mapping[str, Mapping[str, str]]
"""part of the code -> its files -> their digests (`source_digest`); a part is `code`, or `own NAME` for a module of one's own"""


@dataclass(frozen=True)
class Provenance:
    """Values that every record and run carries, and the files that they name, which a study keeps once."""

    values: dict[str, str]
    files: dict[str, str]
    """name -> text"""


@dataclass(frozen=True)
class Origin:
    """What decides the numbers of trials; all of it must agree for them to be the same (`provenance.differences`)."""

    values: dict[str, str]
    """`code`, `own NAME`, `backend`, `python`, the used packages' versions; the git revision is there to be read"""
    sources: dict[str, dict[str, str]]
    """as `Sources`"""


def provenance(origin: Mapping[str, str], sources: Sources) -> Provenance:
    """Return the provenance of results of an `Origin`.

    `git_revision` is `unknown` outside a checkout, `git_diff` names the changes since (`none` without), `packages` the
    list of what is installed, `sources` the list of what ran, `uses` the packages whose versions decide the result.
    """
    diff, installed, ran = git_diff(Path(__file__).parent), _installed(), strict_json(sources, indent=1)
    diff_file, packages_file = f"diff-{_digest(diff)}.txt", f"packages-{_digest(installed)}.txt"
    sources_file = f"sources-{_digest(ran)}.json"
    values = {
        "git_diff": diff_file if diff else "none",
        "packages": packages_file,
        "sources": sources_file,
        "uses": ", ".join(
            name for name in origin if name not in (*ALWAYS, "git_revision") and not name.startswith(OWN)
        ),
        **{name: version(name) for name in PACKAGES},
        **origin,
    }
    return Provenance(values, {packages_file: installed, sources_file: ran} | ({diff_file: diff} if diff else {}))


def origin(trainable: str, names: Iterable[object] = ()) -> Origin:
    """Return what decides the numbers of a trainable's trials on this machine.

    trainable: `module:class`. names: settings and benchmark, of which some may be `module:object`; they are loaded.
    A module without a file, and one that imports others by computed names, has that said in its value.
    """
    module = trainable.partition(":")[0]
    ours = {"nadlab", module.partition(".")[0]}
    main = reachable([module], ours)
    own = {f"{OWN}{name}": reachable([name], {*ours, name.partition(".")[0]}) for name in plugin_names(names)}
    parts = {"code": main} | {name: _without(reach, main) for name, reach in own.items()}
    sources = {
        part: {name: source_digest(path) for name, path in sorted(reach.files.items())} for part, reach in parts.items()
    }
    used = {name for reach in parts.values() for name in reach.packages}
    values = {
        "git_revision": git_revision(Path(__file__).parent),
        "code": _part(parts["code"], sources["code"]),
        "backend": backend(),
        "python": platform.python_version(),
        **dict(sorted(pair for name in used for pair in _versions(name).items())),
        **{part: _part(reach, sources[part]) for part, reach in parts.items() if part != "code"},
    }
    return Origin(values, sources)


def digest_of(module: str) -> str:
    """Return the digest of a module of this package, or of one's own, and of all that it imports, packages apart."""
    reach = reachable([module], {"nadlab", module.partition(".")[0]})
    return _part(reach, {name: source_digest(path) for name, path in sorted(reach.files.items())})


@cache
def own_code_of(benchmark_name: str) -> str | None:
    """Return the digest of the code of a benchmark of one's own, `module:object`, which is loaded; None for one of this package.

    Raises UserError when there is no such module or object.
    """
    if not is_plugin(benchmark_name):
        return None
    load_object(benchmark_name)  # only then is it known where the module lies
    return digest_of(benchmark_name.partition(":")[0])


def git_revision(folder: Path) -> str:
    """Return the commit of the checkout whose files are in a folder, `+dirty` when tracked files differ from it.

    `unknown` outside a checkout, and in another's ignored folder, such as an environment's packages in a project.
    """
    try:
        _git(folder, "ls-files", "--error-unmatch", ".")  # fails where none of its files is tracked
        commit = _git(folder, "rev-parse", "HEAD")
        return commit + ("+dirty" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def git_diff(folder: Path) -> str:
    """Return how the checkout whose files are in a folder differs from its commit; empty when it doesn't, or where there is none.

    All changed and unknown files are named, the changes of code and dependencies follow, cut after `LONGEST_DIFF`.
    """
    try:
        _git(folder, "ls-files", "--error-unmatch", ".")  # fails where none of its files is tracked
        root = Path(_git(folder, "rev-parse", "--show-toplevel"))
        named = _git(root, "status", "--porcelain")
        code = ("--", "*.py", "*.toml", "*.yaml", "constraints.txt")
        changes = _git(root, "diff", "HEAD", *code)
        unknown = _git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", "*.py").split("\0")
        texts = [named, changes, *(f"+++ {path}\n{_text(root / path)}" for path in unknown if path)]
    except (OSError, subprocess.CalledProcessError):
        return ""
    text = "\n".join(filter(None, texts))
    return text if len(text) <= LONGEST_DIFF else f"{text[:LONGEST_DIFF]}\n... cut: {len(text)} characters in all"


def _text(path: Path) -> str:
    """Return what a file holds, or why it can't be read: a link may lead nowhere."""
    try:
        return path.read_text(errors="replace", encoding="utf-8")
    except OSError as error:
        return f"unreadable: {error}"


def _without(reach: Reach, other: Reach) -> Reach:
    files = {name: path for name, path in reach.files.items() if name not in other.files}
    by_name = reach.by_name - other.by_name
    return Reach(files, reach.packages, reach.without_file - other.without_file, by_name)


def _part(reach: Reach, files: Mapping[str, str]) -> str:
    """Return the digest of a part of the code, with what it could not take in."""
    gaps = [f"{name} has no file" for name in sorted(reach.without_file)]
    gaps += [f"{name} imports by computed names" for name in sorted(reach.by_name) if not name.startswith("nadlab/")]
    return "; ".join([_digest(strict_json(files, sort_keys=True)), *gaps])


def _versions(name: str) -> dict[str, str]:
    """Return the version of the package of an imported module; a namespace such as `google` is shared by several."""
    found = dict.fromkeys(_packages().get(name.partition(".")[0], ()))
    inside = name.replace(".", "/")
    if len(found) > 1:
        files = {each: [str(file) for file in distribution(each).files or ()] for each in found}
        found = {each: None for each in found if any(file.startswith(inside) for file in files[each])} or found
    return {each: version(each) for each in found} or {name.partition(".")[0]: "not installed"}


@cache
def _packages() -> Mapping[str, list[str]]:
    return packages_distributions()


def _installed() -> str:
    lines = {f"{each.name}=={each.version}" for each in distributions()}
    return "\n".join(sorted(lines, key=str.lower)) + "\n"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]  # found by PATH
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=True)
    return done.stdout.rstrip()
