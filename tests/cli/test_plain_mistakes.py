"""Plain mistakes end in one sentence and status 2: every option of every command is given what nobody means."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest

from nadlab.analysis.page import PAGE
from nadlab.cli.command_line import run_command
from nadlab.cli.main import nadlab
from nadlab.cli.options import LARGEST_SEED, MOST_SEEDS, parse_seeds
from nadlab.cli.study import command
from nadlab.cli.tuning import tuning_command
from nadlab.errors import UserError
from nadlab.tracking.store import made_store
from studies.ablate_alpha import STUDY
from studies.tune_semigan import TUNING
from tests.conftest import TOY, Done

ROOT = Path(__file__).parents[2]
HUGE = "9" * 30
VALUES = [
    "",
    " ",
    "-1",
    "0",
    HUGE,
    f"-{HUGE}",
    "nan",
    "inf",
    "1e999",
    "\u2603",
    "x" * 260,
    "/dev/null",
    "/",
    "a\nb",
    "[red]",
    "{}",
]
QUICK_SEARCH = [
    "search",
    "--method",
    "random-search",
    "--benchmark",
    TOY,
    "--queries",
    "2",
    "--seeds",
    "1",
    "--concurrent",
    "1",
]
QUICK = {
    "search": QUICK_SEARCH[1:],
    "reproduce": ["--tracking-uri", "sqlite:////nowhere/else.db", "0123456789abcdef0123456789abcdef"],
    "ablate_alpha": ["--dry-run", "--smoke", "--benchmark", TOY, "--seeds", "1", "--set", "epochs=1"],
    "tune_semigan": ["--dry-run", "--smoke", "--benchmark", TOY, "--seeds", "1", "--set", "epochs=1", "--fresh", "0"],
    "convert": ["/nowhere/file.tar"],
    "report": ["nowhere"],
    "show": ["nowhere"],
    "fetch": ["nowhere"],
}
"""arguments under which a command takes no time"""


def commands(found: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, found
    if isinstance(found, click.Group):
        for name, each in found.commands.items():
            yield from commands(each, (*path, name))


ALL = [
    *((nadlab, path, each) for path, each in commands(nadlab) if path and path[-1] != "mlflow"),
    (command(STUDY), (), command(STUDY)),
    (tuning_command(TUNING), (), tuning_command(TUNING)),
]
CASES = [
    (root, path, option, name)
    for root, path, each in ALL
    for option in each.params
    for name in [f"{(path or (each.name,))[-1]}-{option.name}"]
    if isinstance(option, click.Argument) or not option.is_flag  # type: ignore[attr-defined]
]


@pytest.mark.parametrize(("root", "path", "option"), [case[:3] for case in CASES], ids=[case[3] for case in CASES])
@pytest.mark.usefixtures("data")
def test_value_that_nobody_means_is_one_sentence_or_taken(
    root: click.Command,
    path: tuple[str, ...],
    option: click.Parameter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    quick = QUICK.get(path[-1] if path else str(root.name), [])
    for value in VALUES:
        if value == "/" and option.name == "out" and os.geteuid() == 0:
            continue  # root writes there
        given = [value] if isinstance(option, click.Argument) else [*quick, f"{option.opts[-1]}={value}"]
        status = run_command(root, [*path, *(["--"] if isinstance(option, click.Argument) else []), *given])
        said = capfd.readouterr().err.strip().splitlines()
        assert status in (0, 2), (value, status)
        if status == 2:
            assert [line for line in said if line.startswith("error: ")] == said[-1:], (value, said)


@pytest.mark.parametrize(
    "text", ["99999999999", "0-99999999999", str(LARGEST_SEED + 1), str(MOST_SEEDS + 1), "9" * 5000]
)
def test_seeds_that_no_generator_takes_or_no_machine_counts_are_one_sentence(text: str) -> None:
    with pytest.raises(UserError) as error:
        parse_seeds(text)
    assert len(str(error.value)) < 250


def test_seeds_may_be_as_many_and_as_large_as_is_said() -> None:
    assert len(parse_seeds(str(MOST_SEEDS))) == MOST_SEEDS
    assert parse_seeds(f"{LARGEST_SEED},") == (LARGEST_SEED,)


NO_VARIABLES: Mapping[str, str] = {}
NARROW = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
WITHOUT_RIGHTS = (
    ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all") if os.geteuid() == 0 and shutil.which("setpriv") else ()
)
"""root writes everywhere"""
needs_user = pytest.mark.skipif(os.geteuid() == 0 and not WITHOUT_RIGHTS, reason="root writes everywhere")


def ran(
    *arguments: str, output: int = subprocess.PIPE, variables: Mapping[str, str] = NO_VARIABLES
) -> tuple[int, str, str]:
    """Run `nadlab` as a process; return its status, its output and its words on stderr."""
    code = "from nadlab.cli.main import main; main()"
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}"} | dict(variables)
    done = subprocess.run(
        [*WITHOUT_RIGHTS, sys.executable, "-c", code, *arguments],
        stdout=output, stderr=subprocess.PIPE, env=environment, encoding="utf-8", check=False,
    )  # fmt: skip
    return done.returncode, done.stdout or "", done.stderr


@pytest.mark.usefixtures("data", "own_folder")
def test_locale_without_the_letters_of_a_table_or_a_help_is_enough() -> None:
    status, said, wrong = ran(*QUICK_SEARCH, variables=NARROW)
    assert (status, wrong) == (0, "")
    assert said.isascii()
    status, said, wrong = ran("--help", variables=NARROW)
    assert (status, wrong) == (0, "")


@needs_user
@pytest.mark.slow
def test_report_in_a_locale_of_ascii_is_the_same_and_one_of_a_read_only_study_goes_elsewhere(
    smoke_study: Done, tmp_path: Path
) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "else" / "where"
    shutil.copytree(smoke_study.out, out)
    for path in (out, *out.rglob("*")):
        path.chmod(path.stat().st_mode & 0o555)
    status, _, wrong = ran("report", str(out))
    assert (status, wrong.count("error: "), "Traceback" in wrong) == (2, 1, False)
    assert wrong.splitlines()[-1].startswith(f"error: {out}/report.md: Permission denied: choose a folder")
    assert ran("report", str(out), "--out", str(elsewhere), variables=NARROW)[0] == 0
    assert not (elsewhere / PAGE).read_text(encoding="utf-8").isascii()
    for path in (out, *out.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)


@pytest.mark.usefixtures("data", "own_folder")
def test_reader_that_has_enough_and_a_full_disk_end_a_command_without_a_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    assert ran(*QUICK_SEARCH, "--json", output=writing)[::2] == (1, "")
    os.close(writing)
    with Path("/dev/full").open("wb") as full:
        status, _, wrong = ran(*QUICK_SEARCH, output=full.fileno())
    assert (status, wrong) == (2, "error: No space left on device: make room, or choose a folder on another disk\n")


def test_store_whose_path_is_too_long_for_sqlite_is_one_sentence(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["x" * 100] * 5)
    deep.mkdir(parents=True)
    with pytest.raises(UserError, match=r"SQLite can't use .*: choose another folder with --out"):
        made_store(deep)
