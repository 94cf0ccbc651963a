"""Run studies of sleeping trials over many workers: what does the study layer cost, and how many trials a second can it take?

The trials go the way of all others, through Ray Tune, the study's folder and MLflow, on one machine with as many logical
CPUs as workers. One study a shape of trial, one after the other; each appends a line to --append, from which
`perf/scale/cost_model.py` reads what a trial, a step and a value cost, and its largest study tells how well.

python perf/scale/simulated_cluster.py --trials 200 --shape 1,1 --shape 10,1 --shape 1,300 --shape 60,160 --append FILE
python perf/scale/simulated_cluster.py --trials 5000 --workers 64 --seconds 10 --shape 20,50 --append FILE
"""

import sys
import tempfile
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from nadlab.benchmarks.registry import benchmark
from nadlab.cli.command_line import run_command
from nadlab.cluster.connection import connected
from nadlab.cluster.execution import ExecutionConfig
from nadlab.engine.runner import run_study
from nadlab.errors import UserError
from nadlab.json_text import strict_json
from perf.measuring import as_json, machine, show
from perf.mlflow_server import served
from perf.scale.sleeping import Sleep, study
from perf.scale.usage import Usage, recorded


def simulate(settings: Sleep, trials: int, execution: ExecutionConfig, server: int | None) -> Usage:
    """Run the trials in the open Ray, into a new folder; return what they took besides sleep.

    server: process of the MLflow server that the execution names, if it does.
    """
    asked = study(settings, trials)
    with recorded(execution.out, server) as usage:
        status = run_study(asked, benchmark(asked.benchmark), execution)
    if status:
        raise RuntimeError(f"the study ended with status {status}")
    return usage()


def parse_shape(text: str) -> tuple[int, int]:
    """Read `EPOCHS,QUERIES`; UserError otherwise."""
    try:
        epochs, queries = map(int, text.split(","))
    except ValueError:
        raise UserError(f"{text!r} is not a shape of a trial: give its epochs and queries, such as 10,20") from None
    return epochs, queries


@click.command(help=__doc__)
@click.option("--trials", default=200, show_default=True, type=click.IntRange(2), help="of each study, an even number")
@click.option("--workers", default=8, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=1.0, show_default=True, type=click.FloatRange(0), help="slept in a trial")
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    default=("10,20",),
    show_default=True,
    metavar="EPOCHS,QUERIES",
    help="of a trial; up to ten steps, each with a checkpoint, share the epochs",
)
@click.option("--checkpoint-bytes", default=100_000, show_default=True, type=click.IntRange(1))
@click.option(
    "--store",
    default="server",
    show_default=True,
    type=click.Choice(("server", "sqlite")),
    help="`nadlab mlflow`, or the study's own database",
)
@click.option("--append", type=click.Path(path_type=Path), metavar="FILE", help="a line of JSON a study is added to it")
@as_json
def command(
    trials: int, workers: int, seconds: float, shapes: tuple[str, ...], checkpoint_bytes: int, store: str,
    append: Path | None, as_json: bool,
) -> None:  # fmt: skip
    settings = [Sleep(seconds, *parse_shape(shape), checkpoint_bytes) for shape in shapes]
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tracking = served(folder / "mlflow") if store == "server" else nullcontext()
        with tracking as server, connected(None, workers, study(settings[0], trials).trainable):
            for shape, each in zip(shapes, settings, strict=True):
                execution = ExecutionConfig(
                    folder / shape, tracking_uri=server.address if server else None, concurrent=workers
                )
                with redirect_stdout(sys.stderr):
                    usage = simulate(each, trials, execution, server.pid if server else None)
                if append:
                    line = {"machine": machine(), "store": store, "workers": workers, **asdict(each), **asdict(usage)}
                    with append.open("a", encoding="utf-8") as file:
                        file.write(strict_json(line) + "\n")
                figures |= {f"{shape}: {name}": value for name, value in usage.figures().items()}
    show(figures, as_json)


if __name__ == "__main__":
    sys.exit(run_command(command))
