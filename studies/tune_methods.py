"""Tune every method with the same budget on the embedded benchmarks, and evaluate it on held-out benchmarks.

A method's configurations come from the space that it declares: its default first, random ones up to the tenth, then TPE.
A configuration is scored by its mean regret over the tuning benchmarks and seeds. Default and best are then run on the
held-out benchmarks. The same command resumes after a stop, and with more configurations runs only the missing ones.

python studies/tune_methods.py --methods bananas,local-search --configurations 12 --seeds 5 --queries 40
"""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import optuna
import pandas as pd

from nadlab.analysis.statistics.intervals import interval_columns, paired_difference
from nadlab.analysis.text import markdown_table, setting
from nadlab.benchmarks.registry import EMBEDDED, check_optima, sources
from nadlab.cli.command_line import run_command
from nadlab.cli.options import parse_seeds
from nadlab.cli.shared_options import protocol_option
from nadlab.engine.searches.run import searches
from nadlab.errors import UserError
from nadlab.json_text import strict_json, write_json
from nadlab.methods.registry import COMPARED, hyperparameter
from nadlab.methods.request import SearchRequest
from nadlab.methods.tuning_space import tuning_space
from nadlab.processes import side_by_side
from nadlab.provenance.code import origin
from nadlab.study.tuning import sampler

SMOKE = {"methods": "local-search,regularized-evolution", "configurations": 2, "seeds": "2", "queries": 12,
         "tuned_on": "mnist1d-201", "held_out": "mnist1d-101", "held_out_seeds": "3", "concurrent": 1}  # fmt: skip
optuna.logging.set_verbosity(optuna.logging.WARNING)
MEANS = ("default", "tuned")
Values = Mapping[str, Any]


def regrets(method: str, name: str, queries: int, seeds: Sequence[int], values: Values, protocol: str) -> list[float]:
    """Return the regrets of a method on a benchmark that knows its optimum."""
    found = [row.regret for row in searches([method], name, queries, seeds, 1, values, protocol)]
    return [regret for regret in found if regret is not None]


def tune(folder: Path, budget: Values, configurations: int, method: str) -> list[dict[str, Any]]:
    """Return the configurations of a method and their regrets, the default first; each is written when it has ended.

    Raises UserError when the folder holds results of another budget, which is all but the number of configurations.
    """
    path, space = folder / "tuned" / f"{method.replace(':', '.')}.json", tuning_space(method)
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else dict(budget) | {"configurations": []}
    if other := [name for name, value in budget.items() if kept.get(name) != value]:
        raise UserError(f"{path} was made with another {other[0]}: choose another folder with --out")
    done, search = kept["configurations"], optuna.create_study(direction="minimize")
    for row in done:
        search.add_trial(optuna.trial.create_trial(params=row["values"], distributions=space, value=row["mean"]))
    while len(done) < configurations:
        # seeded by its number: the same proposals after a stop
        search.sampler = sampler("tpe", int(np.random.SeedSequence([len(done)]).generate_state(1)[0]))
        if not done:
            search.enqueue_trial({name: hyperparameter(name).default for name in space})
        trial = search.ask(space)
        run = partial(regrets, method, queries=budget["queries"], seeds=budget["seeds"], values=trial.params)
        found = {name: run(name, protocol=budget["protocol"]) for name in budget["tuned_on"]}
        search.tell(trial, mean := float(np.mean(list(found.values()))))
        done.append({"values": trial.params, "regrets": found, "mean": mean})
        write_json(path, kept)
    return list(done[:configurations])


def judge(folder: Path, budget: Values, seeds: Sequence[int], task: tuple[str, str, Values]) -> dict[str, Any]:
    """Return the regrets of a method with its default and its tuned settings on a held-out benchmark."""
    method, name, values = task
    asked, protocol = budget["queries"], budget["protocol"]
    of = {
        "method": method,
        "benchmark": name,
        "queries": asked,
        "protocol": protocol,
        "seeds": list(seeds),
        "values": values,
    }
    digest = hashlib.sha256(strict_json([of, budget["code"]]).encode()).hexdigest()[:16]
    if not (path := folder / "held_out" / f"{digest}.json").exists():
        levels: tuple[Values, Values] = ({}, values)
        default, tuned = (regrets(method, name, asked, seeds, each, protocol) for each in levels)
        write_json(path, of | {"default": default, "tuned": tuned})
    return dict(json.loads(path.read_text(encoding="utf-8")))


def table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return a row a held-out benchmark and method: mean regrets, their paired difference, and the ranks of both."""
    rng, found = np.random.default_rng(0), []
    for row in rows:
        default, tuned = (dict(zip(row["seeds"], row[level], strict=True)) for level in MEANS)
        gap = paired_difference(tuned, default, rng)
        settings = ", ".join(f"{name} = {setting(value)}" for name, value in row["values"].items())
        start = {key: np.mean(row[key]) if key in MEANS else row[key] for key in ("benchmark", "method", *MEANS)}
        found.append(start | interval_columns("gap_", gap, "mean", "low", "high") | {"settings": settings})
    made = pd.DataFrame(found)
    made[["rank_default", "rank_tuned"]] = made.groupby("benchmark")[[*MEANS]].rank()
    return made.sort_values(["benchmark", "tuned"], ignore_index=True)


def page(made: pd.DataFrame, budget: Values, configurations: int) -> str:
    cells = [tuple(map(setting, row)) for row in made.itertuples(index=False)]
    return f"""# Default and tuned methods on held-out benchmarks

Every method had {configurations} configurations x {len(budget["seeds"])} seeds at {budget["queries"]} queries on
{", ".join(budget["tuned_on"])}; nothing was tuned on the benchmarks below. Protocol: {budget["protocol"]}. Mean regrets in each benchmark's unit; gap: tuned less
default on the same seeds, with its 95 % bootstrap interval. Digest of the code: {budget["code"][:12]}.

{chr(10).join(markdown_table(tuple(made.columns), cells))}
"""


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
@click.option(
    "--concurrent", type=click.IntRange(1), help="methods in parallel, each on one core  [default: all cores]"
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/tune_methods"), show_default=True)
@click.option("--smoke", is_flag=True, help="run for seconds, in its own folder")
def command(**given: Any) -> None:
    if given["smoke"]:
        given |= SMOKE | {"out": given["out"] / "smoke"}
    methods, tuned_on, out = given["methods"].split(","), given["tuned_on"].split(","), given["out"]
    others = [name for name, (path, _) in sources(given["protocol"]).items() if path.parent != EMBEDDED]
    held = given["held_out"].split(",") if given["held_out"] else others
    if not held or set(held) & set(tuned_on):
        raise UserError("--held-out must name benchmarks, and none of --tuned-on")
    check_optima({*held, *tuned_on}, given["protocol"])  # raises here rather than hours later
    for method in methods:
        SearchRequest(method=method, queries=given["queries"])
    seeds, code = (
        list(parse_seeds(given["seeds"])),
        origin("trainables.searcher:SearcherTrainable", methods).values["code"],
    )
    budget = {
        "queries": given["queries"],
        "seeds": seeds,
        "tuned_on": tuned_on,
        "code": code,
        "protocol": given["protocol"],
    }
    tuning = partial(tune, out, budget, given["configurations"])
    found = list(side_by_side(tuning, methods, "method", given["concurrent"]))
    best = [
        (method, min(rows, key=lambda row: row["mean"])["values"]) for method, rows in zip(methods, found, strict=True)
    ]
    tasks = [(method, name, values) for name in held for method, values in best]
    judging = partial(judge, out, budget, parse_seeds(given["held_out_seeds"]))
    made = table(list(side_by_side(judging, tasks, "search", given["concurrent"])))
    made.to_csv(out / "held_out.csv", index=False)
    (out / "report.md").write_text(text := page(made, budget, given["configurations"]), encoding="utf-8")
    click.echo(text)


if __name__ == "__main__":
    sys.exit(run_command(command))
