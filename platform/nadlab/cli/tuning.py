"""The command line of a tuning study."""

import inspect
import sys
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from nadlab.benchmarks.oracle import Oracle
from nadlab.benchmarks.registry import benchmark
from nadlab.cli.command_line import run_command
from nadlab.cli.options import parse_seeds
from nadlab.cli.study import carry_out, place_options
from nadlab.errors import UserError
from nadlab.study.study import changed
from nadlab.study.tuning import OBJECTIVES, PRUNERS, SAMPLERS, Tuning, smoke_tuning, tuning_record

if TYPE_CHECKING:
    from nadlab.engine.execution import ExecutionConfig


def main(tuning: Tuning) -> None:
    """Run a tuning study as a command: parse the command line, run, report, exit."""
    sys.exit(run_command(tuning_command(tuning)))


def tuning_command(tuning: Tuning) -> click.Command:
    """Return the click command of a tuning study; its value is the exit status."""

    @click.command(name=tuning.name, help=_help(tuning), context_settings={"max_content_width": 110})
    def run(**options: Any) -> int:
        return carry_out(_request(tuning, options), options, dry_run, run_tuning)

    for option in _options(tuning):
        run = option(run)
    return run


def run_tuning(tuning: Tuning, oracle: Oracle, execution: "ExecutionConfig") -> int:
    """Run what is missing of a tuning study, deliver, report; returns and raises as `run_study`."""
    from nadlab.engine.runner import conduct
    from nadlab.schedule.optuna_schedule import OptunaSchedule

    if execution.pack > 1 and tuning.pruner != "none":
        raise UserError("trials that share a process (--pack) are trained to their end: leave out --pack or --pruner")
    record = tuning_record(tuning, oracle, uuid.uuid4().hex)
    return conduct(record, tuning.trainable, execution, lambda folder: OptunaSchedule(tuning, oracle, folder))


def dry_run(tuning: Tuning, oracle: Oracle, execution: "ExecutionConfig") -> list[str]:
    """Return what a tuning study would do, a sentence each; nothing is written."""
    from nadlab.engine.forecast import forecast, kept_records, timed

    records = kept_records(execution.out, tuning_record(tuning, oracle, ""))
    done = min(tuning.trials, sum(record.status != "FAILED" for record in records))
    timing = timed(tuning.study, oracle, records) if done < tuning.trials else None
    found = forecast(tuning.trainable, tuning.trials, done, timing, execution)
    fewer = "" if tuning.pruner == "none" else ", fewer as the pruner stops some"
    return [
        f"{tuning.name} on {oracle.name}: at most {tuning.trials} trials{fewer}: {tuning.configurations} configurations x "
        f"{len(tuning.seeds)} seeds, and the best and the default at {tuning.fresh} fresh seeds; {done} trials are done in "
        f"{execution.out} and would be skipped.",
        *found.sentences(execution.pack),
        "This was a dry run: nothing was written.",
    ]


def _options(tuning: Tuning) -> Sequence[Any]:
    seeds = ",".join(map(str, tuning.seeds))
    return [
        click.option("--benchmark", default=tuning.benchmark, show_default=True, help="see `nadlab benchmarks`"),
        click.option("--configurations", "--trials", "configurations", type=click.IntRange(1), metavar="N",
                     help=f"Optuna's trials, each at every seed  [default: {tuning.configurations}]"),
        click.option("--seeds", metavar="LIST", help=f"seeds of every configuration  [default: {seeds}]"),
        click.option("--fresh", type=click.IntRange(0), metavar="N",
                     help=f"other seeds at which the best meets the default in the end  [default: {tuning.fresh}]"),
        click.option("--sampler", type=click.Choice(SAMPLERS), default=tuning.sampler, show_default=True),
        click.option("--objectives", metavar="LIST", default=",".join(tuning.objectives), show_default=True,
                     help=f"of {', '.join(OBJECTIVES)}, separated by commas"),
        click.option("--pruner", type=click.Choice(PRUNERS), default=tuning.pruner, show_default=True,
                     help="stops configurations by PP's Kendall tau over the epochs of their first seed"),
        click.option("--ahead", type=click.IntRange(1), metavar="N",
                     help=f"configurations under way at once, whatever the cluster  [default: {tuning.ahead}]"),
        *([] if tuning.queries is None else [
            click.option("--queries", type=click.IntRange(3), metavar="N",
                         help=f"what every configuration spends  [default: {tuning.queries}]")]),
        click.option("--epochs", type=int, metavar="N", help=f"epochs of training  [default: {tuning.settings.epochs}]"),
        *place_options(tuning.trainable),
    ]  # fmt: skip


def _help(tuning: Tuning) -> str:
    stem = f"python studies/{tuning.name}.py"
    space = "\n".join(f"  {name}: {_in_words(each)}" for name, each in tuning.space.items())
    text = inspect.cleandoc("""
        {question}

        Expected: {expectation}

        \b
        The space; the default is the first configuration:
        {space}

        Stop it at any time: the same command goes on where it was and proposes what it would have proposed.
        `optuna-dashboard sqlite:///OUT/optuna.db` shows the search.

        \b
        Examples:
          {stem} --smoke
          {stem} --configurations 100 --sampler gp --seeds 5
          {stem} --objectives accuracy,queries --sampler nsga2 --pruner asha
        """)
    return text.format(question=tuning.question, expectation=tuning.expectation, space=space, stem=stem)


def _in_words(distribution: BaseDistribution) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return ", ".join(map(str, distribution.choices))
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return f"{distribution.low:g} to {distribution.high:g}"


def _request(tuning: Tuning, options: dict[str, Any]) -> tuple[Tuning, Oracle, Path]:
    name = options["benchmark"]
    oracle = benchmark(name)
    if options.get("queries") is not None:
        tuning = tuning.spending(options["queries"])
    if options["smoke"]:
        tuning = smoke_tuning(tuning)
    given = {key: options[key] for key in ("configurations", "fresh", "ahead") if options[key] is not None}
    asked = replace(
        tuning,
        settings=changed(tuning.settings, {"epochs": options["epochs"]}) if options["epochs"] else tuning.settings,
        seeds=parse_seeds(options["seeds"]) if options["seeds"] is not None else tuning.seeds,
        sampler=options["sampler"],
        objectives=tuple(part.strip() for part in options["objectives"].split(",")),
        pruner=options["pruner"],
        benchmark=name,
        **given,
    )
    spent = [] if asked.queries is None else [str(asked.queries)]
    search = [*spent, asked.sampler, *asked.objectives] + ([asked.pruner] if asked.pruner != "none" else [])
    folder = "-".join([name.replace("/", "-"), *search]) + ("-smoke" if options["smoke"] else "")
    return asked, oracle, options["out"] or Path("runs") / tuning.name / folder
