"""Compare the CPU time of the default trial between two revisions, as ratios of one run.

Each pair runs SemiGAN-NAD with its default settings and one seed in processes of one thread: the revision in another
folder, this one, and this one without its accelerator. CPU seconds are those of the whole process, imports included. The
accelerators are compiled before the first pair.

\b
git worktree add ../before REVISION
python perf/training/compare_revisions.py --before ../before --pairs 5 --out results/compare_revisions.txt
"""

import os
import resource
import subprocess
import sys
from pathlib import Path

import click
from tqdm import tqdm

HERE = Path(__file__).resolve().parents[2]
TRIAL = """
import sys
import numpy as np
import torch
torch.set_num_threads(1)
from importlib import import_module
def found(*names):
    # modules move from revision to revision
    for name in names[:-1]:
        try:
            return import_module(name)
        except ModuleNotFoundError:
            pass
    return import_module(names[-1])
ledger = found("nadlab.queries.ledger", "nadlab.benchmarks.ledger")
from nadlab.benchmarks.registry import benchmark
method = found("nadlab.semigan.method", "nadlab.searchers.semigan_nad")
from nadlab.semigan.settings import Settings
settings = Settings()
queries = ledger.QueryLedger(benchmark(sys.argv[1]), settings.budget)
model = method.start(queries, settings, np.random.default_rng(int(sys.argv[2])))
for _ in range(int(sys.argv[3]) if len(sys.argv) > 3 else settings.epochs):
    model.epoch()
method.finish(model, queries)
"""


def cpu_seconds(folder: Path, accelerated: bool, *arguments: str) -> float:
    """Run a trial with the code of a folder; return the CPU seconds of its process, user and system."""
    environment = os.environ | {"PYTHONPATH": f"{folder / 'platform'}:{folder}", "OMP_NUM_THREADS": "1"}
    if not accelerated:
        environment["NADLAB_COMPILED"] = "0"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", TRIAL, *arguments], cwd=folder, env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def line(name: str, values: list[float]) -> str:
    """Return median, lowest and highest of values."""
    ordered = sorted(values)
    median = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return f"{name}: median {median:.3f}, min {ordered[0]:.3f}, max {ordered[-1]:.3f}, {len(values)} pairs"


@click.command(help=__doc__)
@click.option("--before", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path), help="checkout")
@click.option("--pairs", default=3, show_default=True, type=click.IntRange(1))
@click.option("--benchmark", "name", default="mnist1d-201", show_default=True, help="see `nadlab benchmarks`")
@click.option("--seed", default=0, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="file for the lines that are printed")
def command(before: Path, pairs: int, name: str, seed: int, out: Path | None) -> None:
    kinds = {"before": (before.resolve(), True), "now": (HERE, True), "now without accelerator": (HERE, False)}
    for folder, accelerated in kinds.values():
        cpu_seconds(folder, accelerated, name, str(seed), "1")
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    for pair in tqdm(range(pairs), unit="pair", disable=None):
        # each kind comes first in turn, so that a machine that slows down favours none
        order = list(kinds)[pair % 3 :] + list(kinds)[: pair % 3]
        for kind in order:
            seconds[kind].append(cpu_seconds(*kinds[kind], name, str(seed)))
    lines = [f"default trial on {name}, seed {seed}, one thread"]
    lines += [line(f"CPU seconds {kind}", values) for kind, values in seconds.items()]
    for kind in list(kinds)[1:]:
        ratios = [now / then for now, then in zip(seconds[kind], seconds["before"], strict=True)]
        lines.append(line(f"{kind} / before", ratios))
    click.echo("\n".join(lines))
    if out:
        out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    command()
