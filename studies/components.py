"""Measure what each part of SemiGAN-NAD is worth: arms with other settings on the same benchmarks, budgets and seeds.

`components` removes AG and D, `rounds` does so where the queries come in rounds; `ladder` goes from the paper's
preset to the default and to sequential, one step at a time; `choices` are candidate settings for a default, on the
benchmarks reserved for choosing it. Each search is appended to OUT/searches.csv when it ends, and the same command
resumes after a stop. --page only writes the page from stored results.

\b
    python studies/components.py components --seeds 20
    python studies/components.py ladder --seeds 20 --benchmarks nasbench201/cifar10 --queries 110
    python studies/components.py choices --seeds 20
"""

# first, so that Ctrl-C ends the imports below in one line
from nadlab.cli.command_line import run_command

# isort: split
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from itertools import product
from typing import Any

import click
import numpy as np
import pandas as pd

from nadlab.analysis.sections.search_pages import at_ceiling, difference_table, how_chosen
from nadlab.analysis.statistics.intervals import mean_interval
from nadlab.analysis.text import ends, listed, markdown_table
from nadlab.benchmarks.files import short_digest
from nadlab.benchmarks.presets import benchmark_text
from nadlab.benchmarks.registry import benchmark, check_optima
from nadlab.cli.options import parse_budgets, parse_names, parse_seeds
from nadlab.cli.shared_options import SearchFileOptions, protocol_option, search_file_options, write_page
from nadlab.errors import UserError
from nadlab.methods.registry import SEARCHERS, Searcher, run_search
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.method import SemiGANNAD
from nadlab.semigan.settings import PAPER, PAPER_T, PREDICTOR_POOL, PREDICTOR_SEQUENTIAL, SEQUENTIAL, Settings
from nadlab.study.search_file import SearchFile, Task, code_of

CANDIDATE: dict[str, Any] = {"ensemble": 4, "epochs": 8, "learning_rate": 0.015}
NAMES = ("random-search", "predictor-pool", "predictor-semi", "generator-likelihood", "semigan-nad")
COMPONENTS: dict[str, Searcher] = {name: SEARCHERS[name] for name in NAMES} | {
    "semigan-nad, pool": SemiGANNAD(Settings(candidates_from="pool")),
    "semigan-nad, both": SemiGANNAD(Settings(candidates_from="both")),
    "predictor-pool, large": SemiGANNAD(replace(PREDICTOR_POOL, generated=200_000)),
    "predictor-pool, ensemble of 4, 8 epochs": SemiGANNAD(replace(PREDICTOR_POOL, **CANDIDATE)),
    "semigan-nad, ensemble of 4, 8 epochs": SemiGANNAD(Settings(**CANDIDATE)),
}
"""The parts; two have the trained AG and D of the full method, but choose from the pool. "large" takes 40 times as many
random cells where the pool cannot be listed, which brings PP's cost to two thirds of that of AG by likelihood."""

BATCHES: dict[str, Any] = {
    name: getattr(SEQUENTIAL, name) for name in ("unlabelled_batch", "pseudo_real", "unlabelled_per_epoch")
}
FROM_AG: dict[str, Any] = {name: getattr(SEQUENTIAL, name) for name in ("candidates_from", "generated", "candidates")}
ROUNDS: dict[str, Searcher] = {
    name: SEARCHERS[name] for name in ("random-search", "bananas", "predictor-sequential", "semigan-nad-sequential")
} | {
    name: SemiGANNAD(replace(PREDICTOR_SEQUENTIAL, **BATCHES, **changes))
    for name, changes in {
        "+ D": {"predictor_adversarial": True},
        "+ AG by likelihood": FROM_AG | {"generator": True, "generator_adversarial": False, "generated_labels": False},
        "+ AG and D": FROM_AG | {"generator": True, "predictor_adversarial": True},
    }.items()
}
"""PP alone in rounds, the same rounds with AG and D, and the preset whose rounds are longer and start from more labels"""

STEPS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("paper", {}),
    ("+ 4,096 unlabelled an epoch", {"unlabelled_per_epoch": 4096}),
    ("+ non-saturating", {"saturating": False}),
    ("+ normal scores", {"scale": "normal"}),
    ("+ pseudo-real cells", {"pseudo_real": 128}),
    ("+ likelihood of AG", {"coverage": 0.3}),
    ("+ 40 epochs, ten rounds, a tenth in rank 0", {"epochs": 40, "generation_rounds": 10, "rank0_share": 0.1}),
    ("+ K of 40: default", {"final_k": 40, "labels": 120}),
    ("+ rounds of ten queries", {"labels": 40, "final_k": 120, "per_round": 10}),
    ("+ neighbours", {"neighbours_of": 5, "local_queries": 5}),
    ("+ shorter training: sequential", {"epochs": 15, "unlabelled_batch": 256, "pseudo_real": 64,
     "unlabelled_per_epoch": 2048, "generated": 1000, "candidates": 200}),
)  # fmt: skip
"""name -> what the step changes"""


def ladder() -> dict[str, Searcher]:
    """Return each step with all before it; what else the paper's preset sets goes in a first step."""
    named = {setting for _, changes in STEPS for setting in changes}
    others = {each.name: getattr(SEQUENTIAL, each.name) for each in fields(Settings) if each.name not in named}
    others = {setting: value for setting, value in others.items() if value != getattr(PAPER, setting)}
    steps = [STEPS[0], *([("+ other readings", others)] if others else []), *STEPS[1:]]
    found, settings = dict[str, Searcher](), PAPER
    for name, changes in steps:
        settings = replace(settings, **changes)
        # the paper's t is a part of its preset, and rank 0's share takes its place
        found[name] = SemiGANNAD(settings, PAPER_T if settings.rank0_share == PAPER.rank0_share else {})
    assert settings == SEQUENTIAL
    return found


HALF: dict[str, Any] = {"labels": 80, "final_k": 80, "final_share": 0.5}
FULL: dict[str, Any] = {"generator": True, "predictor_adversarial": True, "candidates_from": "generator"}
CHANGES: dict[str, Mapping[str, Any]] = {
    "predictor-pool": {},
    "ensemble of 5": {"ensemble": 5},
    "cautious": {"ensemble": 5, "optimism": -1.0},
    "optimistic": {"ensemble": 5, "optimism": 1.0},
    "15 epochs": {"epochs": 15},
    "K half": HALF,
    "K half, ensemble of 5": HALF | {"ensemble": 5},
    "K half, AG and D": HALF | {"generator": True, "predictor_adversarial": True},
    "semigan-nad": FULL,
    "semigan-nad, ensemble of 4": FULL | {"ensemble": 4},
    "semigan-nad, ensemble of 4, 8 epochs": FULL | CANDIDATE,
    "semigan-nad, tuned": FULL | CANDIDATE
    | {"alpha": 0.13, "alpha_p": 0.28, "rank0_share": 0.19, "final_share": 0.3, "width": 96, "generator_depth": 2,
       "predictor_depth": 3, "discriminator_depth": 6, "coverage": 0.66, "temperature": 0.16},
}  # fmt: skip
"""name -> what differs from PP alone over the pool; tuned: the best of ten at 40 queries, results/tune_methods, rounded"""
CHOICES: dict[str, Searcher] = {"random-search": SEARCHERS["random-search"]} | {
    name: SemiGANNAD(replace(PREDICTOR_POOL, **changes)) for name, changes in CHANGES.items()
}
TUNED_ON = ("mnist1d-101", "mnist1d-201", "nasbench201/cifar10")
HELD_OUT = ("analog-nasbench/noisy_accuracy", "nas-bench-graph/arxiv")
SETS: dict[str, tuple[Mapping[str, Searcher], str | None, tuple[str, ...]]] = {
    "components": (COMPONENTS, "predictor-pool", TUNED_ON + HELD_OUT),
    "rounds": (ROUNDS, "predictor-sequential", (*TUNED_ON, *HELD_OUT, "mnist1d-darts")),
    "ladder": (ladder(), None, TUNED_ON + HELD_OUT),
    "choices": (CHOICES, "predictor-pool", TUNED_ON),
}
"""arms, the one that the others are compared with or None for the one before, and benchmarks"""


def search(arms: Mapping[str, Searcher], protocol: str, task: Task) -> Mapping[str, Any]:
    """Run one search and return its row."""
    queries, seed, name, arm = task
    ledger = QueryLedger(benchmark(name, protocol), queries)
    run_search(arms[arm], ledger, np.random.default_rng(seed))
    return ledger.outcome()


def code(arm: Searcher) -> str:
    """Return the digest of an arm's code and settings."""
    return hashlib.sha256(f"{code_of(arm)} {getattr(arm, '__name__', arm)}".encode()).hexdigest()[:16]


def chosen_for(arm: Searcher) -> tuple[str, ...]:
    """Return the benchmarks on which the settings of an arm, or of the preset nearest to them, were chosen."""
    found = arm.settings.chosen_on(()).values() if isinstance(arm, SemiGANNAD) else ()
    return tuple(name for names in found for name in names)


def section(rows: pd.DataFrame, arms: Sequence[str], names: Sequence[str], reference: str | None) -> list[str]:
    """Return the lines about one budget: mean regrets, and what each arm is behind another on the same seeds."""
    rng, means = np.random.default_rng(0), list[tuple[str, ...]]()
    for arm in arms:
        own = rows[rows["method"] == arm]
        if own.empty:
            continue
        groups = {name: group["regret"].to_numpy(np.float64) for name, group in own.groupby("benchmark")}
        found = {name: mean_interval(each, rng) for name, each in groups.items()}
        cells = [f"{it.mean:.2f} ({ends(it, '')}, n = {it.n})" if (it := found.get(name)) else "" for name in names]
        means.append((arm, *cells, f"{own['cpu_seconds'].median():.1f}"))
    return [
        f"## {rows['queries'].iloc[0]} queries", "", "Mean regret:", "",
        *markdown_table(("arm", *names, "CPU seconds"), means), "", *difference_table(rows, arms, names, reference),
    ]  # fmt: skip


def page(
    which: str, rows: pd.DataFrame, arms: Sequence[str], names: Sequence[str], reference: str | None, protocol: str,
    made_by: str,
) -> str:  # fmt: skip
    """Return the page, budget by budget."""
    lines = [line for _, found in rows.groupby("queries") for line in section(found, arms, names, reference)]
    digests = listed([f"{name} {short_digest(benchmark(name).digest)}" for name in names])
    cautions = [
        *how_chosen({arm: chosen_for(SETS[which][0][arm]) for arm in rows["method"].unique()}, names),
        *at_ceiling(rows),
    ]
    return f"""# SemiGAN-NAD: {benchmark_text(which, protocol)}

Regret: the optimum minus the reported accuracy of the best cell by the search split; 95 % bootstrap intervals; n: seeds.

{" ".join([*cautions, made_by])} Benchmark digests: {digests}.

{chr(10).join(lines)}"""


@click.command(help=__doc__)
@click.argument("which", type=click.Choice([*SETS]))
@click.option("--arms", help="separated by ;  [default: all]")
@click.option(
    "--reference",
    help="the arm that the others are compared with  [default: that of the set; of the ladder the arm before]",
)
@click.option("--benchmarks", help="separated by commas  [default: those of the set]")
@protocol_option()
@click.option("--queries", default="20,40,60,110", show_default=True, help="budgets, separated by commas")
@click.option("--seeds", default="6", show_default=True, help="a count, a range or a list")
@search_file_options("runs/components")
def command(
    which: str,
    arms: str | None,
    reference: str | None,
    benchmarks: str | None,
    protocol: str,
    queries: str,
    seeds: str,
    file_options: SearchFileOptions,
) -> None:
    every, usual_reference, usual = SETS[which]
    reference = reference or usual_reference
    chosen, names, each = (
        parse_names("--arms", arms, ";") if arms else [*every],
        parse_names("--benchmarks", benchmarks) if benchmarks else [*usual],
        parse_seeds(seeds),
    )
    if which == "choices" and (held := set(names) - {*TUNED_ON}):
        raise UserError(f"nothing is chosen on {held.pop()}: use {listed(TUNED_ON)}")
    if unknown := [arm for arm in (*chosen, reference) if arm and arm not in every]:
        raise UserError(f"unknown arm {unknown[0]!r}: choose from {'; '.join(every)}")
    check_optima(names, protocol)
    budgets = parse_budgets(queries)
    codes = {arm: code(every[arm]) for arm in chosen}
    file = SearchFile(file_options.out / which / "searches.csv", codes, protocol=protocol)
    tasks = [(count, seed, name, arm) for seed, count, name, arm in product(each, budgets, names, chosen)]
    file_options.fill(file, partial(search, every, protocol), tasks)
    rows = file.selected(budgets, each, names, chosen)
    write_page(file.path.parent, page(which, rows, chosen, names, reference, protocol, file.made_by(rows)))


if __name__ == "__main__":
    sys.exit(run_command(command))
