"""Write the generated parts of the documents anew, from the commands and from results/: `python docs/generate.py`."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pandas as pd

from nadlab.analysis.statistics.comparisons import holm
from nadlab.analysis.statistics.paired_tests import signed_rank

WIDTH = 120
DOCS = Path(__file__).parent
RESULTS = DOCS.parent / "results"
TABLES = {
    "cifar10": "table2_nasbench201_cifar10",
    "cifar100": "table2_nasbench201_cifar100",
    "nasbench101": "table1_nasbench101",
    "mnist1d-101": "table1_mnist1d-101",
    "mnist1d-201": "table2_mnist1d-201",
    "mnist1d-darts": "table3_mnist1d-darts",
}
"""benchmark, those of NAS-Bench-201 by their data set -> folder of the study of all methods on it"""
DEFAULT = "semigan-nad"
"""the method that the others are compared with"""


COMPLETION = """A line in your shell's start file completes commands, options and the names of studies:

```text
~/.bashrc                   eval "$(_NADLAB_COMPLETE=bash_source nadlab)"
~/.zshrc                    eval "$(_NADLAB_COMPLETE=zsh_source nadlab)"
~/.config/fish/config.fish  _NADLAB_COMPLETE=fish_source nadlab | source
```"""


def commands_page() -> str:
    """Return docs/commands.md: every command of `nadlab`, and the options of studies and tuning studies."""
    from nadlab.cli.main import nadlab
    from studies import ablate_alpha, tune_semigan

    studies = [("ablate_alpha.py", ablate_alpha.STUDY), ("tune_semigan.py", tune_semigan.TUNING)]
    parts = [
        "# Commands",
        "`python docs/generate.py` writes this page from the commands; `-h` of each prints the same.",
        COMPLETION,
    ]
    for path, command in _walk(nadlab, "nadlab"):
        parts += _section(path, command)
    for name, study in studies:
        parts += _section(f"python studies/{name}", _study_command(study), "Its options are those of every such study.")
    return "\n\n".join(parts) + "\n"


def _study_command(study: object) -> click.Command:
    from nadlab.cli import study as studies
    from nadlab.cli import tuning as tunings
    from nadlab.study.study import Study
    from nadlab.study.tuning import Tuning

    if isinstance(study, Study):
        return studies.command(study)
    assert isinstance(study, Tuning)
    return tunings.tuning_command(study)


def _walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, inner in sorted(command.commands.items()):
            yield from _walk(inner, f"{path} {name}")


def _section(path: str, command: click.Command, about: str = "") -> list[str]:
    context = click.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    texts = [about] if about else [_prose(part) for part in inspect.cleandoc(command.help or "").split("\n\n")]
    rows = [_row(each, context) for each in command.params if isinstance(each, click.Option)]
    return [f"## {path}", f"```text\n{usage}\n```", *texts, *(["\n".join(rows)] if rows else [])]


def _prose(part: str) -> str:
    r"""Return a paragraph of a help text; one behind click's `\b` stays as it stands, as a block."""
    if part.startswith("\b"):
        return f"```text\n{part.removeprefix(chr(8)).strip()}\n```"
    return textwrap.fill(" ".join(part.split()), WIDTH)


def _row(option: click.Option, context: click.Context) -> str:
    """Return an option's item of the list; raise ValueError when nobody said what it does."""
    record = option.get_help_record(context)
    if record is None or not option.help:
        raise ValueError(f"{context.info_name} {option.opts[0]} has no help text")
    names, meaning = (" ".join(text.split()) for text in record)
    meaning = re.sub(r"\[((?:default|required|[\dx])[^]]*)\]", r"(\1)", meaning)  # brackets are Markdown's links
    return _item(names, meaning)


def methods_table() -> str:
    """Return the mean regret of every method on every benchmark that was searched by all, from the stored `trials.csv`."""
    found: dict[str, dict[str, str]] = {}
    heads = []
    for benchmark, folder in TABLES.items():
        trials = pd.read_csv(RESULTS / folder / "trials.csv")
        regrets = trials.pivot(index="seed", columns="method", values="regret")
        (queries,) = trials.queries.unique()
        heads.append((benchmark, str(queries), str(len(regrets))))
        significant = _significant(regrets)
        for method, regret in regrets.mean().items():
            found.setdefault(str(method), {})[benchmark] = f"{abs(regret):.2f}{'*' if method in significant else ''}"
    names, budgets, seeds = zip(*heads, strict=True)
    lines = [
        _line("method", names),
        "| --- " * (len(heads) + 1) + "|",
        _line("queries", budgets),
        _line("seeds", seeds),
    ]
    for method, cells in sorted(found.items()):
        lines.append(_line(method, [cells.get(benchmark, "–") for benchmark in TABLES]))
    return "\n".join(lines)


def _significant(regrets: pd.DataFrame) -> set[str]:
    """Return the methods that differ from the default significantly, of regrets by seed (rows) and method (columns)."""
    others = regrets.columns.drop(DEFAULT)
    p_values = holm([signed_rank((regrets[other] - regrets[DEFAULT]).to_numpy()) for other in others])
    return {other for other, p in zip(others, p_values, strict=True) if p < 0.05}


def _line(first: str, others: Sequence[str]) -> str:
    return f"| {' | '.join([first, *others])} |"


def studies_list() -> str:
    """Return what every study says of itself in its first line."""
    files = [path for path in sorted((DOCS.parent / "studies").glob("*.py")) if path.stem != "__init__"]
    lines = [
        (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0] for path in files
    ]
    return "\n".join(_item(path.name, line) for path, line in zip(files, lines, strict=True))


def _item(name: str, text: str) -> str:
    return textwrap.fill(f"- `{name}`: {text}", WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def replaced(path: Path, content: str) -> str:
    """Return a page with other content between its two marks."""
    marks = r"(<!-- generated -->\n).*?(<!-- end -->)"
    page = path.read_text(encoding="utf-8")
    return re.sub(marks, lambda found: f"{found[1]}\n{content}\n\n{found[2]}", page, flags=re.DOTALL)


def pages() -> dict[Path, str]:
    """Return every page that has a generated part, as it must be."""
    parts = {DOCS / "results.md": methods_table(), DOCS / "studies.md": studies_list()}
    return {DOCS / "commands.md": commands_page(), **{path: replaced(path, part) for path, part in parts.items()}}


if __name__ == "__main__":
    for path, page in pages().items():
        path.write_text(page, encoding="utf-8")
        print(path.relative_to(DOCS.parent))
