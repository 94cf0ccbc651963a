"""Reproduce Figures 2 to 6: are the cells that AG generates under rank 0 built like the benchmark's best?

The best are 64 cells of each: the benchmark's, and the generated ones that PP ranks highest. Figures 2, 4, 5 and 6 are
of NAS-Bench-101's space, Figure 3 of NAS-Bench-201's; numbers.json beside them holds what they show.

\b
    python studies/reproduce_figures.py
    python studies/reproduce_figures.py --benchmark nasbench101 --benchmark nasbench201/cifar10
"""

# first, so that Ctrl-C ends the imports below in one line
from nadlab.cli.command_line import run_command

# isort: split
import sys
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np
import torch
from matplotlib.figure import Figure

from nadlab import benchmark
from nadlab.analysis.cells import signature_figures as figures
from nadlab.analysis.cells.generated import quality
from nadlab.analysis.cells.signatures import Signature, overlap, signature
from nadlab.analysis.figures.style import save
from nadlab.benchmarks.oracle import Oracle
from nadlab.errors import UserError
from nadlab.json_text import strict_json
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.sampling import one_of_each
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.diagnostics import search_accuracies
from nadlab.semigan.method import start
from nadlab.semigan.nacg import best_predicted, generate_cells
from nadlab.semigan.settings import PAPER_T, Settings
from nadlab.spaces import Cells, SearchSpace

TOP, GENERATED, DRAWN = 64, 5_000, 3
THRESHOLDS, TABLE_4 = (93.0, 93.5), (0.1549, 0.0734)
"""of Table 4 on NAS-Bench-101, and the shares of its cells above them: elsewhere as large a share is above"""
LABELS = {"nasbench101": 105, "nasbench201": 155}
RESULTS = Path(__file__).parents[1] / "results" / "figures"


def trained(oracle: Oracle, settings: Settings, seed: int) -> BiArch2Perf:
    model = start(QueryLedger(oracle, settings.labels), settings, np.random.default_rng(seed))
    for _ in range(settings.epochs):
        model.epoch()
    return model


def best_of(oracle: Oracle, cells: Cells, count: int) -> Cells:
    """Return the queryable cells with the best search accuracies, best first, one of each class."""
    order = np.argsort(-search_accuracies(oracle, cells), kind="stable")
    return one_of_each(cells[order[: 4 * count]], oracle.space)[:count]


def caption(oracle: Oracle, cell: Cells) -> str:
    if not oracle.queryable(cell)[0]:
        return "not in the table"
    return f"{search_accuracies(oracle, cell)[0]:.2f} %"


def drawings(oracle: Oracle, groups: dict[str, Cells]) -> Figure:
    rows = {name: [(cell, caption(oracle, cell)) for cell in cells[:DRAWN]] for name, cells in groups.items()}
    return figures.drawn_cells(rows, oracle.space)


def shares(found: Signature, space: SearchSpace) -> dict[str, object]:
    said: dict[str, object] = {"includes": dict(zip(space.operations, found.includes.round(4).tolist(), strict=True))}
    if space.name == "nasbench101":  # elsewhere every cell has the same graph
        said["shortest_path"] = dict(enumerate(found.shortest_paths.round(4).tolist(), start=1))
    return said


def reproduce(oracle: Oracle, settings: Settings, seed: int, folder: Path) -> None:
    """Train one seed, generate, draw."""
    space = oracle.space
    model = trained(oracle, settings, seed)
    made, pool = generate_cells(model, space, GENERATED), oracle.pool()
    if not len(made):
        raise UserError(f"AG made no valid cell on {oracle.name} with seed {seed}: choose another by --seed")
    thresholds: tuple[float, ...] = THRESHOLDS
    if oracle.name not in PAPER_T:
        thresholds = tuple(np.quantile(search_accuracies(oracle, pool), 1 - np.array(TABLE_4)).tolist())
    best = {
        f"benchmark's best {TOP}": best_of(oracle, pool, TOP),
        f"generated, PP's best {TOP}": best_predicted(model, one_of_each(made, space), space, TOP),
    }
    top = {name: signature(cells, space) for name, cells in best.items()}
    truth, ours = top.values()
    first, second = top
    groups = {"benchmark": signature(pool, space), first: truth, "generated": signature(made, space), second: ours}
    if space.name == "nasbench101":
        drawn = {
            "figure2": figures.edges_and_operations(top, space),
            "figure4": figures.included_operations(groups, space),
            "figure5": figures.shortest_paths(groups),
            "figure6": drawings(oracle, dict(zip(("benchmark", "generated"), best.values(), strict=True))),
        }
        agreement = {"edges_of_the_first_9": overlap(truth.edges, ours.edges, figures.MARKED_EDGES)}
    else:
        drawn = {"figure3": figures.edge_operations(top, space)}
        agreement = {
            "edges_with_the_same_operation": int((truth.operations.argmax(1) == ours.operations.argmax(1))[1:-1].sum())
        }
    numbers = {
        "benchmark": oracle.name, "digest": oracle.digest, "seed": seed, "settings": asdict(settings),
        "thresholds": thresholds, "generated": asdict(quality(made, GENERATED, oracle, thresholds)),
        "agreement": agreement, "groups": {name: shares(found, space) for name, found in groups.items()},
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "numbers.json").write_text(strict_json(numbers, indent=1) + "\n", encoding="utf-8")
    for name, figure in drawn.items():
        save(figure, folder, name)


@click.command(help=__doc__)
@click.option("--benchmark", "names", multiple=True, default=("mnist1d-101", "mnist1d-201"), show_default=True,
              help="see `nadlab benchmarks`; may be repeated")  # fmt: skip
@click.option("--seed", default=0, show_default=True)
@click.option("--rank0-share", default=0.03, show_default=True, help="share of the labels that rank 0 gets")
@click.option("--temperature", default=0.4, show_default=True, help="of AG's choices; 1 keeps to its probabilities")
@click.option("--epochs", default=Settings().epochs, show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path), default=RESULTS, help="a folder; each benchmark gets one inside"
)
def command(names: tuple[str, ...], seed: int, rank0_share: float, temperature: float, epochs: int, out: Path) -> None:
    torch.set_num_threads(1)
    oracles = [benchmark(name) for name in names]
    for oracle in oracles:
        if oracle.space.name not in LABELS:
            raise UserError(f"the paper has no figure of the space {oracle.space.name}: name another --benchmark")
    for oracle in oracles:
        settings = Settings(
            labels=LABELS[oracle.space.name], epochs=epochs, rank0_share=rank0_share, generation_temperature=temperature
        )
        folder = out / oracle.name.replace("/", "-")
        reproduce(oracle, settings, seed, folder)
        click.echo(f"{oracle.name}: figures and numbers.json in {folder}")


if __name__ == "__main__":
    sys.exit(run_command(command))
