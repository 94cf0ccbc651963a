"""Reproduce Table 4: how good are the cells that AG generates under rank 0, compared with the benchmark's own?

Only new classes count: one cell of each isomorphism class, none of them labelled. The share of all draws, where
duplicates and labelled cells count, is given too. Each seed is appended to OUT/seeds.jsonl when it ends: the same
command resumes after a stop, and with more seeds it runs only those. studies/reproduce_figures.py reads the same seeds.
The number of labels is the paper's, and so is t on NAS-Bench-101. Training as in the paper, on all of its 423,624 cells
in each epoch, takes half an hour per seed; the last command uses 4,096 of them.

\b
    python studies/reproduce_table4.py --smoke
    python studies/reproduce_table4.py --seeds 20
    python studies/reproduce_table4.py --preset paper --set unlabelled_per_epoch=4096
"""

# first, so that Ctrl-C ends the imports below in one line
from nadlab.cli.command_line import run_command

# isort: split
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

from nadlab import benchmark
from nadlab.analysis.cells.generated import (
    PAPER_BENCHMARK,
    Generated,
    benchmark_cells,
    from_json,
    measure,
    shares_above,
    thresholds,
    to_json,
)
from nadlab.analysis.statistics.intervals import mean_interval
from nadlab.analysis.text import ends, markdown_table
from nadlab.benchmarks.oracle import Oracle, Split, metric_of
from nadlab.benchmarks.presets import WORDS
from nadlab.cli.grammar import SET, held
from nadlab.cli.options import parse_seeds
from nadlab.cli.shared_options import protocol_option
from nadlab.cli.tables import print_table
from nadlab.errors import UserError
from nadlab.json_text import read_json_lines, strict_json
from nadlab.processes import finished
from nadlab.provenance.code import origin
from nadlab.semigan.settings import CHOSEN, PAPER_T, Settings
from nadlab.study.levels import changed, names
from nadlab.study.smoke import SMOKE, SMOKE_SEEDS

LABELS = {"nasbench101": 105, "nasbench201": 155}
"""space -> labels of the paper's experiments (Tables 1 and 2)"""
PRESETS = [name for name, (settings, _) in CHOSEN.items() if settings.per_round is None]
PAPER_VALID = 0.3673
PAPER_ABOVE: Mapping[Split, tuple[float, float]] = {"valid": (0.7030, 0.6558), "test": (0.6299, 0.1095)}
"""Section 4.3.2 and Table 4: the paper's generated cells"""


@dataclass(frozen=True)
class Run:
    """Seeds of one benchmark and one setting, in a folder."""

    name: str
    protocol: str
    settings: Settings
    out: Path

    @property
    def oracle(self) -> Oracle:
        return benchmark(self.name, self.protocol)

    @property
    def path(self) -> Path:
        return self.out / "seeds.jsonl"

    def rows(self) -> dict[int, dict[str, Any]]:
        """Return seed -> row of the file."""
        return read_json_lines(self.path, "seed") if self.path.exists() else {}


def run_seed(run: Run, made_by: dict[str, object], limits: Mapping[Split, Sequence[float]], seed: int) -> None:
    """Train and measure one seed, and append its row."""
    line = strict_json(made_by | to_json(measure(run.oracle, run.settings, limits, seed)))
    with run.path.open("ab", buffering=0) as file:
        file.write(f"{line}\n".encode())  # one write: neighbours append to the same file, and a stop leaves no half


def seeds_of(run: Run, seeds: Sequence[int], concurrent: int | None) -> list[Generated]:
    """Return the rows of all seeds; run those that the file has not.

    Raises UserError where the file is of another benchmark or setting, or where other code would add to it.
    """
    found = origin("nadlab.analysis.cells.generated:measure", [run.name]).values
    code: dict[str, object] = {"code": found["code"][:16]}
    decides: dict[str, object] = {
        "benchmark": run.name, "protocol": run.protocol, "digest": run.oracle.digest, "settings": asdict(run.settings),
    }  # fmt: skip
    before = run.rows()
    missing = [seed for seed in seeds if seed not in before]
    for row in before.values():
        agree = decides | (code if missing else {})
        # a setting that is younger than the row has its default there
        found_row = row | {"settings": asdict(Settings()) | row["settings"]}
        if unequal := [name for name, value in agree.items() if found_row[name] != value]:
            raise UserError(f"{run.path} was made with another {unequal[0]}: choose another folder with --out")
    made_by = decides | code | {"revision": found["git_revision"]}
    if missing:
        run.out.mkdir(parents=True, exist_ok=True)
        finished(partial(run_seed, run, made_by, thresholds(run.oracle)), missing, "seed", concurrent)
    rows = run.rows() if missing else before
    return [from_json({name: value for name, value in rows[seed].items() if name not in made_by}) for seed in seeds]


def settings_of(oracle: Oracle, preset: str, set_: Sequence[str], smoke: bool) -> tuple[Settings, list[str]]:
    """Return a preset with the paper's labels and t, and a word for each setting that `--set` changes."""
    base, _ = CHOSEN[preset]
    base = replace(base, labels=LABELS.get(oracle.space.name, base.labels), t=base.t or PAPER_T.get(oracle.name))
    if smoke:
        base = changed(base, {name: level for name, level in SMOKE.items() if name in names(base)})
    settings, words = held(base, set_, ())
    for sentence in settings.misfits(oracle, None).values():
        raise UserError(sentence)
    return settings, words


def generation_options(default: str) -> Callable[[Any], Any]:
    """Return the options that Table 4 and the figures share."""

    def options(command: Any) -> Any:
        for option in (
            click.option("--benchmark", "name", default=default, show_default=True, help="see `nadlab benchmarks`"),
            protocol_option(),
            click.option("--preset", type=click.Choice(PRESETS), default="default", show_default=True),
            SET,
            click.option("--seeds", default="20", show_default=True, help="a count, a range (0-9) or a list (1,4,7)"),
            click.option("--concurrent", type=click.IntRange(1), help="seeds in parallel  [default: all cores]"),
            click.option("--smoke", is_flag=True, help="run for seconds with small settings, in its own folder"),
            click.option(
                "--out",
                type=click.Path(path_type=Path),
                help="output folder  [default: runs/generated/BENCHMARK-PRESET]",
            ),
        )[::-1]:
            command = option(command)
        return command

    return options


def generated(
    name: str,
    protocol: str,
    preset: str,
    set_: Sequence[str],
    seeds: str,
    concurrent: int | None,
    smoke: bool,
    out: Path | None,
) -> tuple[Run, list[Generated]]:
    """Return the run that the options name, and its rows."""
    settings, words = settings_of(benchmark(name, protocol), preset, set_, smoke)
    parts = [name.replace("/", "-"), preset, *([protocol] if protocol != "paper" else []), *words]
    folder = out or Path("runs/generated") / "-".join([*parts, *(["smoke"] if smoke else [])])
    run = Run(name, protocol, settings, folder)
    chosen = parse_seeds(seeds)
    return run, seeds_of(run, chosen[:SMOKE_SEEDS] if smoke else chosen, concurrent)


def mean_text(values: Sequence[float | None], scale: float = 1.0, places: int = 2) -> str:
    """Return the mean over seeds with its 95 % interval, and how many seeds have a value where some have none."""
    known = [value * scale for value in values if value is not None]
    if not known:
        return f"none of {len(values)} seeds"
    found = mean_interval(np.array(known), np.random.default_rng(0))
    few = "" if len(known) == len(values) else f", n = {len(known)} of {len(values)}"
    return f"{found.mean:.{places}f} ({ends(found, '', places)}{few})"


def table(oracle: Oracle, rows: Sequence[Generated]) -> list[dict[str, str]]:
    """Return Table 4 with intervals over seeds: a row a share."""
    limits, unit = thresholds(oracle), metric_of(oracle).unit
    base = shares_above(oracle, benchmark_cells(oracle), limits)
    lines = [
        line("valid draws, %", generated=mean_text([row.valid / row.draws for row in rows], 100), paper=f"{PAPER_VALID:.2%}"),
        line("classes among them", generated=mean_text([row.classes for row in rows], places=0)),
        line("new classes", generated=mean_text([row.new for row in rows], places=0)),
        line("held by the benchmark", generated=mean_text([row.held for row in rows], places=0)),
    ]  # fmt: skip
    for kind, what in (("above", "new classes"), ("draws_above", "all draws (with duplicates and labelled cells)")):
        for split, own in limits.items():
            for place, limit in enumerate(own):
                shares = [above[place] if (above := getattr(row, kind)[split]) else None for row in rows]
                here = (base[split] or [])[place]
                theirs, paper = PAPER_BENCHMARK[split][place], PAPER_ABOVE[split][place]
                lines.append(
                    line(
                        f"{WORDS[split]} > {f'{limit:.4g} {unit}'.rstrip()}: {what}, %",
                        f"{100 * here:.2f}",
                        mean_text(shares, 100),
                        mean_text(shares, 1 / here) if here else "",
                        f"{paper:.2%}, {paper / theirs:.2f} times {theirs:.2%}",
                    )
                )
    return lines


def line(what: str, benchmark: str = "", generated: str = "", ratio: str = "", paper: str = "") -> dict[str, str]:
    heads = ("", "benchmark", "generated, mean (95 %)", "times the benchmark", "paper")
    return dict(zip(heads, (what, benchmark, generated, ratio, paper), strict=True))


def note(run: Run, rows: Sequence[Generated]) -> str:
    """Return what a page says of its seeds."""
    revisions = sorted({row["revision"] for row in run.rows().values()})
    seconds = np.median([row.cpu_seconds for row in rows])
    return (
        f"{run.name}, {len(rows)} seeds ({min(row.seed for row in rows)} to {max(row.seed for row in rows)}), {run.settings.labels} labels, "
        f"{rows[0].draws:,} draws under rank 0 a seed; means over seeds with 95 % bootstrap intervals. Revision {', '.join(revisions)}, "
        f"{seconds:.0f} CPU seconds a seed; settings in seeds.jsonl."
    )


@click.command(help=__doc__)
@generation_options("nasbench101")
def command(**given: Any) -> None:
    run, rows = generated(**given)
    found = table(run.oracle, rows)
    print_table(f"Table 4 on {run.name}", found)
    text = [note(run, rows), "", *markdown_table(list(found[0]), [list(each.values()) for each in found]), ""]
    (run.out / "table4.md").write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run_command(command))
