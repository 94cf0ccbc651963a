"""Kill a study at random moments until it is done, again and again, and compare it with an uninterrupted one.

SIGKILL goes to the study's driver, a Ray worker, the Ray node or the MLflow server (`nadlab mlflow`); what was killed is
started again by the same command. A round is one study in a fresh folder; rounds are added until there were `--kills`:
in turn of single trials, of packs of two, and of a study that gets one more level at its second start. Every kill is written at once, and a campaign that was stopped goes on with its next round by the same command.

python perf/faults/faults.py --kills 100 --seed 0
"""

import csv
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
import numpy as np
from tqdm import tqdm

from nadlab.cli.command_line import run_command
from nadlab.errors import UserError
from nadlab.tracking.store import default_store
from perf.faults.comparison import StudyLeft, Verdict, left_by, verdict
from perf.faults.fault_campaign import Kill, Scenario, StudyUnderFire
from perf.faults.victim_processes import VICTIMS, kill_driver
from perf.measuring import machine
from perf.processes import started

COMMAND = ("studies/ablate_alpha.py", "--smoke", "--seeds", "2", "--set", "epochs=40", "--concurrent", "2", "--vary")
WHOLE, FEWER = (*COMMAND, "alpha=0.1,0.5,0.9"), (*COMMAND, "alpha=0.1,0.5")
PACKED = (*WHOLE, "--pack", "2")
SCENARIOS = {"single": Scenario(WHOLE, WHOLE), "packed": Scenario(PACKED, PACKED), "grown": Scenario(FEWER, WHOLE)}
KILLS = ["round", *(each.name for each in fields(Kill))]
FAULTS = ("lost", "doubled", "differing", "incomplete")
ROUNDS = ["round", "scenario", "kills", "starts", "seconds", *(each.name for each in fields(Verdict))]


def uninterrupted(study: tuple[str, ...], work: Path, variables: Mapping[str, str] = MappingProxyType({})) -> StudyLeft:
    """Run a study without a kill and return what it leaves; raise UserError when it fails twice."""
    for attempt in ("first", "second"):  # on a busy machine Ray gives up its own start
        out = work / attempt
        driver = started((*study, "--out", str(out)), work, {"RAY_TMPDIR": str(work), **variables})
        try:
            if not driver.wait():
                return left_by(out, default_store(out)[0])
        finally:
            kill_driver(driver)
    raise UserError(f"the study failed without a kill: see {work / 'log.txt'}")


def judged(fire: StudyUnderFire, whole: StudyLeft) -> Verdict:
    """Compare a study that is done with an uninterrupted one."""
    if not fire.server.process:
        fire.server.start()
    fire.server.wait()
    return verdict(left_by(fire.out, fire.server.address), whole)


def rows_of(file: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV file, none where it is missing; raise UserError when it has other columns."""
    if not file.exists():
        return []
    with file.open(encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        rows = list(reader)
    if reader.fieldnames != list(columns):
        raise UserError(f"{file} is not a record of a campaign: choose another folder with --results")
    return rows


def add(file: Path, columns: Sequence[str], row: Sequence[Any]) -> None:
    """Append a row to a CSV file."""
    fresh = not file.exists()
    with file.open("a", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        if fresh:
            writer.writerow(columns)
        writer.writerow([round(value, 2) if isinstance(value, float) else value for value in row])


def summary(kills: list[dict[str, str]], rounds: list[dict[str, str]], seed: int) -> str:
    """Return the campaign in words; kills of rounds that were not finished are left out."""
    over = {row["round"] for row in rounds}
    victims = Counter(row["victim"] for row in kills if row["round"] in over)
    total = {name: sum(int(row[name]) for row in rounds) for name in ("trials", "starts", *FAULTS)}
    scenarios = Counter(row["scenario"] for row in rounds)
    return "\n".join(
        [
            f"machine: {machine()}",
            f"study: python {' '.join(WHOLE)}; seed of the campaign: {seed}",
            "rounds: " + ", ".join(f"{scenarios[name]} {name}" for name in SCENARIOS),
            f"kills: {victims.total()} in {len(rounds)} rounds: "
            + ", ".join(f"{victims[victim]} of the {victim}" for victim in VICTIMS),
            f"starts of the driver: {total['starts']}",
            ", ".join(f"{name}: {total[name]}" for name in ("trials", *FAULTS)),
        ]
    )  # fmt: skip


@click.command(help=__doc__)
@click.option("--kills", "wanted", default=100, show_default=True, type=click.IntRange(1), help="at least so many")
@click.option("--seed", default=0, show_default=True, help="decides victims and pauses")
@click.option("--pace", type=float, help="longest pause between two kills, seconds  [default: an uninterrupted study]")
@click.option("--results", type=click.Path(path_type=Path), default=Path("results/faults"), show_default=True)
def command(wanted: int, seed: int, pace: float | None, results: Path) -> int:
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that nothing is left running
    results.mkdir(parents=True, exist_ok=True)
    kills_file, rounds_file = results / "kills.csv", results / "rounds.csv"
    kills, rounds = rows_of(kills_file, KILLS), rows_of(rounds_file, ROUNDS)
    over = {row["round"] for row in rounds}
    if any(row["round"] not in over for row in kills):  # of a round that is made again
        kills_file.unlink()
        for row in (kills := [row for row in kills if row["round"] in over]):
            add(kills_file, KILLS, list(row.values()))
    work = Path(tempfile.mkdtemp(prefix="faults-"))
    began = time.monotonic()
    single = uninterrupted(WHOLE, work / "single")
    pace = pace or time.monotonic() - began
    whole = {"single": single, "grown": single, "packed": uninterrupted(PACKED, work / "packed")}
    with tqdm(total=wanted, initial=len(kills), unit="kill", disable=None) as progress:
        while len(kills) < wanted:
            number = len(rounds) + 1
            name = list(SCENARIOS)[(number - 1) % len(SCENARIOS)]
            fire = StudyUnderFire(SCENARIOS[name], work / str(number), np.random.default_rng((seed, number)), pace)
            began = time.monotonic()
            try:
                for kill in fire.kills():
                    add(kills_file, KILLS, (number, *astuple(kill)))
                    progress.update()
                found = judged(fire, whole[name])
            finally:
                fire.server.kill()
            kills = rows_of(kills_file, KILLS)
            count = sum(row["round"] == str(number) for row in kills)
            add(rounds_file, ROUNDS, (number, name, count, fire.starts, time.monotonic() - began, *astuple(found)))
            rounds = rows_of(rounds_file, ROUNDS)
            if found.clean:
                shutil.rmtree(fire.work)
            else:
                click.echo(f"error: round {number}: {found}; its folder is kept: {fire.work}", err=True)
            (results / "summary.txt").write_text(summary(kills, rounds, seed) + "\n", encoding="utf-8")
    click.echo(summary(kills, rounds, seed))
    clean = all(row[name] == "0" for row in rounds for name in FAULTS)
    if clean:
        shutil.rmtree(work)
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(run_command(command))
