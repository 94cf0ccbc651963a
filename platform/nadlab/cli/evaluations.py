"""`nadlab evaluations list | export | table`, and the options by which searches and studies evaluate."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nadlab.cli.command_line import echo_json, json_option
from nadlab.cli.tables import print_table

if TYPE_CHECKING:
    from nadlab.evaluations.config import EvaluationConfig

OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--evaluations", metavar="PLACE", envvar="NADLAB_EVALUATIONS",
                 help="where evaluations of a benchmark that trains are stored, shared by all that name the same place: a folder, "
                 "or postgresql://... (NADLAB_EVALUATIONS keeps its password out of the process list)  [default: the study's "
                 "folder; runs/evaluations for a search]"),
    click.option("--retries", type=click.IntRange(0), metavar="N",
                 help="further attempts at a failed training, before it counts as the worst value  [default: 1]"),
    click.option("--evaluation-timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
                 help="time after which a training counts as failed  [default: none]"),
    click.option("--cpus-per-evaluation", type=click.FloatRange(0), metavar="N",
                 help="CPUs for each training  [default: what the benchmark declares]"),
    click.option("--gpus-per-evaluation", type=click.FloatRange(0), metavar="N",
                 help="GPUs for each training; a fraction shares a device  [default: what the benchmark declares]"),
)  # fmt: skip


def evaluation_options(command: Any) -> Any:
    """Add the options to a command, in their order."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def evaluation_config(given: Mapping[str, Any]) -> "EvaluationConfig":
    """Return what the options say; a folder becomes absolute, for other processes."""
    from nadlab.evaluations.config import EvaluationConfig

    place, retries = given["evaluations"], given["retries"]
    if place and "://" not in place:
        place = str(Path(place).absolute())
    return EvaluationConfig(
        place, 1 if retries is None else retries, given["evaluation_timeout"], given["cpus_per_evaluation"], given["gpus_per_evaluation"]
    )  # fmt: skip


@click.group()
def evaluations() -> None:
    """List the evaluations in a store, export them, or turn them into a table benchmark.

    PLACE is a folder of stores, a store's SQLite file, a study's folder, or the URL of a PostgreSQL database.
    """


place = click.argument("place", envvar="NADLAB_EVALUATIONS")
of_benchmark = click.option("--benchmark", metavar="NAME", help="only evaluations of this benchmark")


@evaluations.command("list")
@place
@of_benchmark
@json_option("one JSON line per evaluation")
def list_command(place: str, benchmark: str | None, as_json: bool) -> None:
    """List evaluations: cell, status, accuracies, seconds, attempts, and why a training failed."""
    from nadlab.evaluations.exports import kept

    frame = kept(place, benchmark)
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    if as_json:
        for row in rows:
            echo_json(row)
        return
    columns = ("benchmark", "cell", "fidelity", "seed", "status", "valid", "test", "seconds", "attempts", "reason")
    print_table("evaluations", [{name: row[name] for name in columns} for row in rows])
    counts = ", ".join(f"{count} {status}" for status, count in frame["status"].value_counts().items())
    click.echo(f"{counts}; {frame['seconds'].sum() / 3600:.3g} hours of evaluations")


@evaluations.command("export")
@place
@click.argument("file", type=click.Path(path_type=Path))
@of_benchmark
def export_command(place: str, file: Path, benchmark: str | None) -> None:
    """Write evaluations to FILE, .csv or .parquet, one row each."""
    from nadlab.evaluations.exports import export, kept

    frame = kept(place, benchmark)
    export(frame, file)
    click.echo(f"{len(frame)} evaluations: {file}")


@evaluations.command("table")
@place
@click.argument("file", type=click.Path(path_type=Path))
@of_benchmark
@click.option("--digest", default="", help="only one version of the benchmark: the start of its digest")
@click.option(
    "--epochs", type=click.IntRange(1), default=1, show_default=True, help="epochs of training, for the column names"
)
def table_command(place: str, file: Path, benchmark: str | None, digest: str, epochs: int) -> None:
    """Write FILE.csv, a table benchmark of the same space (NAS-Bench-101's or -201's) for $NADLAB_DATA.

    \b
    Example: nadlab evaluations table runs/evaluations tables/flowers.csv --benchmark flowers:flowers
             NADLAB_DATA=tables nadlab search --benchmark flowers/flowers
    """
    from nadlab.evaluations.exports import kept, write_table

    frame = kept(place, benchmark)
    names = write_table(frame[frame["digest"].str.startswith(digest)], file, epochs)
    click.echo(f"{file} holds {', '.join(names)}: name its folder in $NADLAB_DATA")
