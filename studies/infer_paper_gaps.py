"""Which reading of the paper's gaps reproduces its printed figures? Optuna searches `nadlab.semigan.networks.readings`.

Every reading trains on NAS-Bench-101 with the paper's 105 labels and t = 93 and is compared with what the paper prints
about its generated cells. OUT/optuna.db stores everything: the same command resumes after a stop, and more
--configurations continue where the last command ended. --additions also searches what the paper does not have.
--page only writes the page from stored results.

\b
    python studies/infer_paper_gaps.py --configurations 40
    python studies/infer_paper_gaps.py --configurations 40 --additions
    python studies/infer_paper_gaps.py --smoke
"""

# first, so that Ctrl-C ends the imports below in one line
from nadlab.cli.command_line import run_command

# isort: split
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import optuna
import pandas as pd
import torch
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from nadlab.analysis.cells.printed import distance, generated
from nadlab.analysis.cells.reading_page import page
from nadlab.benchmarks.oracle import Oracle
from nadlab.benchmarks.registry import benchmark
from nadlab.cli.options import parse_seeds
from nadlab.errors import UserError
from nadlab.provenance.code import origin
from nadlab.provenance.hardware import hardware
from nadlab.queries.ledger import QueryLedger
from nadlab.schedule.optuna_storage import DATABASE, wait_for_lock
from nadlab.semigan.diagnostics import fidelity
from nadlab.semigan.divergence import Diverged
from nadlab.semigan.method import trained
from nadlab.semigan.nacg import generate_cells
from nadlab.semigan.settings import Settings
from nadlab.sqlite import address
from nadlab.study.levels import changed
from nadlab.study.tuning import sampler
from studies.measure_condition import SETTINGS

BASE = replace(SETTINGS, epochs=40)
"""the fewest epochs that the paper allows"""
HOPELESS = 0.1
"""a reading whose seed is farther from the paper than the closest reading so far by more than this gets no further seed"""
GENERATED = 10_000
READINGS: dict[str, BaseDistribution] = {
    "generator_output": CategoricalDistribution(("autoregressive", "independent")),
    "generator_choice": CategoricalDistribution(("sampled", "likeliest", "relaxed")),
    "latents": CategoricalDistribution(("vertex", "graph")),
    "gin": CategoricalDistribution(("plain", "arch2vec")),
    "width": CategoricalDistribution((64, 128)),
    "saturating": CategoricalDistribution((True, False)),
    "annealed": CategoricalDistribution((True, False)),
    "beta_1": CategoricalDistribution((0.5, 0.9)),
    "learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
    "unlabelled_batch": CategoricalDistribution((105, 512)),
}
"""what the paper leaves open"""
ADDITIONS: dict[str, BaseDistribution] = {
    "mismatched": CategoricalDistribution((0.0, 1.0)),
    "pseudo_real": CategoricalDistribution((0, 52)),
    "coverage": CategoricalDistribution((0.0, 0.3)),
    "discriminator_steps": CategoricalDistribution((1, 3)),
}
"""what departs from its text"""
TODAY = {name: getattr(BASE, name) for name in (*READINGS, *ADDITIONS)}
"""the reading of `semigan-nad-paper`: the first configuration, and the other one at fresh seeds"""


def settings_of(params: dict[str, Any], base: Settings) -> Settings:
    """Return the settings of a proposal, whose epoch has as many updates as the base's."""
    updates = (base.unlabelled_per_epoch or 0) // base.unlabelled_batch
    settings = changed(base, params)
    return replace(settings, unlabelled_per_epoch=updates * settings.unlabelled_batch)


def observe(oracle: Oracle, settings: Settings, seed: int, count: int) -> dict[str, float]:
    """Train a reading at one seed, and return the paper's observables, the distance from it, and the diversity."""
    ledger, started = QueryLedger(oracle, settings.labels), time.process_time()
    try:
        model = trained(ledger, settings, np.random.default_rng(seed))
        cells = generate_cells(model, oracle.space, count)
    except Diverged:
        return {"distance": 1.0, "diversity": 0.0, "cpu seconds": time.process_time() - started}
    judged = fidelity(model, ledger, cells, count)
    made = generated(cells, judged, oracle.space)
    return made.observables | {
        "distance": distance(made.observables), "diversity": made.diversity, "above": judged.above,
        "above as printed": judged.above_as_printed, "held": judged.held, "cpu seconds": time.process_time() - started,
    }  # fmt: skip


def opened(out: Path, additions: bool, conditions: dict[str, Any] | None = None) -> optuna.Study:
    """Open or create the study of readings, or of readings and additions; without conditions only one that is there.

    Raises UserError when there is none, or one of other conditions: their distances do not compare.
    """
    name, known = "additions" if additions else "readings", conditions or {}
    if known:
        out.mkdir(parents=True, exist_ok=True)
    wait_for_lock(out)
    storage = address(out / DATABASE)
    if not known and (not (out / DATABASE).exists() or name not in optuna.get_all_study_names(storage)):
        raise UserError(f"{out} has no {name} yet: leave out --page to run them")
    study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True, directions=["minimize", "maximize"])  # fmt: skip
    for condition, value in known.items() if study.trials else ():
        if (kept := study.user_attrs.get(condition)) != value:
            raise UserError(
                f"{out} has {name} with {condition} = {kept}, not {value}: choose another folder with --out"
            )
    if not study.trials:
        for condition, value in known.items():
            study.set_user_attr(condition, value)
        study.enqueue_trial({name: TODAY[name] for name in space_of(additions)})
    return study


def space_of(additions: bool) -> dict[str, BaseDistribution]:
    """Return what is searched."""
    return READINGS | (ADDITIONS if additions else {})


def search(study: optuna.Study, oracle: Oracle, base: Settings, configurations: int, seeds: Sequence[int], count: int, space: dict[str, BaseDistribution]) -> None:  # fmt: skip
    """Run configurations until so many are complete; one that a stop interrupted is proposed once more."""
    for stopped in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(stopped.number, state=TrialState.FAIL)
        study.enqueue_trial(stopped.params)
    by = made_by()
    while (done := len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))) < configurations:
        study.sampler = sampler("tpe", done)
        trial = study.ask(space)
        settings = settings_of(trial.params, base)
        closest = min((each.values[0] for each in study.get_trials(states=(TrialState.COMPLETE,))), default=1.0)
        rows: list[dict[str, float]] = []
        for seed in seeds:
            rows.append(observe(oracle, settings, seed, count))
            trial.set_user_attr(f"seed {seed}", rows[-1])
            if rows[-1]["distance"] > closest + HOPELESS:
                break
        trial.set_user_attr("made by", by)
        means = [float(np.mean([row[name] for row in rows])) for name in ("distance", "diversity")]
        study.tell(trial, means)
        click.echo(f"{study.study_name} {done + 1}: distance {means[0]:.3f}, diversity {means[1]:.3f}")


def made_by() -> dict[str, str]:
    """Return the revision, the code's digest and the processor."""
    values = origin("studies.infer_paper_gaps:observe").values
    return {"revision": values["git_revision"], "code": values["code"], "processor": hardware()["cpu"]}


def repeat(study: optuna.Study, oracle: Oracle, base: Settings, seeds: Sequence[int], count: int) -> None:
    """Run the closest reading and today's at fresh seeds, those that have not run yet."""
    best = min(study.get_trials(states=(TrialState.COMPLETE,)), key=lambda each: each.values[0])
    for name, params in ((f"fresh {best.number}", best.params), ("fresh today", TODAY)):
        for seed in seeds:
            if f"{name} seed {seed}" not in study.user_attrs:
                row = observe(oracle, settings_of(params, base), seed, count)
                study.set_user_attr(f"{name} seed {seed}", row)
                click.echo(f"{study.study_name} {name}, seed {seed}: distance {row['distance']:.3f}")


def rows_of(study: optuna.Study) -> pd.DataFrame:
    """Return a row for every seed of every complete configuration and for every fresh seed."""
    rows: list[dict[str, Any]] = []
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    by_number = {str(each.number): each.params for each in complete} | {"today": TODAY}
    for trial in complete:
        for key, row in trial.user_attrs.items():
            if key.startswith("seed "):
                rows.append(
                    {"configuration": str(trial.number), "fresh": False, "seed": int(key[5:]), **trial.params, **row}
                )
    if not complete:
        raise UserError(f"none of the {study.study_name} has ended yet: leave out --page to run them")
    for key, row in study.user_attrs.items():
        if key.startswith("fresh "):
            _, number, _, seed = key.split()
            rows.append({"configuration": number, "fresh": True, "seed": int(seed), **by_number[number], **row})
    return pd.DataFrame(rows)


@click.command(help=__doc__)
@click.option("--benchmark", "name", default="nasbench101", show_default=True, help="a table of NAS-Bench-101's cells")
@click.option(
    "--configurations",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    help="total readings, including those of earlier commands",
)
@click.option(
    "--seeds",
    default="0-1",
    show_default=True,
    help="seeds of every reading: a count (10), a range (0-9) or a list (1,4,7)",
)
@click.option(
    "--fresh", default="100-105", show_default=True, help="fresh seeds for the closest and the current reading"
)
@click.option(
    "--updates",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    help="updates per epoch; the paper's are over 800, an hour per seed",
)
@click.option("--additions", is_flag=True, help="also search what the paper does not have, in a separate study")
@click.option("--smoke", is_flag=True, help="run for seconds, in its own folder: two readings of one epoch")
@click.option("--page", "only_page", is_flag=True, help="train nothing, only write the page")
@click.option("--out", type=click.Path(path_type=Path), default="results/infer_paper_gaps", show_default=True)
def command(name: str, configurations: int, seeds: str, fresh: str, updates: int, additions: bool, smoke: bool, only_page: bool, out: Path) -> None:  # fmt: skip
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    torch.set_num_threads(1)
    base, count = replace(BASE, unlabelled_per_epoch=updates * BASE.unlabelled_batch), GENERATED
    if smoke:
        base, count, configurations, seeds, fresh = replace(base, epochs=1), 500, 2, "1", "100-100"
        out = out / "smoke"
    if only_page:
        study = opened(out, additions)
    else:
        oracle, numbers, fresh_numbers = benchmark(name), parse_seeds(seeds), parse_seeds(fresh)
        if oracle.space.name != "nasbench101":
            raise UserError(f"{name} has other cells than NAS-Bench-101, on which the paper's figures are")
        conditions = {"benchmark": oracle.digest, "updates": updates, "epochs": base.epochs, "draws": count}
        study = opened(out, additions, conditions | {"seeds": ",".join(map(str, numbers))})
        search(study, oracle, base, configurations, numbers, count, space_of(additions))
        repeat(study, oracle, base, fresh_numbers, count)
    rows = rows_of(study)
    rows.to_csv(out / f"{study.study_name}.csv", index=False, float_format="%.4f")
    text = page(rows, list(space_of(additions)), study.study_name, [each.user_attrs["made by"] for each in study.trials if "made by" in each.user_attrs])  # fmt: skip
    (out / f"{study.study_name}.md").write_text(text, encoding="utf-8")
    click.echo(text)


if __name__ == "__main__":
    sys.exit(run_command(command))
