"""The command of a tuning study: options change its search, seeds and budget."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from nadlab.benchmarks.oracle import cost_of
from nadlab.benchmarks.registry import benchmark
from nadlab.cli.grammar import SET, held, settings_help
from nadlab.cli.options import Option, seeds_of, study_command
from nadlab.provenance.hardware import has_bfloat16
from nadlab.study.tuning import OBJECTIVES, PRUNERS, SAMPLERS, Tuning, smoke_tuning

if TYPE_CHECKING:
    from nadlab.engine.plans import StudyPlan

EXAMPLES = (
    "--smoke",
    "--configurations 100 --sampler gp --seeds 5",
    "--objectives accuracy,queries --sampler nsga2 --pruner asha",
)


def tuning_command(tuning: Tuning) -> click.Command:
    """Return the click command of a tuning study; its value is the exit status."""
    space = "\n".join(f"  {name}: {_range(each)}" for name, each in tuning.space.items())
    about = (
        f"\b\nThe space; the default is the first configuration:\n{space}\n\n"
        f"{settings_help(tuning.settings, tuning.space, '--set')}\n\n"
        "Every configuration is run at every seed. You may stop the study at any time: the same command resumes it and "
        "proposes the same configurations. `optuna-dashboard sqlite:///OUT/optuna.db` shows the search."
    )
    return study_command(tuning, _options(tuning), lambda given: _plan(tuning, given), about, EXAMPLES)


def _options(tuning: Tuning) -> list[Option]:
    queries = click.option(
        "--queries",
        type=click.IntRange(3),
        metavar="N",
        help=f"budget of every configuration  [default: {tuning.queries}]",
    )
    return [
        click.option("--configurations", "--trials", "configurations", type=click.IntRange(1), metavar="N",
                     help=f"Optuna's trials, each at every seed  [default: {tuning.configurations}]"),
        click.option("--fresh", type=click.IntRange(0), metavar="N",
                     help=f"fresh seeds for the final comparison of best and default  [default: {tuning.fresh}]"),
        click.option("--sampler", type=click.Choice(SAMPLERS), default=tuning.sampler, show_default=True,
                     help="how Optuna proposes configurations"),
        click.option("--objectives", metavar="LIST", default=",".join(tuning.objectives), show_default=True,
                     help=f"one or more of {', '.join(OBJECTIVES)}, separated by commas"),
        click.option("--pruner", type=click.Choice(PRUNERS), default=tuning.pruner, show_default=True,
                     help="stop configurations early by PP's Kendall tau over the epochs of their first seed"),
        click.option("--ahead", type=click.IntRange(1), metavar="N",
                     help=f"configurations in parallel, on any cluster  [default: {tuning.ahead}]"),
        *([] if tuning.queries is None else [queries]),
        SET,
    ]  # fmt: skip


def _range(distribution: BaseDistribution) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return ", ".join(map(str, distribution.choices))
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return f"{distribution.low:g} to {distribution.high:g}"


def _plan(tuning: Tuning, given: dict[str, Any]) -> tuple["StudyPlan", Sequence[str]]:
    from nadlab.engine.plans import plan_tuning

    oracle = benchmark(given["benchmark"], given["protocol"])
    if given.get("queries") is not None:
        tuning = tuning.spending(given["queries"])
    if given["smoke"]:
        tuning = smoke_tuning(tuning)
    numbers = {key: given[key] for key in ("configurations", "fresh", "ahead") if given[key] is not None}
    settings, changes = held(tuning.settings, given["set_"], tuning.space)
    tuning = replace(
        tuning,
        settings=settings,
        seeds=seeds_of(given, tuning.seeds),
        sampler=given["sampler"],
        objectives=tuple(part.strip() for part in given["objectives"].split(",")),
        pruner=given["pruner"],
        benchmark=oracle.name,
        protocol=oracle.preset,
        **numbers,
    )
    words = [tuning.sampler, *tuning.objectives]
    words += [tuning.pruner] if tuning.pruner != "none" else []
    words = words if tuning.queries is None else [str(tuning.queries), *words]
    bfloat16 = has_bfloat16(given["address"], given["gpus_per_trial"] if cost_of(oracle) is None else 0)
    return plan_tuning(tuning, oracle, bfloat16), [*words, *(["smoke"] if given["smoke"] else []), *changes]
