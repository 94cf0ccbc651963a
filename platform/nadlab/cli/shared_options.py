"""Options that several commands share; light, for a command's start."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import reduce, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nadlab.errors import UserError
from nadlab.plugins import TRAINING

if TYPE_CHECKING:
    from nadlab.study.search_file import Search, SearchFile, Task

OUTCOME = click.option(
    "--outcome", multiple=True, metavar="NAME",
    help="outcome to report, such as regret-40 or queries-to-best (docs/outcomes.md); may be repeated, the conclusions use "
    "the first",
)  # fmt: skip
SMALLEST_EFFECT = click.option(
    "--smallest-effect", type=click.FloatRange(0, min_open=True), metavar="X",
    help="smallest difference of interest in the first outcome, used for power and equivalence",
)  # fmt: skip


def protocol_option(default: str = "paper") -> Callable[[Any], Any]:
    """Return the option; names are checked where the benchmark is opened."""
    return click.option(
        "--protocol", default=default, show_default=True, metavar="NAME",
        help="which accuracy is searched and reported: paper (SemiGAN-NAD's; on NAS-Bench-201 test accuracy only), "
        "validation (search by validation, report test accuracy) or naslib (as in NASLib)",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SearchFileOptions:
    """How a command fills a `SearchFile` and writes its page, by `search_file_options`."""

    concurrent: int | None
    out: Path
    anyway: bool
    page_only: bool
    dry_run: bool

    def fill(self, file: "SearchFile", search: "Search", tasks: "Iterable[Task]") -> None:
        """Run what the file lacks, unless only the page is asked for; a dry run ends here and says what would run."""
        if self.dry_run:
            click.echo(_forecast(file, [*tasks], self.anyway))
            raise click.exceptions.Exit
        if not self.page_only:
            file.run(search, tasks, self.concurrent, self.anyway)


def _forecast(file: "SearchFile", tasks: "Sequence[Task]", anyway: bool) -> str:
    from nadlab.analysis.text import duration, listed  # late, as all below: --help needs no pandas

    missing = file.missing(tasks, anyway)
    known, unknown = missing[missing["cpu_seconds"].notna()], missing[missing["cpu_seconds"].isna()]
    said = f"{len(missing)} of {len(tasks)} searches would run"
    said += f"; {file.path} has the others." if len(missing) < len(tasks) else f", and be added to {file.path}."
    if len(known):
        cost = duration(known["cpu_seconds"].sum())
        said += f" {len(known)} of them take about {cost} of CPU time, like those it has."
    if len(known) and len(unknown):
        counts = unknown.groupby(["method", file.unit], sort=False).size().reset_index()
        own = [f"{method} with {budget} {file.unit} ({count})" for method, budget, count in counts.to_numpy().tolist()]
        said += f" It has no search yet of {listed(own)}."
    return said


def write_page(folder: Path, text: str) -> None:
    """Write a page as README.md, and print it."""
    (folder / "README.md").write_text(text, encoding="utf-8")
    click.echo(text)


def search_file_options(out: str) -> Callable[[Any], Any]:
    """Return the options of a command that fills a `SearchFile` in the folder `out`; it gets them as `file_options`."""
    options = (
        click.option("--concurrent", type=click.IntRange(1), help="searches in parallel, each on one core  [default: all cores]"),
        click.option("--out", type=click.Path(path_type=Path), default=Path(out), show_default=True),
        click.option("--anyway", is_flag=True, help="keep searches that other code of their methods made"),
        click.option("--page", "page_only", is_flag=True, help="run no search, only write the page from stored results"),
        click.option("--dry-run", is_flag=True, help="print what would run and how long it would take; write nothing"),
    )  # fmt: skip
    names = [each.name for each in fields(SearchFileOptions)]

    def decorated(command: Callable[..., Any]) -> Any:
        @wraps(command)
        def given(**values: Any) -> Any:
            file_options = SearchFileOptions(**{name: values.pop(name) for name in names})
            return command(**values, file_options=file_options)

        return reduce(lambda made, option: option(made), reversed(options), given)

    return decorated


def in_space(name: str, space: str | None) -> str:
    """Return the name of a benchmark `train:SOURCE` with a search space; raise UserError for another, or one that names a space."""
    if space is None:
        return name
    if not name.startswith(TRAINING) or "@space=" in name:
        raise UserError(f"--space names the space of a benchmark train:SOURCE without @space=, not that of {name}")
    return f"{name}@space={space}"
