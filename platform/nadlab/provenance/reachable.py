"""What can run when a module does: local source files and packages, by the import statements alone. No code is run.

An import counts wherever it stands, also inside a function; under `if TYPE_CHECKING` it does not. A module that a string
names as `module:object` counts too, and a source in C++ that one names, with the C++ files beside it.
"""

import ast
import importlib.util
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from nadlab.plugins import is_plugin

CPP = (".cpp", ".hpp", ".cc", ".hh", ".cu", ".cuh", ".c", ".h")
LONGEST_NAME = 200
"""characters of a string that may name a source"""
_INSTALLED = {"site-packages", "dist-packages"}
_BY_NAME = {"import_module", "__import__"}


@dataclass(frozen=True)
class Reach:
    """What the import statements of some modules lead to."""

    files: dict[str, Path] = field(default_factory=dict)
    """`package/module.py` -> where it lies"""
    packages: set[str] = field(default_factory=set)
    """dotted names of installed or missing modules that the files import"""
    without_file: set[str] = field(default_factory=set)
    """modules whose source is nowhere, such as those of an interactive session"""
    by_name: set[str] = field(default_factory=set)
    """files that import a module whose name they compute: it is unknown here"""


@dataclass(frozen=True)
class _Module:
    file: Path | None
    folders: tuple[Path, ...] = ()
    """of its submodules"""


def reachable(roots: Iterable[str], own: Collection[str] = ()) -> Reach:
    """Return what can run when the modules `roots` do.

    Files count that lie outside of `site-packages`, and wherever they lie those of the top-level packages `own`.
    """
    reach, queue, seen = Reach(), [(root, True) for root in roots], set[str]()
    while queue:
        name, must_exist = queue.pop()
        top, _, _ = name.partition(".")
        if name in seen or (top in sys.stdlib_module_names and top not in own):
            continue
        seen.add(name)
        module = _locate(name)
        first = module if top == name else _locate(top)
        if top not in own and (first is None or _is_installed(first)):
            reach.packages.update({name} if must_exist else ())
        elif module:
            queue += [(name.rpartition(".")[0], True)] if "." in name else []  # importing it runs its packages first
            queue += _read(name, module, reach)
        elif must_exist:
            reach.without_file.add(name)
    return reach


def _read(name: str, module: _Module, reach: Reach) -> list[tuple[str, bool]]:
    """Add a module's files, and return what it imports: the name, and whether it is a module for sure."""
    if not module.file:
        reach.without_file.update(() if module.folders else {name})  # a namespace package has folders alone
        return []
    *parents, last = name.split(".")
    is_package = module.file.name == "__init__.py"
    place = "/".join([*parents, last] if is_package else parents)
    label = f"{place}/{module.file.name}".lstrip("/")
    reach.files[label] = module.file
    if module.file.suffix != ".py":
        return []
    try:
        tree = ast.parse(module.file.read_bytes())
    except (SyntaxError, ValueError):  # it cannot run, so it imports nothing
        return []
    for source in _cpp(tree, module.file.parent):
        reach.files[f"{place}/{source.relative_to(module.file.parent)}".lstrip("/")] = source
    found = []
    for imported, surely in _imports(tree, name if is_package else ".".join(parents)):
        if imported:
            found.append((imported, surely))
        else:
            reach.by_name.add(label)
    return found


def _imports(tree: ast.Module, package: str) -> Iterator[tuple[str, bool]]:
    """Yield imported names and whether each is a module for sure; an empty name where it is computed."""
    for node in _running(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, True) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base, True
            yield from ((f"{base}.{alias.name}", False) for alias in node.names if alias.name != "*")
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", None)) in _BY_NAME:
            first = node.args[0] if node.args else None
            constant = isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value
            yield (constant if constant and not constant.startswith(".") else ""), True
        elif isinstance(node, ast.Constant) and is_plugin(node.value):
            yield str(node.value).partition(":")[0], False


def _running(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield every node but those that only a type checker reads."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, ast.If) and getattr(node.test, "attr", getattr(node.test, "id", None)) == "TYPE_CHECKING":
            stack += node.orelse
        else:
            stack += ast.iter_child_nodes(node)


def _cpp(tree: ast.Module, folder: Path) -> Iterator[Path]:
    texts = {each.value for each in ast.walk(tree) if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    for text in (each for each in texts if each.endswith(CPP) and len(each) < LONGEST_NAME):
        for named in (found for place in (folder, *folder.glob("*/")) if (found := place / text).is_file()):
            yield from (file for file in named.parent.iterdir() if file.suffix in CPP)


def _locate(name: str) -> _Module | None:
    """Return where a module lies, None where there is none; what is loaded lies where it was loaded from."""
    loaded = sys.modules.get(name)
    parent, _, last = name.rpartition(".")
    if loaded is not None:
        file, folders = getattr(loaded, "__file__", None), tuple(map(Path, getattr(loaded, "__path__", ())))
        return _Module(Path(file) if file and Path(file).is_file() else None, folders)
    if not parent:
        spec = importlib.util.find_spec(name)
        if spec is None:
            return None
        file = Path(spec.origin) if spec.origin and spec.has_location else None
        return _Module(file, tuple(map(Path, spec.submodule_search_locations or ())))
    around = _locate(parent)
    folders = around.folders if around else ()
    for folder in folders:
        if (package := folder / last / "__init__.py").is_file():
            return _Module(package, (folder / last,))
        for suffix in (".py", *EXTENSION_SUFFIXES):
            if (file := folder / f"{last}{suffix}").is_file():
                return _Module(file)
    spaces = tuple(folder / last for folder in folders if (folder / last).is_dir())
    return _Module(None, spaces) if spaces else None


def _is_installed(module: _Module) -> bool:
    return any(_INSTALLED & set(path.parts) for path in (module.file, *module.folders) if path)
