"""The options that all study commands share, and how a text becomes seeds."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nadlab.benchmarks.fidelity import fidelities_of
from nadlab.benchmarks.oracle import Oracle
from nadlab.benchmarks.presets import PAPER
from nadlab.cli.evaluations import OPTIONS, evaluation_config
from nadlab.cli.shared_options import protocol_option
from nadlab.errors import UserError
from nadlab.queries.budget import Budget
from nadlab.study.study import Study

if TYPE_CHECKING:
    from nadlab.cluster.execution import ExecutionConfig
    from nadlab.engine.plans import StudyPlan
    from nadlab.study.tuning import Tuning

RUNS = Path("runs")
QUERIES = 160
"""of a search without another budget"""
MOST_AT_ONCE = 10_000
"""trials: Ray starts a process for each"""
MOST_SEEDS = 10_000
LARGEST_SEED = 2**32 - 1
"""what every random generator takes"""
Option = Callable[[Any], Any]
MakePlan = Callable[[dict[str, Any]], "tuple[StudyPlan, Sequence[str]]"]
"""options -> a plan, and the words that its folder's name adds to the benchmark"""


def study_command(
    study: "Study | Tuning", own_options: Iterable[Option], make_plan: MakePlan, about: str, examples: Sequence[str]
) -> click.Command:
    """Return the click command of a study of either kind; its value is the exit status.

    about: the help text between the expectation and the examples.
    """

    @click.command(name=study.name, context_settings={"max_content_width": 110})
    def run(**given: Any) -> int:
        from nadlab.engine.forecast import dry_run  # late: --help needs neither Ray nor MLflow
        from nadlab.engine.runner import run as run_plan

        plan, words = make_plan(given)
        protocol = [given["protocol"]] if given["protocol"] != PAPER else []
        folder = "-".join([given["benchmark"].replace("/", "-"), *protocol, *words])
        execution = _execution(given, RUNS / study.name / folder)
        if given["dry_run"]:
            click.echo("\n".join(dry_run(plan, execution)))
            return 0
        return run_plan(plan, execution)

    run.help = _help(study, about, examples)
    for option in (*_study_options(study), *own_options, *_execution_options(study.trainable)):
        run = option(run)
    return run


def _help(study: "Study | Tuning", about: str, examples: Sequence[str]) -> str:
    judged = [f"Judged by {study.outcomes[0]}; --outcome names another."] if isinstance(study, Study) else []
    paragraphs = [study.question, f"Expected: {study.expectation}", *judged, inspect.cleandoc(about)]
    lines = "\n".join(f"  python studies/{study.name}.py {each}" for each in examples)
    return "\n\n".join([*paragraphs, f"\b\nExamples:\n{lines}"])


def _study_options(study: "Study | Tuning") -> list[Option]:
    seeds = ",".join(map(str, study.seeds))
    return [
        click.option("--benchmark", default=study.benchmark, show_default=True, help="see `nadlab benchmarks`"),
        protocol_option(study.protocol),
        click.option("--seeds", metavar="LIST", help=f"a count (10), a range (0-9) or a list (1,4,7)  [default: {seeds}]"),
    ]  # fmt: skip


def _execution_options(trainable: type) -> list[Option]:
    pack = click.option(
        "--pack", type=click.IntRange(1), default=1, metavar="N",
        help="train N trials of equal shapes together in one process, with the CPU and GPUs of one; made for GPUs, on a CPU "
        "it helps with small networks  [default: 1]",
    )  # fmt: skip
    return [
        click.option("--concurrent", type=click.IntRange(1, MOST_AT_ONCE), metavar="N", help="trials in parallel  [default: one per CPU]"),
        click.option("--gpus-per-trial", type=float, metavar="N",
                     help="a number, or a fraction such as 0.25 to share a device  [default: an even share]"),
        click.option("--address", help="a Ray cluster to join  [default: one of this process, on loopback]"),
        click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER",
                     help="output folder  [default: runs/STUDY/BENCHMARK, with the protocol and settings you change]"),
        click.option("--tracking-uri", metavar="URI", help="MLflow server or store  [default: mlflow.db in --out]"),
        click.option("--anyway", is_flag=True,
                     help="add to a folder that another version of the code filled; the report says that results are mixed"),
        click.option("--dry-run", is_flag=True, help="print what would run and how long it would take; write nothing"),
        click.option("--smoke", is_flag=True, help="run for seconds with small settings, in its own folder"),
        *([pack] if hasattr(trainable, "packed") else []),
        *OPTIONS,
    ]  # fmt: skip


def _execution(given: Mapping[str, Any], default_out: Path) -> "ExecutionConfig":
    from nadlab.cluster.execution import ExecutionConfig

    names = ("tracking_uri", "address", "concurrent", "gpus_per_trial", "pack", "anyway")
    chosen = {name: given[name] for name in names if name in given}
    return ExecutionConfig(given["out"] or default_out, evaluation=evaluation_config(given), **chosen)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return seeds from a count (`10`), a range (`0-9`), a list (`1,4,7`) or a mixture; UserError otherwise."""
    seeds: list[int] = []
    try:
        if text.strip().isdecimal():
            ranges = [range(min(int(text), MOST_SEEDS + 1))]
        else:
            parts = [part.strip().partition("-") for part in text.strip().removesuffix(",").split(",")]
            ranges = [range(int(first), int(last if dash else first) + 1) for first, dash, last in parts]
    except ValueError:
        ranges = []
    for each in ranges:
        seeds += each[: MOST_SEEDS + 1]
    if not seeds or len(set(seeds)) < len(seeds):
        raise UserError(
            f"{_short(text)} names no seeds: give a count (10), a range (0-9) or a list of distinct ones (1,4,7)"
        )
    if len(seeds) > MOST_SEEDS or max(seeds) > LARGEST_SEED:
        raise UserError(
            f"{_short(text)} names too many seeds or too large ones: give at most {MOST_SEEDS}, none above {LARGEST_SEED}"
        )
    return tuple(seeds)


def parse_names(option: str, text: str, separator: str = ",") -> list[str]:
    """Return the names of a list; raise UserError for an empty one, or a repeated name."""
    names = [part.strip() for part in text.split(separator)]
    if "" in names:
        raise UserError(f"{option} must list names separated by '{separator}', not {text!r}")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"{option} names {twice} twice: write it once")
    return names


def parse_budgets(text: str) -> list[int]:
    """Return the budgets of `20,100`; UserError otherwise, and for one that stands twice."""
    try:
        found = [int(part) for part in text.strip().removesuffix(",").split(",")]
    except ValueError:
        raise UserError(f"--queries must list numbers, such as 20,100, not {_short(text)}") from None
    parse_names("--queries", ",".join(map(str, found)))
    return found


def budget_of(queries: int | None, text: str | None, oracle: Oracle) -> int | Budget:
    """Return what a search may spend; say where seconds are estimates. Raises UserError for both options or another text."""
    if text is None:
        return QUERIES if queries is None else queries
    if queries is not None:
        raise UserError("--queries and --budget both set what a search may spend: leave one out")
    budget = Budget.of(text)
    if budget.unit == "seconds" and (estimate := fidelities_of(oracle).estimate):
        click.echo(f"note: seconds of {oracle.name} are estimated: {estimate}", err=True)
    return budget


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}...")


def seeds_of(given: Mapping[str, Any], default: Sequence[int]) -> Sequence[int]:
    """Return the seeds of `--seeds`, or the default ones."""
    return default if given["seeds"] is None else parse_seeds(given["seeds"])
