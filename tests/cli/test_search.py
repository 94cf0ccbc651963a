"""`nadlab search` keeps its searches: the same command runs what is missing alone, and leaves tables and curves."""

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from nadlab.cli.command_line import run_command
from nadlab.cli.main import nadlab
from tests.conftest import TOY

pytestmark = pytest.mark.usefixtures("data", "own_folder")
ASKED = ["search", "--benchmark", TOY, "--queries", "20", "--concurrent", "1"]
KEPT = Path("runs/search/nasbench201-toy")


def searched(*more: str) -> str:
    done = CliRunner().invoke(nadlab, [*ASKED, *more], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def kept() -> dict[Path, int]:
    """Return each kept search and when it was written."""
    return {path: path.stat().st_mtime_ns for path in (KEPT / "searches").iterdir()}


def test_more_methods_and_seeds_run_only_what_is_missing() -> None:
    searched("--method", "random-search", "--seeds", "2")
    before = kept()
    shown = searched("--method", "local-search,random-search", "--seeds", "3", "--json")
    after = kept()
    assert len(after) == 6
    assert before.items() <= after.items()
    rows = [json.loads(line) for line in shown.splitlines()]
    assert [(row["method"], row["seed"]) for row in rows] == [
        (method, seed) for method in ("local-search", "random-search") for seed in range(3)
    ]


def test_a_search_that_is_lost_is_run_again_and_ends_as_before() -> None:
    asked = ("--method", "local-search", "--seeds", "3", "--json")
    first = searched(*asked).splitlines()
    sorted(kept())[1].unlink()
    again = searched(*asked).splitlines()
    assert [json.loads(line) | {"seconds": 0} for line in again] == [
        json.loads(line) | {"seconds": 0} for line in first
    ]


@pytest.mark.parametrize(
    "other",
    [
        ("--set", "local-search.starts=2"),
        ("--queries", "21"),
        ("--protocol", "validation"),
    ],
)
def test_a_search_by_other_settings_is_another_one(other: tuple[str, ...]) -> None:
    searched("--method", "local-search", "--seeds", "1", "--out", "one")
    searched("--method", "local-search", "--seeds", "1", "--out", "one", *other)
    assert len(list(Path("one/searches").iterdir())) == 2


def test_tables_and_curves_hold_every_search_and_query() -> None:
    said = searched("--method", "local-search,random-search", "--seeds", "3")
    assert "Stored in runs/search/nasbench201-toy" in said
    searches, queries = pd.read_csv(KEPT / "searches.csv"), pd.read_csv(KEPT / "queries.csv")
    assert len(searches) == 6
    assert len(queries) == 6 * 20
    best = queries.loc[queries.groupby(["method", "seed"])["test"].idxmax(), "test"]
    assert sorted(best) == pytest.approx(sorted(searches["best_test"]))
    assert (KEPT / "anytime.png").stat().st_size > 5000


def test_a_damaged_file_and_a_folder_that_cannot_be_written_are_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    searched("--method", "random-search", "--seeds", "1")
    (path,) = kept()
    for text in ("", "{}", "[1]", path.read_text()[:-9], path.read_text().replace('"number"', '"row"')):
        path.write_text(text)
        assert run_command(nadlab, [*ASKED, "--method", "random-search", "--seeds", "1"]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert line.startswith(f"error: {path.absolute().relative_to(Path.cwd())} can't be read")
        assert line.endswith("delete it, and its search is run again")
    Path("file").touch()
    assert run_command(nadlab, [*ASKED, "--out", "file"]) == 2
    assert "file can't be written" in capsys.readouterr().err


def test_several_objectives_are_kept_with_their_fronts() -> None:
    asked = ["search", "--benchmark", "nas-bench-graph/cora", "--queries", "12", "--seeds", "2", "--concurrent", "1"]
    asked += ["--method", "random-search", "--objectives", "accuracy,latency", "--json"]
    first, again = (CliRunner().invoke(nadlab, asked, catch_exceptions=False).stdout for _ in range(2))
    assert first == again
    assert len(json.loads(first.splitlines()[0])["hypervolume"]) == 12
