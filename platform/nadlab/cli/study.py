"""The command line of a study: options become a study with other settings, levels and seeds, and it is run."""

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nadlab.benchmarks.oracle import Oracle
from nadlab.benchmarks.registry import benchmark
from nadlab.cli.command_line import run_command
from nadlab.cli.options import parse_level, parse_seeds
from nadlab.errors import UserError
from nadlab.study.study import Study, changed, names, smoke

if TYPE_CHECKING:
    from nadlab.engine.execution import ExecutionConfig

Asked = TypeVar("Asked")

SETTINGS = {
    "labels": "architectures queried for training",
    "final_k": "generated architectures queried at the end",
    "epochs": "epochs of training",
}


def main(study: Study) -> None:
    """Run a study as a command: parse the command line, run, report, exit."""
    sys.exit(run_command(command(study)))


def command(study: Study) -> click.Command:
    """Return the click command of a study; its value is the exit status."""

    @click.command(name=study.name, help=_help(study), context_settings={"max_content_width": 110})
    def run(**options: Any) -> int:
        from nadlab.engine.forecast import dry_run  # late: --help needs no MLflow
        from nadlab.engine.runner import run_study

        return carry_out(_request(study, options), options, dry_run, run_study)

    for option in _options(study):
        run = option(run)
    return run


def flag(factor: str) -> str:
    """Return the option that lists a factor's levels: `--alphas` of alpha, `--labels` of labels."""
    return "--" + (factor if factor.endswith("s") else f"{factor}s").replace("_", "-")


def _options(study: Study) -> list[Callable[[Any], Any]]:
    seeds = ",".join(map(str, study.seeds))
    levels = {factor: ",".join(map(str, values)) for factor, values in study.vary.items()}
    return [
        click.option("--benchmark", default=study.benchmark, show_default=True,
                     help="see `nadlab benchmarks`"),
        click.option("--seeds", metavar="LIST", help=f"a count (10), a range (0-9) or a list (1,4,7)  [default: {seeds}]"),
        *(click.option(flag(factor), f"levels_{factor}", metavar="LIST",
                       help=f"levels of {factor}, separated by commas  [default: {text}]")
          for factor, text in levels.items()),
        *(click.option(f"--{name.replace('_', '-')}", name, type=int, metavar="N",
                       help=f"{text}  [default: {getattr(study.settings, name)}]")
          for name, text in SETTINGS.items() if name not in study.vary and name in names(study.settings)),
        *place_options(study.trainable),
    ]  # fmt: skip


def place_options(trainable: type) -> list[Callable[[Any], Any]]:
    """Return the options of every study that say where and how its trials run."""
    pack = click.option(
        "--pack", type=click.IntRange(1), default=1, metavar="N",
        help="train N trials at once in one process, with the CPU and GPUs of one, where their shapes agree; made for GPUs; "
        "on a CPU it pays for small networks  [default: 1]",
    )  # fmt: skip
    return [
        click.option("--concurrent", type=click.IntRange(1), metavar="N", help="trials at once  [default: one a CPU]"),
        click.option("--gpus-per-trial", type=float, metavar="N",
                     help="a number or a fraction, such as 0.25, by which trials share a device  [default: an even share]"),
        click.option("--address", help="a Ray cluster to join  [default: one of this process, on loopback]"),
        click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER",
                     help="where everything goes  [default: runs/STUDY/BENCHMARK, with the settings you change]"),
        click.option("--tracking-uri", metavar="URI", help="MLflow server or store  [default: mlflow.db in --out]"),
        click.option("--dry-run", is_flag=True, help="say what would run and how long it would take; nothing is written"),
        click.option("--smoke", is_flag=True, help="a run of seconds with small settings, into a folder of its own"),
        *([pack] if hasattr(trainable, "packed") else []),
    ]  # fmt: skip


def carry_out(
    request: tuple[Asked, Oracle, Path],
    options: Mapping[str, Any],
    dry_run: Callable[[Asked, Oracle, "ExecutionConfig"], list[str]],
    run: Callable[[Asked, Oracle, "ExecutionConfig"], int],
) -> int:
    """Run what is asked for on a benchmark in an output folder, by the options of `place_options`, or say what would run."""
    from nadlab.engine.execution import ExecutionConfig  # late: --help needs no MLflow

    asked, oracle, out = request
    execution = ExecutionConfig(
        out, options["tracking_uri"], options["address"], options["concurrent"], options["gpus_per_trial"],
        options.get("pack", 1),
    )  # fmt: skip
    if options["dry_run"]:
        click.echo("\n".join(dry_run(asked, oracle, execution)))
        return 0
    return run(asked, oracle, execution)


def _help(study: Study) -> str:
    stem = f"python studies/{study.name}.py"
    first = flag(next(iter(study.vary)))
    return inspect.cleandoc(f"""
        {study.question}

        Expected: {study.expectation}

        Every seed is run at every level. Stop it at any time: the same command goes on where it was, and
        more seeds or levels run only what is missing. The report and MLflow's store lie in --out.

        \b
        Examples:
          {stem} --smoke
          {stem} --seeds 10 {first} {",".join(str(level) for level in next(iter(study.vary.values()))[:2])}
          {stem} --benchmark mnist1d-101 --seeds 0-9
        """)


def _request(study: Study, options: dict[str, Any]) -> tuple[Study, Oracle, Path]:
    """Return the study as asked for, its open benchmark and its output folder."""
    name = options["benchmark"]
    oracle = benchmark(name)
    asked = {setting: options[setting] for setting in SETTINGS if options.get(setting) is not None}
    if options["smoke"]:
        study = smoke(study)
    levels = {
        factor: tuple(parse_level(study.settings, factor, part.strip()) for part in text.split(",") if part.strip())
        for factor in study.vary
        if (text := options[f"levels_{factor}"]) is not None
    }
    for factor, values in levels.items():
        if not values or len(set(values)) < len(values):
            raise UserError(f"{flag(factor)} must list distinct levels of {factor}, separated by commas")
    suffix = "".join(f"-{key}-{value}" for key, value in asked.items() if value != getattr(study.settings, key))
    study = replace(
        study,
        vary={**study.vary, **levels},
        settings=changed(study.settings, asked),
        seeds=parse_seeds(options["seeds"]) if options["seeds"] is not None else study.seeds,
        benchmark=name,
    )
    folder = name.replace("/", "-") + ("-smoke" if options["smoke"] else "") + suffix
    return study, oracle, options["out"] or Path("runs") / study.name / folder
