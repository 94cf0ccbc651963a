"""Tune every method with the same budget on the embedded benchmarks, and evaluate it on held-out benchmarks.

A method's configurations come from the space that it declares: its default first, random ones up to the tenth, then TPE.
A configuration is scored by its mean regret over the tuning benchmarks and seeds. Default and best are then run on the
held-out benchmarks. The same command resumes after a stop; with more methods, configurations, benchmarks or held-out seeds
it runs only what is missing.

\b
    python studies/tune_methods.py --methods bananas,local-search --configurations 12 --seeds 5 --queries 40
"""

# first, so that Ctrl-C ends the imports below in one line
from nadlab.cli.command_line import run_command

# isort: split
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import click
import numpy as np
import optuna
import pandas as pd
from tqdm import tqdm

from nadlab.analysis.statistics.intervals import paired_difference
from nadlab.analysis.text import ends, listed, markdown_table, number, setting
from nadlab.benchmarks.registry import EMBEDDED, benchmark, check_optima, refuse_held_out, sources
from nadlab.cli.options import parse_names, parse_seeds
from nadlab.cli.shared_options import SearchFileOptions, protocol_option, search_file_options, write_page
from nadlab.engine.searches.run import searches
from nadlab.errors import UserError
from nadlab.json_text import read_json, write_json
from nadlab.methods.registry import COMPARED, chosen_on, hyperparameter, searcher
from nadlab.methods.request import SearchRequest
from nadlab.methods.tuning_space import tuning_space
from nadlab.processes import finished
from nadlab.study.search_file import SearchFile, Task, code_of, regrets_of
from nadlab.study.tuning import sampler

SMOKE = {"methods": "local-search,regularized-evolution", "configurations": 2, "seeds": "2", "queries": 12,
         "tuned_on": "mnist1d-201", "held_out": "mnist1d-101", "held_out_seeds": "3"}  # fmt: skip
optuna.logging.set_verbosity(optuna.logging.WARNING)
Values = Mapping[str, Any]
DEFAULT = 0
"""the number of the first configuration"""


def stored(file_options: SearchFileOptions, budget: Values, method: str) -> tuple[Path, dict[str, Any]]:
    """Return the file of a method's configurations and its content, without configurations where there is none yet.

    Raises UserError when it holds results of another budget, which is all but the number of configurations, or of other
    code, unless these are kept anyway.
    """
    path = file_options.out / "tuned" / f"{method.replace(':', '.')}.json"
    given = dict(budget) | {"code": code_of(searcher(method))}
    kept = read_json(path) if path.exists() else given | {"configurations": []}
    given |= {"code": kept["code"]} if file_options.anyway else {}
    if other := [name for name, value in given.items() if kept.get(name) != value]:
        kept_anyway = ", or keep its configurations with --anyway" if other == ["code"] else ""
        raise UserError(f"{path} was made with another {other[0]}: choose another folder with --out{kept_anyway}")
    return path, kept


def untuned(file_options: SearchFileOptions, budget: Values, methods: Sequence[str], configurations: int) -> str:
    """Return the sentence that says how many configurations are still to be tuned; empty if none."""
    kept = [stored(file_options, budget, method)[1]["configurations"] for method in methods]
    left = sum(max(0, configurations - len(each)) for each in kept)
    said = f"{left} of {configurations * len(methods)} configurations would be tuned, then default and best run on the held-out benchmarks."
    return said if left else ""


def tune(file_options: SearchFileOptions, budget: Values, configurations: int, method: str) -> list[dict[str, Any]]:
    """Return the configurations of a method and their regrets, the default first; each is written when it has ended.

    Raises UserError as `stored` does, and when some are missing where only the page is asked for.
    """
    (path, kept), space = stored(file_options, budget, method), tuning_space(method)
    done, search = kept["configurations"], optuna.create_study(direction="minimize")
    for row in done:
        search.add_trial(optuna.trial.create_trial(params=row["values"], distributions=space, value=row["mean"]))
    if file_options.page_only and len(done) < configurations:
        raise UserError(
            f"{path} has {len(done)} of {configurations} configurations: leave out --page to run the others"
        )
    queries, seeds, protocol = budget["queries"], budget["seeds"], budget["protocol"]
    while len(done) < configurations:
        # seeded by its number: the same proposals after a stop
        search.sampler = sampler("tpe", int(np.random.SeedSequence([len(done)]).generate_state(1)[0]))
        if not done:
            search.enqueue_trial({name: hyperparameter(name).default for name in space})
        trial = search.ask(space)
        found = {
            name: [row.regret for row in searches([method], name, queries, seeds, 1, trial.params, protocol)]
            for name in budget["tuned_on"]
        }
        search.tell(trial, mean := float(np.mean(list(found.values()))))
        done.append({"values": trial.params, "regrets": found, "mean": mean})
        write_json(path, kept)
        said = f"{method}: configuration {len(done)} of {configurations}, mean regret {number(mean)}"
        tqdm.write(said, file=sys.stderr)
    return list(done[:configurations])


def arm(method: str, configuration: int) -> str:
    """Return the name of a method with one of its configurations."""
    return f"{method}, configuration {configuration}"


def search(arms: Mapping[str, tuple[str, Values]], protocol: str, task: Task) -> Mapping[str, Any]:
    """Run one search and return its row; arms: name -> method and values of its settings."""
    queries, seed, name, named = task
    method, values = arms[named]
    (found,) = searches([method], name, queries, [seed], 1, values, protocol)
    return found.row()


def compared(rows: pd.DataFrame, best: Mapping[str, int]) -> pd.DataFrame:
    """Return a row a held-out benchmark and method: mean regrets of default and tuned, their difference, and the ranks of both."""
    rng, found, regrets = np.random.default_rng(0), [], regrets_of(rows)
    for name, (method, chosen) in product(rows["benchmark"].unique(), best.items()):
        default, tuned = (regrets.get((arm(method, each), name), {}) for each in (DEFAULT, chosen))
        if gap := paired_difference(tuned, default, rng):  # none where a stop left no seed of both
            means = {"default": np.mean([*default.values()]), "tuned": np.mean([*tuned.values()])}
            text = f"{gap.mean:+.2f} ({ends(gap)}), n = {gap.n}"
            found.append({"benchmark": name, "method": method, **means, "gap": text})
    made = pd.DataFrame(found)
    ranks = made.groupby("benchmark")[["default", "tuned"]].rank()
    return made.assign(rank_default=ranks["default"], rank_tuned=ranks["tuned"])


def page(
    made: pd.DataFrame, tuned: Mapping[str, Sequence[Values]], best: Mapping[str, int], budget: Values, by: str
) -> str:
    """Return the page: mean ranks, what was chosen, and regrets on every held-out benchmark."""
    names = made["benchmark"].unique()
    whole = made.groupby("method").filter(lambda rows: len(rows) == len(names))
    ranks = whole.groupby("method")[["rank_default", "rank_tuned"]].mean().sort_values("rank_tuned")
    places = [
        (str(method), number(row["rank_default"], 1), number(row["rank_tuned"], 1)) for method, row in ranks.iterrows()
    ]
    chosen = []
    for method, place in best.items():
        settings = ", ".join(
            f"{name.partition('.')[2]} = {setting(value)}" for name, value in tuned[method][place]["values"].items()
        )
        chosen.append((method, number(tuned[method][DEFAULT]["mean"]), number(tuned[method][place]["mean"]), settings))
    count = len(next(iter(tuned.values())))
    parts = []
    for name, rows in made.sort_values("tuned").groupby("benchmark"):
        cells = [
            (row["method"], number(row["default"]), number(row["tuned"]), row["gap"]) for _, row in rows.iterrows()
        ]
        seen = [method for method in best if name in (chosen_on(method) or ())]
        said = [f"The defaults of {listed(seen)} were chosen with a view to this one too.", ""] if seen else []
        heading = ("method", "default", "tuned", "tuned - default")
        parts += [f"### {name}", "", *said, *markdown_table(heading, cells), ""]
    return f"""# Default and tuned methods on held-out benchmarks

Every method had {count} configurations x {len(budget["seeds"])} seeds at {budget["queries"]} queries on
{", ".join(budget["tuned_on"])}; this study tuned nothing on the benchmarks below. Protocol: {budget["protocol"]}. Mean regrets in
each benchmark's unit; differences are paired by seed, with 95 % bootstrap intervals.

{by}

## Mean ranks over {len(names)} held-out benchmarks

{chr(10).join(markdown_table(("method", "default", "tuned"), places))}

## What was chosen

Regrets on the tuning benchmarks, from which the best configuration was taken: that of the tuned one is too low by its choice.

{chr(10).join(markdown_table(("method", "default", "tuned", "settings"), chosen))}

## Held-out benchmarks

{chr(10).join(parts)}"""


@click.command(help=__doc__)
@click.option("--methods", default=",".join(COMPARED[1:]), help="separated by commas  [default: all with settings]")
@click.option(
    "--configurations", type=click.IntRange(1), default=12, show_default=True, help="configurations per method"
)
@click.option("--seeds", default="5", show_default=True, help="seeds per configuration: a count, a range or a list")
@click.option("--queries", type=click.IntRange(3), default=40, show_default=True, help="budget of each search")
@click.option("--tuned-on", default="mnist1d-201,mnist1d-101", show_default=True, help="benchmarks to tune on")
@protocol_option()
@click.option("--held-out", help="benchmarks to report on  [default: all of $NADLAB_DATA and the cache folder]")
@click.option("--held-out-seeds", default="20", show_default=True, help="seeds for default and tuned settings")
@click.option("--smoke", is_flag=True, help="run for seconds, in its own folder")
@search_file_options("runs/tune_methods")
def command(file_options: SearchFileOptions, **given: Any) -> None:
    if given["smoke"]:
        given |= SMOKE
        file_options = replace(file_options, concurrent=1, out=file_options.out / "smoke")
    methods, queries = parse_names("--methods", given["methods"]), given["queries"]
    tuned_on = parse_names("--tuned-on", given["tuned_on"])
    others = [name for name, (path, _) in sources(given["protocol"]).items() if path.parent != EMBEDDED]
    held = parse_names("--held-out", given["held_out"]) if given["held_out"] else others
    for name in tuned_on:
        refuse_held_out(benchmark(name, protocol=given["protocol"]))
    if not held or set(held) & set(tuned_on):
        raise UserError("--held-out must name benchmarks, and none of --tuned-on")
    check_optima({*held, *tuned_on}, given["protocol"])  # raises here rather than hours later
    for method in methods:
        SearchRequest(method=method, queries=queries)
        tuning_space(method)
    seeds, protocol = [*parse_seeds(given["seeds"])], given["protocol"]
    budget = {"queries": queries, "seeds": seeds, "tuned_on": tuned_on, "protocol": protocol}
    if file_options.dry_run and (said := untuned(file_options, budget, methods, given["configurations"])):
        click.echo(said)
        return
    tuning = partial(tune, file_options, budget, given["configurations"])
    tuned = dict(zip(methods, finished(tuning, methods, "method", file_options.concurrent), strict=True))
    best = {method: min(range(len(rows)), key=lambda place: rows[place]["mean"]) for method, rows in tuned.items()}
    arms = {
        arm(method, place): (method, tuned[method][place]["values"])
        for method in methods
        for place in {DEFAULT, best[method]}
    }
    codes = {name: code_of(searcher(method)) for name, (method, _) in arms.items()}
    file = SearchFile(file_options.out / "searches.csv", codes, protocol=protocol)
    each = parse_seeds(given["held_out_seeds"])
    tasks = [(queries, seed, name, named) for seed, name, named in product(each, held, arms)]
    file_options.fill(file, partial(search, arms, protocol), tasks)
    rows = file.selected([queries], each, held, arms)
    made = compared(rows, best)
    write_page(file_options.out, page(made, tuned, best, budget, file.made_by(rows)))


if __name__ == "__main__":
    sys.exit(run_command(command))
