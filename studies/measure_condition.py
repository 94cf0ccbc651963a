"""Why does AG ignore the requested rank? D's output by kind of pair and by rank, and how much of it reaches AG.

\b
    python studies/measure_condition.py --seeds 3
    python studies/measure_condition.py --set mismatched=1 --set learning_rate=1e-3
"""

# first, so that Ctrl-C ends the imports below in one line
from nadlab.cli.command_line import run_command

# isort: split
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import click
import numpy as np
import pandas as pd
import torch

from nadlab.analysis.cells.printed import distance, generated
from nadlab.analysis.text import markdown_table
from nadlab.benchmarks.oracle import Oracle
from nadlab.benchmarks.registry import benchmark
from nadlab.cli.options import parse_seeds
from nadlab.errors import UserError
from nadlab.nets.nade import gumbel
from nadlab.provenance.code import origin
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.diagnostics import fidelity, judgements
from nadlab.semigan.method import trained
from nadlab.semigan.nacg import generate_cells
from nadlab.semigan.networks.condition import signal
from nadlab.semigan.settings import PAPER, Settings
from nadlab.study.levels import changed

GENERATED = 20_000
UNSEEN = 2_000
SETTINGS = replace(PAPER, labels=105, t=93.0, epochs=60, unlabelled_per_epoch=2048)
"""Section 4.2's on NAS-Bench-101, with 2,048 cells without a label an epoch, since all of them take an hour a seed"""


def measure(oracle: Oracle, settings: Settings, seed: int) -> dict[str, float]:
    """Return what one seed shows, as shares but for D's logits."""
    started = time.process_time()
    ledger = QueryLedger(oracle, settings.labels)
    model = trained(ledger, settings, np.random.default_rng(seed))
    cells = generate_cells(model, oracle.space, GENERATED)
    judged = fidelity(model, ledger, cells, GENERATED)
    made = generated(cells, judged, oracle.space)
    found = made.observables | {
        "above": judged.above, "above as printed": judged.above_as_printed, "base": judged.base, "new held classes": judged.held,
        "distinct among valid": made.diversity, "labelled among valid": judged.labelled / max(1, judged.valid),
        "distance": distance(made.observables),
    }  # fmt: skip
    found |= judgements(model, ledger, UNSEEN, seed)
    count = len(model.targets)
    noise = gumbel((count, *model.decisions.allowed.shape), model.random)
    reached = signal(model.networks.AG, model.networks.D, model.latents(count), noise)
    return found | reached._asdict() | {"cpu seconds": time.process_time() - started}


def page(rows: pd.DataFrame, settings: Settings) -> str:
    """Return mean, smallest and largest over the seeds of all that was measured."""
    table = rows.drop(columns="seed").agg(["mean", "min", "max"]).T
    lines = [
        [name, *(f"{value:.3f}" for value in values)]
        for name, values in zip(table.index, table.to_numpy(), strict=True)
    ]
    other = {name: value for name, value in asdict(settings).items() if value != asdict(SETTINGS)[name]}
    made = origin("studies.measure_condition:measure").values
    table_text = "\n".join(markdown_table(["", "mean", "least", "most"], lines))
    return (
        f"# What of the rank reaches AG: {', '.join(f'{name} = {value}' for name, value in other.items()) or 'the paper'}\n\n"
        f"NAS-Bench-101, rank 0, seeds {', '.join(map(str, rows['seed']))}, revision {made['git_revision']}.\n\n"
        f"{table_text}\n"
    )


@click.command(help=__doc__)
@click.option("--benchmark", "name", default="nasbench101", show_default=True, help="a table of NAS-Bench-101's cells")
@click.option("--seeds", default="0-2", show_default=True, help="a count (10), a range (0-9) or a list (1,4,7)")
@click.option(
    "--set", "sets", multiple=True, metavar="NAME=VALUE", help="change a setting of the paper's preset; may be repeated"
)
@click.option("--out", type=click.Path(path_type=Path), help="also write the page to this file")
def command(name: str, seeds: str, sets: tuple[str, ...], out: Path | None) -> None:
    values = dict(each.split("=", 1) for each in sets if "=" in each)
    if len(values) < len(sets):
        raise UserError("--set takes NAME=VALUE, each name once")
    settings, oracle = changed(SETTINGS, values), benchmark(name)
    torch.set_num_threads(1)
    rows = pd.DataFrame({"seed": seed} | measure(oracle, settings, seed) for seed in parse_seeds(seeds))
    text = page(rows, settings)
    click.echo(text)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run_command(command))
