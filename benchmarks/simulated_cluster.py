"""Run a study of sleeping trials over many workers: what does the study layer cost, and how many trials a second can it take?

The trials go the way of all others, through Ray Tune, the study's folder and MLflow, on one machine with as many logical
CPUs as workers. Each run appends a line to --append; `benchmarks/cost_model.py` reads them.

python benchmarks/simulated_cluster.py --trials 5000 --workers 64 --seconds 10 --append results/simulated_cluster.jsonl
"""

import json
import sys
import tempfile
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict
from pathlib import Path

import click

from benchmarks.measuring import as_json, machine, show
from benchmarks.sleeping import Sleep, study
from benchmarks.usage import Usage, mlflow_server, recorded
from nadlab.benchmarks.registry import benchmark
from nadlab.cluster import connected
from nadlab.command_line import run_command
from nadlab.runner import Place, run_study


def simulate(settings: Sleep, trials: int, workers: int, store: str, folder: Path) -> Usage:
    """Run the trials over so many workers in a new folder; return what they took besides sleep."""
    asked = study(settings, trials)
    tracking = mlflow_server(folder / "mlflow") if store == "server" else nullcontext((None, None))
    with tracking as (address, server), connected(None, workers, asked.trainable):
        place = Place(folder / "out", tracking_uri=address, concurrent=workers)
        with recorded(folder, server) as usage:
            status = run_study(asked, benchmark(asked.benchmark), place)
        if status:
            raise RuntimeError(f"the study ended with status {status}")
        return usage()


@click.command(help=__doc__)
@click.option("--trials", default=200, show_default=True, type=click.IntRange(2), help="an even number")
@click.option("--workers", default=8, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=1.0, show_default=True, type=click.FloatRange(0), help="slept in a trial")
@click.option(
    "--epochs", default=10, show_default=True, type=click.IntRange(1), help="up to ten checkpoints share them"
)
@click.option("--queries", default=20, show_default=True, type=click.IntRange(1))
@click.option("--checkpoint-bytes", default=100_000, show_default=True, type=click.IntRange(1))
@click.option(
    "--store",
    default="server",
    show_default=True,
    type=click.Choice(("server", "sqlite")),
    help="`nadlab mlflow`, or the study's own database",
)
@click.option("--append", type=click.Path(path_type=Path), metavar="FILE", help="a line of JSON is added to it")
@as_json
def command(
    trials: int, workers: int, store: str, append: Path | None, as_json: bool, **settings: float
) -> None:  # fmt: skip
    sleep = Sleep(**settings)  # type: ignore[arg-type] # click has made them the numbers that they are
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
        usage = simulate(sleep, trials, workers, store, Path(folder))
    if append:
        line = {"machine": machine(), "store": store, "workers": workers, **asdict(sleep), **asdict(usage)}
        with append.open("a") as file:
            file.write(json.dumps(line) + "\n")
    show(usage.figures(), as_json)


if __name__ == "__main__":
    sys.exit(run_command(command))
