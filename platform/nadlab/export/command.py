"""`nadlab export`: the best cell of a trial as a trained network."""

from pathlib import Path

import click


@click.command()
@click.argument("trial")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FOLDER",
    help="new folder for modules and weights",
)
@click.option("--tracking-uri", metavar="URI", envvar="MLFLOW_TRACKING_URI", help="MLflow server or store of the run")
@click.option(
    "--benchmark", metavar="train:SOURCE", help="train the cell on this one; needed for tables  [default: the trial's]"
)
def export(trial: str, out: Path, tracking_uri: str | None, benchmark: str | None) -> None:
    """Write the best cell of a trial as a PyTorch module with weights, an ONNX file and a drawing.

    TRIAL is the trial's run id in MLflow, or its record, trials/ID/record.json in a study's folder. The cell is retrained
    exactly as its query was.

    \b
    Example: nadlab export runs/ablate_alpha/train:digits/trials/0123456789abcdef --out best
             nadlab export 0123456789abcdef --tracking-uri http://127.0.0.1:5000 --out best
             nadlab export 0123456789abcdef --benchmark train:/data/cifar10 --out best
    """
    from nadlab.errors import UserError
    from nadlab.export.network import export as write
    from nadlab.export.network import from_record, from_run

    if Path(trial).exists():
        content = from_record(Path(trial))
    elif tracking_uri:
        content = from_run(trial, tracking_uri)
    else:
        raise UserError(f"{trial} is not a file or folder: name a record, or say with --tracking-uri where the run is")
    done = write(*content, out, benchmark)
    click.echo(f"{done.folder}: {done.cell}, validation {done.valid:.2f} %, test {done.test:.2f} %")
    if done.same_benchmark:
        equal = done.recorded == (done.valid, done.test)
        click.echo("as recorded" if equal else f"recorded {done.recorded}: rounding differs between machines")
    if not done.onnx:
        click.echo("network.onnx is left out: it needs `pip install 'nadlab[onnx]'`", err=True)
