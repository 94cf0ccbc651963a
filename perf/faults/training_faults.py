"""Kill searches that train networks at random moments until they are done, and compare them with uninterrupted ones.

As `perf/faults/faults.py`, with trainings that sleep: SIGKILL goes to the driver, to a Ray worker, which runs a search or
a training, to the Ray node or to the MLflow server. Beside the records, the log of trainings is judged: none may begin
after the store has its answer.

python perf/faults/training_faults.py --kills 60 --seed 0
"""

import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import astuple, fields
from pathlib import Path

import click
import numpy as np

from nadlab.cli.command_line import run_command
from perf.faults.comparison import Verdict
from perf.faults.fault_campaign import Scenario, StudyUnderFire
from perf.faults.faults import FAULTS, KILLS, add, judged, rows_of, uninterrupted
from perf.faults.trainings import LOG, SECONDS, Trainings, trainings
from perf.faults.victim_processes import VICTIMS
from perf.measuring import machine

METHODS = "random-search,regularized-evolution,local-search"
COMMAND = (
    "studies/label_efficiency.py", "--benchmark", "perf.faults.trainings:sleeping", "--vary", f"method={METHODS}",
    "--vary", "queries=24", "--seeds", "2", "--concurrent", "2", "--retries", "20",
)  # fmt: skip
VARIABLES = {SECONDS: "1", "OMP_NUM_THREADS": "1"}
ROUNDS = ["round", "kills", "starts", "seconds", *(each.name for kind in (Verdict, Trainings) for each in fields(kind))]
WRONG = (*FAULTS, "again", "missing")


def summary(kills: list[dict[str, str]], rounds: list[dict[str, str]], seed: int) -> str:
    """Return the campaign in words."""
    victims = Counter(row["victim"] for row in kills)
    total = {name: sum(int(row[name]) for row in rounds) for name in ROUNDS[4:]}
    return "\n".join(
        [
            f"machine: {machine()}",
            f"study: python {' '.join(COMMAND)}; seed of the campaign: {seed}",
            f"kills: {victims.total()} in {len(rounds)} rounds: {', '.join(f'{victims[each]} of the {each}' for each in VICTIMS)}",
            ", ".join(f"{name}: {total[name]}" for name in ("trials", *FAULTS)),
            f"trainings: {total['cells']} cells queried, {total['missing']} of them not in the store; {total['begun']} begun, "
            f"{total['begun'] - total['cells']} of them lost in flight, {total['again']} begun after the store had the answer",
        ]
    )  # fmt: skip


@click.command(help=__doc__)
@click.option("--kills", "wanted", default=60, show_default=True, type=click.IntRange(1), help="at least so many")
@click.option("--seed", default=0, show_default=True, help="decides victims and pauses")
@click.option(
    "--pace", type=float, help="longest pause between two kills, seconds  [default: half an uninterrupted study]"
)
@click.option("--results", type=click.Path(path_type=Path), default=Path("results/training_faults"), show_default=True)
def command(wanted: int, seed: int, pace: float | None, results: Path) -> int:
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that nothing is left running
    results.mkdir(parents=True, exist_ok=True)
    kills_file, rounds_file = results / "kills.csv", results / "rounds.csv"
    work = Path(tempfile.mkdtemp(prefix="faults-"))
    began = time.monotonic()
    whole = uninterrupted(COMMAND, work / "whole", VARIABLES | {LOG: str(work / "whole.log")})
    pace = pace or (time.monotonic() - began) / 2
    while len(kills := rows_of(kills_file, KILLS)) < wanted:
        number = len(rows_of(rounds_file, ROUNDS)) + 1
        log = work / f"{number}.log"
        variables = VARIABLES | {LOG: str(log)}
        fire = StudyUnderFire(
            Scenario(COMMAND, COMMAND), work / str(number), np.random.default_rng((seed, number)), pace, variables
        )
        began = time.monotonic()
        try:
            rows = [(number, *astuple(kill)) for kill in fire.kills(wanted - len(kills))]
            found = judged(fire, whole)
        finally:
            fire.server.kill()
        queried = [query["key"] for record, _ in whole.on_disk.values() for query in record["ledger"]]
        trained = trainings(log, fire.out / "evaluations", queried)
        for row in rows:
            add(kills_file, KILLS, row)
        seconds = time.monotonic() - began
        add(rounds_file, ROUNDS, (number, len(rows), fire.starts, seconds, *astuple(found), *astuple(trained)))
        if found.clean and not trained.again and not trained.missing:
            shutil.rmtree(fire.work)
        else:
            click.echo(f"error: round {number}: {found}, {trained}; its folder is kept: {fire.work}", err=True)
    rounds = rows_of(rounds_file, ROUNDS)
    said = summary(kills, rounds, seed)
    (results / "summary.txt").write_text(said + "\n", encoding="utf-8")
    click.echo(said)
    return 0 if all(row[name] == "0" for row in rounds for name in WRONG) else 1


if __name__ == "__main__":
    sys.exit(run_command(command))
