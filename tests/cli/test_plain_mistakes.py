"""Plain mistakes end in one sentence and status 2: every option of every command is given what nobody means."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from nadlab.cli.command_line import run_command
from nadlab.cli.main import nadlab
from nadlab.cli.options import LARGEST_SEED, MOST_SEEDS, parse_seeds
from nadlab.cli.study import command
from nadlab.cli.tuning import tuning_command
from nadlab.errors import UserError
from studies.ablate_alpha import STUDY
from studies.tune_semigan import TUNING
from tests.conftest import TOY

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
QUICK = {
    "search": ["--method", "random-search", "--benchmark", TOY, "--queries", "2", "--seeds", "1", "--concurrent", "1"],
    "reproduce": ["--tracking-uri", "sqlite:////nowhere/else.db", "0123456789abcdef0123456789abcdef"],
    "ablate_alpha": ["--dry-run", "--smoke", "--benchmark", TOY, "--seeds", "1", "--epochs", "1"],
    "tune_semigan": ["--dry-run", "--smoke", "--benchmark", TOY, "--seeds", "1", "--epochs", "1", "--fresh", "0"],
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
