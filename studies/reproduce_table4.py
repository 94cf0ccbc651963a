"""Reproduce Table 4: how good are the cells that AG generates under rank 0, against the benchmark's own?

python studies/reproduce_table4.py --seeds 0-9
"""

# first, so that Ctrl-C ends the imports below in one line
from nadlab.cli.command_line import run_command

# isort: split
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click
import numpy as np
from rich.table import Table

from nadlab import benchmark
from nadlab.analysis.cells.generated import GeneratedQuality, quality
from nadlab.cli.options import parse_seeds
from nadlab.cli.protocol import protocol_option
from nadlab.json_text import strict_json
from nadlab.processes import side_by_side
from nadlab.queries.ledger import QueryLedger
from nadlab.semigan.method import start
from nadlab.semigan.nacg import generate_cells
from nadlab.semigan.settings import Settings
from nadlab.terminal import console

THRESHOLDS = (93.0, 93.5)
GENERATED = 5_000
PAPER_VALID, PAPER_ABOVE, PAPER_FACTOR = 0.3673, (0.7030, 0.6558), 0.7030 / 0.1549
"""Section 4.3.2 and Table 4, validation accuracy on all of NAS-Bench-101"""


def measure(name: str, protocol: str, settings: Settings, seed: int) -> GeneratedQuality:
    """Train one seed and measure its generated cells."""
    oracle = benchmark(name, protocol)
    model = start(QueryLedger(oracle, settings.labels), settings, np.random.default_rng(seed))
    for _ in range(settings.epochs):
        model.epoch()
    return quality(generate_cells(model, oracle.space, GENERATED), GENERATED, oracle, THRESHOLDS)


def show(rows: Sequence[GeneratedQuality]) -> None:
    """Print means and standard deviations over seeds beside the paper's row."""
    table = Table("", "valid", "classes", "held by the table", *(f"> {t:g} %" for t in THRESHOLDS), "factor at 93 %")
    own, made = np.array([row.table_above for row in rows]), np.array([row.above for row in rows])
    table.add_row("benchmark", "", "", "", *(f"{share:.2%}" for share in own[0]), "1.00")
    shares = [f"{m:.2%} ± {s:.2%}" for m, s in zip(made.mean(axis=0), made.std(axis=0), strict=True)]
    means = [np.mean([getattr(row, name) for row in rows]) for name in ("share_valid", "classes", "held")]
    table.add_row(
        "generated", f"{means[0]:.2%}", f"{means[1]:.0f}", f"{means[2]:.0f}", *shares, f"{made[:, 0].mean() / own[0, 0]:.2f}"
    )  # fmt: skip
    paper = [f"{share:.2%}" for share in PAPER_ABOVE]
    table.add_row("paper", f"{PAPER_VALID:.2%}", "", "", *paper, f"{PAPER_FACTOR:.2f}")
    console().print(table)


@click.command(help=__doc__)
@click.option("--benchmark", "name", default="nasbench101", show_default=True, help="see `nadlab benchmarks`")
@protocol_option()
@click.option("--seeds", default="0-9", show_default=True, help="a count (10), a range (0-9) or a list (1,4,7)")
@click.option("--labels", default=105, show_default=True, help="architectures queried for training")
@click.option("--rank0-share", default=0.03, show_default=True, help="share of the labels that rank 0 gets")
@click.option("--temperature", default=0.4, show_default=True, help="of AG's choices; 1 keeps to its probabilities")
@click.option("--out", type=click.Path(path_type=Path), help="write the rows of all seeds to this JSON file")
def command(
    name: str, protocol: str, seeds: str, labels: int, rank0_share: float, temperature: float, out: Path | None
) -> None:
    benchmark(name, protocol)  # an unknown name or a malformed table is told once, not by every process
    settings = Settings(labels=labels, rank0_share=rank0_share, generation_temperature=temperature)
    chosen = parse_seeds(seeds)
    rows = list(side_by_side(partial(measure, name, protocol, settings), chosen, "seed"))
    show(rows)
    if out:
        by_seed = {seed: asdict(row) for seed, row in zip(chosen, rows, strict=True)}
        out.parent.mkdir(parents=True, exist_ok=True)
        content = {"benchmark": name, "protocol": protocol, "settings": asdict(settings), "seeds": by_seed}
        out.write_text(strict_json(content, indent=1) + "\n", encoding="utf-8")
    if any(math.isnan(row.above[0]) for row in rows):
        click.echo("some seed generated no cell that the table holds", err=True)


if __name__ == "__main__":
    sys.exit(run_command(command))
