"""The command of a study: options change its settings, levels and seeds."""

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from nadlab.benchmarks.registry import benchmark
from nadlab.cli.command_line import run_command
from nadlab.cli.options import Option, parse_level, seeds_of, study_command
from nadlab.errors import UserError
from nadlab.study.study import Level, Study, changed, names, smoke

if TYPE_CHECKING:
    from nadlab.engine.plans import StudyPlan

SETTINGS = {
    "labels": "architectures queried for training",
    "final_k": "generated architectures queried at the end",
    "epochs": "epochs of training",
}
ABOUT = """
    Every seed is run at every level. You may stop the study at any time: the same command resumes it, and with more
    seeds or levels runs only what is missing. --out holds the report and MLflow's store.
    """


def main(study: Study) -> None:
    """Run a study as a command: parse the command line, run, report, exit."""
    sys.exit(run_command(command(study)))


def command(study: Study) -> click.Command:
    """Return the click command of a study; its value is the exit status."""
    factor, levels = next(iter(study.vary.items()))
    two_levels = ",".join(map(str, levels[:2]))
    examples = ("--smoke", f"--seeds 10 {flag(factor)} {two_levels}", "--benchmark mnist1d-101 --seeds 0-9")
    return study_command(study, _options(study), lambda given: _plan(study, given), ABOUT, examples)


def flag(factor: str) -> str:
    """Return the option for a factor's levels: `--alphas` of alpha, `--labels` of labels."""
    return "--" + re.sub(r"\W|_", "-", factor if factor.endswith("s") else f"{factor}s")


def _key(factor: str) -> str:
    return "levels_" + re.sub(r"\W", "_", factor)


def _options(study: Study) -> list[Option]:
    levels = {factor: ",".join(map(str, values)) for factor, values in study.vary.items()}
    settings = [name for name in SETTINGS if name not in study.vary and name in names(study.settings)]
    return [
        *(click.option(flag(factor), _key(factor), metavar="LIST",
                       help=f"levels of {factor}, separated by commas  [default: {text}]")
          for factor, text in levels.items()),
        *(click.option(f"--{name.replace('_', '-')}", name, type=int, metavar="N",
                       help=f"{SETTINGS[name]}  [default: {getattr(study.settings, name)}]")
          for name in settings),
    ]  # fmt: skip


def _plan(study: Study, given: dict[str, Any]) -> tuple["StudyPlan", Sequence[str]]:
    from nadlab.engine.plans import plan_study

    oracle = benchmark(given["benchmark"])
    values = {name: given[name] for name in SETTINGS if given.get(name) is not None}
    if given["smoke"]:
        study = smoke(study)
    words = ["smoke"] if given["smoke"] else []
    words += [f"{name}-{value}" for name, value in values.items() if value != getattr(study.settings, name)]
    study = replace(
        study,
        vary={factor: _levels(study, factor, given[_key(factor)]) for factor in study.vary},
        settings=changed(study.settings, values),
        seeds=seeds_of(given, study.seeds),
        benchmark=given["benchmark"],
    )
    return plan_study(study, oracle), words


def _levels(study: Study, factor: str, text: str | None) -> Sequence[Level]:
    if text is None:
        return study.vary[factor]
    levels = tuple(parse_level(study.settings, factor, part.strip()) for part in text.split(",") if part.strip())
    if not levels or len(set(levels)) < len(levels):
        raise UserError(f"{flag(factor)} must list distinct levels of {factor}, separated by commas")
    return levels
