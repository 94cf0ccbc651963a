"""`nadlab study` and `nadlab tune`: the files of studies/ by name, which run as scripts do; only the one called is imported."""

import ast
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from nadlab.errors import UserError, did_you_mean

LIST = "list"
TUNING = "tune_"
"""the first letters of a tuning study's name"""


def study_files(prefix: str = "") -> dict[str, Path]:
    """Return name -> file of the studies whose names begin so; raise UserError where studies/ is not installed."""
    spec = find_spec("studies")
    if spec is None or spec.origin is None:
        raise UserError("there is no folder studies/ on Python's path: install nadlab by `make install`")
    files = sorted(Path(spec.origin).parent.glob(f"{prefix}*.py"))
    return {path.stem: path for path in files if path.stem != "__init__"}


def question(path: Path) -> str:
    """Return the question of a file's Study or Tuning, or the first line of what the file says of itself; nothing is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        call = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ("Study", "Tuning"):
            for each in call.keywords:
                if each.arg == "question" and isinstance(each.value, ast.Constant):
                    return str(each.value.value)
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def _command(name: str, prefix: str, kind: str, about: str) -> click.Command:
    """Return the command that lists and runs the studies whose names begin so."""

    def names(_context: click.Context, _argument: click.Parameter, begun: str) -> list[str]:
        return [each for each in (LIST, *study_files(prefix)) if each.startswith(begun)]

    # what follows NAME, -h too, is the study's
    @click.command(
        name, help=about, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
    )
    @click.argument("study", metavar="[NAME]", default=LIST, shell_complete=names)
    @click.argument("options", nargs=-1, type=click.UNPROCESSED)
    def run(study: str, options: tuple[str, ...]) -> None:
        files = study_files(prefix)
        if study in files:
            _run(files[study], options)
        elif study != LIST:
            raise UserError(f"unknown {kind} {study!r}: {did_you_mean(study, files)}`nadlab {name} {LIST}` names all")
        elif options:
            raise UserError(f"`nadlab {name} {LIST}` takes no options: write `nadlab {name} NAME {' '.join(options)}`")
        else:
            _print(files)

    return run


def _run(file: Path, options: tuple[str, ...]) -> None:
    """Run a study's file as `python studies/NAME.py` does: as `__main__`, with its path as the program's name."""
    sys.argv = [str(file), *options]
    runpy.run_path(sys.argv[0], run_name="__main__")


def _print(files: dict[str, Path]) -> None:
    from rich.table import Table
    from rich.text import Text

    from nadlab.terminal import console

    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("question", overflow="fold")
    for name, path in files.items():
        table.add_row(Text(name), Text(question(path)))
    console().print(table)


STUDY = _command(
    "study",
    "",
    "study",
    """List the studies with their questions, or run one: the same as `python studies/NAME.py`, with the same options.

    \b
    Example: nadlab study list
             nadlab study ablate_alpha --help
             nadlab study ablate_alpha --smoke
    """,
)
TUNE = _command(
    "tune",
    TUNING,
    "tuning study",
    """List the tuning studies, or run one: the same as `python studies/NAME.py`, with the same options.

    \b
    Example: nadlab tune tune_semigan --configurations 100 --sampler gp
    """,
)
