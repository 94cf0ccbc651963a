"""The command `nadlab`: benchmarks, searches, reports, MLflow's server, reproduction. Heavy imports are late: --help is fast."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from nadlab.cli.benchmarks import COMMANDS, for_people, missing, readable_benchmarks
from nadlab.cli.catalogue.methods import methods
from nadlab.cli.catalogue.studies import STUDY, TUNE
from nadlab.cli.command_line import echo_json, json_option, run_command
from nadlab.cli.evaluations import evaluations
from nadlab.cli.searches.command import search
from nadlab.cli.shared_options import OUTCOME, SMALLEST_EFFECT, protocol_option
from nadlab.cli.tables import print_table
from nadlab.export.command import export


@click.group(context_settings={"max_content_width": 110})
@click.version_option(package_name="nadlab", prog_name="nadlab", message="%(prog)s %(version)s")
def nadlab() -> None:
    """Studies of neural-architecture design around SemiGAN-NAD."""


@nadlab.group(invoke_without_command=True)
@protocol_option()
@json_option("one JSON line per benchmark")
@click.pass_context
def benchmarks(context: click.Context, protocol: str, as_json: bool) -> None:
    """List the benchmarks on this machine: embedded ones, tables in $NADLAB_DATA and archives that you fetched.

    A benchmark file that cannot be read, or lacks what the protocol needs, gets a line that says why. A benchmark of
    the paper that is missing gets a line that says how to get it.
    """
    if context.invoked_subcommand:
        return
    from nadlab.benchmarks.presets import PAPER, benchmark_text

    rows, left_out = readable_benchmarks(protocol)
    if as_json:
        for row in rows:
            echo_json(row)
    else:
        print_table(benchmark_text("benchmarks", protocol), [for_people(row) for row in rows])
    for line in missing(rows) if protocol == PAPER else ():
        click.echo(f"not here: {line}", err=as_json)
    for line in left_out:
        click.echo(f"left out: {line}", err=as_json)


for each in COMMANDS:
    benchmarks.add_command(each)
for each in (STUDY, TUNE, search, methods, evaluations, export):
    nadlab.add_command(each)


@nadlab.command()
@click.argument("study")
@click.option(
    "--tracking-uri",
    metavar="URI",
    help="MLflow server or store of its runs  [default: mlflow.db in the study's folder]",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FOLDER", help="where to write it  [default: the study's folder]"
)
@OUTCOME
@SMALLEST_EFFECT
def report(
    study: str, tracking_uri: str | None, out: Path | None, outcome: tuple[str, ...], smallest_effect: float | None
) -> None:
    """Rewrite a study's report from its records: a page that opens offline, plots and LaTeX tables.

    STUDY is the study's folder, or its name in runs/, which means every benchmark it ran on.

    \b
    Example: nadlab report ablate_alpha --outcome regret-40 --outcome seconds
    """
    from nadlab.cli.report import report_studies

    report_studies(study, tracking_uri, out, outcome, smallest_effect)


@nadlab.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("mlflow"),
    show_default=True,
    help="folder of database and artifacts, unless --store or --artifacts is given",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="address to listen on; any other needs --auth")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="port to listen on")
@click.option(
    "--auth",
    is_flag=True,
    help="require a password: $MLFLOW_TRACKING_PASSWORD, or a random one, written to --folder",
)
@click.option(
    "--allowed-hosts", metavar="NAMES", default="", help="further host names for browsers, separated by commas"
)
@click.option(
    "--store",
    metavar="URI",
    envvar="MLFLOW_BACKEND_STORE_URI",
    help="another database, such as postgresql://... (needs `pip install nadlab[server]`); the variable "
    "MLFLOW_BACKEND_STORE_URI does the same, and keeps its password out of the process list",
)
@click.option(
    "--artifacts", metavar="URI", help="another location for artifacts, such as s3://... (needs the same installation)"
)
@click.option("--open", is_flag=True, help="open the comparison in a browser, or a list of several studies")
@click.option("--workers", type=click.IntRange(1, 1_000), default=2, show_default=True, help="server processes")
def mlflow(**options: Any) -> None:
    """Serve the runs of studies with MLflow, and print the link to each study's comparison.

    --folder may be a study's folder. Studies can also log to this server with --tracking-uri.

    With --auth the user is admin and the password is in FOLDER/password, which only its owner can read; studies and
    MLflow's clients read both from the environment. Passwords are sent in clear text: use a tunnel, or a proxy with TLS.

    \b
    Example: nadlab mlflow --folder runs/ablate_alpha/mnist1d-201 --open
             nadlab mlflow --folder ~/mlflow --auth
             export MLFLOW_TRACKING_USERNAME=admin MLFLOW_TRACKING_PASSWORD=$(cat ~/mlflow/password)
             python studies/ablate_alpha.py --tracking-uri http://127.0.0.1:5000
    """  # fmt: skip
    from nadlab.tracking.server import PASSWORD_FILE, USER, Server

    if options["auth"]:
        click.echo(f"User {USER}, password in {options['folder'] / PASSWORD_FILE}", err=True)
    Server(**options).serve()


@nadlab.command()
@click.argument("run_id")
@click.option(
    "--tracking-uri", metavar="URI", envvar="MLFLOW_TRACKING_URI", required=True, help="MLflow server or store"
)
@click.option("--retrain", is_flag=True, help="rerun the whole trial, not only its final queries")
@click.option("--anyway", is_flag=True, help="allow other code or packages")
@json_option("one JSON object")
def reproduce(run_id: str, tracking_uri: str, retrain: bool, anyway: bool, as_json: bool) -> int:
    """Reproduce the accuracy of a trial's run in MLflow, bit for bit; exit status 1 when it differs.

    The final queries are recomputed with the networks of the run's checkpoint. The command refuses another benchmark
    and, without --anyway, other code, packages or compute backend.

    \b
    Example: nadlab reproduce 0123456789abcdef --tracking-uri http://127.0.0.1:5000
    """
    from nadlab.engine.reproduce import reproduce

    done = reproduce(run_id, tracking_uri, retrain, anyway)
    if as_json:
        echo_json(asdict(done) | {"equal": done.equal})
        return 0 if done.equal else 1
    for note in done.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(
        f"recorded {done.recorded!r}, reproduced {done.reproduced!r}{done.unit and f' {done.unit}'} of the best of {done.queries} queries"
    )
    click.echo("equal bit for bit" if done.equal else f"NOT equal: {done.different_queries} queries differ")
    return 0 if done.equal else 1


def main() -> None:
    """Run `nadlab`: bad input gives one sentence and exit status 2."""
    sys.exit(run_command(nadlab))
