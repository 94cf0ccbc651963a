"""`nadlab search` keeps its searches: the same command runs what is missing alone, and leaves tables and curves."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
from click.testing import CliRunner

from nadlab.cli.command_line import run_command
from nadlab.cli.main import nadlab
from tests.conftest import TOY

pytestmark = pytest.mark.usefixtures("data", "own_folder")
ASKED = ["search", "--benchmark", TOY, "--queries", "20", "--concurrent", "1"]
KEPT = Path("runs/search/nasbench201-toy")
ROOT = Path(__file__).parents[2]
SLOWLY = """
import time

from nadlab.methods.registry import SEARCHERS


def slow(ledger, rng):
    if rng.bit_generator.seed_seq.entropy == 0:
        time.sleep(1000)
    SEARCHERS["random-search"](ledger, rng)
"""


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


def test_a_setting_that_the_others_leave_without_effect_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    asked = [*ASKED, "--method", "semigan-nad", "--set", "semigan-nad.local_queries=4"]
    assert run_command(nadlab, asked) == 2
    assert "semigan-nad.local_queries changes nothing: " in capsys.readouterr().err


def test_an_empty_constraint_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(nadlab, [*ASKED, "--method", "random-search", "--at-most", ""]) == 2
    assert "at_most is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--address", "10.0.0.1:6379"),
        ("--retries", "0"),
        ("--evaluation-timeout", "60"),
        ("--cpus-per-evaluation", "2"),
        ("--gpus-per-evaluation", "1"),
    ],
)
def test_an_option_of_trainings_is_refused_where_nothing_trains(
    capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    assert run_command(nadlab, [*ASKED, "--method", "random-search", option, value]) == 2
    assert f"{option} is for benchmarks that train" in capsys.readouterr().err


def test_a_changed_benchmark_of_one_s_own_is_searched_again() -> None:
    code = """
from dataclasses import replace

from nadlab.benchmarks.registry import benchmark


def toy(name):
    return replace(benchmark("nasbench201/toy"), name=name)


VERSION = 1
"""
    for changed in (code, f"# a comment{code}", code.replace("VERSION = 1", "VERSION = 2")):
        Path("own_toy.py").write_text(changed)
        script = "from nadlab.cli.main import main; main()"
        asked = ["search", "--benchmark", "own_toy:toy", "--method", "random-search", "--queries", "5", "--seeds", "1"]
        environment = os.environ | {"PYTHONPATH": f"{ROOT / 'platform'}"}
        subprocess.run([sys.executable, "-c", script, *asked], check=True, env=environment, stdout=subprocess.DEVNULL)
    assert len(list(Path("runs/search/own_toy-toy/searches").iterdir())) == 2


def test_changed_settings_of_a_method_stand_beside_it() -> None:
    asked = ("--method", "local-search,regularized-evolution", "--seeds", "1")
    searched(*asked, "--set", "regularized-evolution.tournament=7")
    rows = pd.read_csv(KEPT / "searches.csv", keep_default_na=False)
    assert dict(zip(rows["method"], rows["settings"], strict=True)) == {
        "local-search": "",
        "regularized-evolution": "tournament = 7",
    }


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
    whole = path.read_text()
    edits = (
        ('"number"', '"row"'),
        ('"seed": 0', '"seed": 7'),
        ('"random-search"', '"bananas"'),
        ('"valid": ', '"valid": 1'),
    )
    for text in ("", "{}", "[1]", whole[:-9], *(whole.replace(*edit, 1) for edit in edits)):
        path.write_text(text)
        assert run_command(nadlab, [*ASKED, "--method", "random-search", "--seeds", "1"]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert line.startswith(f"error: {path.absolute().relative_to(Path.cwd())} can't be read")
        assert line.endswith("delete it, and its search is run again")
    Path("file").touch()
    assert run_command(nadlab, [*ASKED, "--out", "file"]) == 2
    assert "can't be written (Not a directory): choose another folder with --out" in capsys.readouterr().err


def test_a_search_that_ends_is_kept_while_one_that_began_before_it_goes_on() -> None:
    Path("slowly.py").write_text(SLOWLY)
    words = [*ASKED[:-1], "2", "--method", "slowly:slow", "--seeds", "0-3", "--queries", "5", "--out", "out"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "platform"), str(ROOT), str(Path.cwd())])}
    code = "from nadlab.cli.main import main; main()"
    process = subprocess.Popen([sys.executable, "-c", code, *words], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while len(list(Path("out").glob("searches/*.json"))) < 3:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        workers = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.kill()
        process.communicate()
    assert len(workers) >= 2
    assert not psutil.wait_procs(workers, timeout=20)[1]  # a killed command leaves no process


def test_the_same_budget_in_other_words_is_the_same_search_and_a_method_is_named_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    searched("--method", "random-search", "--seeds", "1", "--queries", "7")
    before = kept()
    asked = ["search", "--benchmark", TOY, "--method", "random-search", "--seeds", "1", "--concurrent", "1"]
    assert run_command(nadlab, [*asked, "--budget", "7q"]) == 0
    assert kept() == before
    assert run_command(nadlab, [*ASKED, "--method", "random-search,random-search"]) == 2
    assert "--method names random-search twice: write it once" in capsys.readouterr().err
    assert run_command(nadlab, [*ASKED, "--method", "random-search,,bananas"]) == 2
    assert "--method must list names separated by ','" in capsys.readouterr().err


def test_several_objectives_are_kept_with_their_fronts() -> None:
    asked = ["search", "--benchmark", "nas-bench-graph/cora", "--queries", "12", "--seeds", "2", "--concurrent", "1"]
    asked += ["--method", "random-search", "--objectives", "accuracy,latency", "--json"]
    first, again = (CliRunner().invoke(nadlab, asked, catch_exceptions=False).stdout for _ in range(2))
    assert first == again
    rows = [json.loads(line) for line in first.splitlines()]
    assert len(rows[0]["hypervolume"]) == 12
    CliRunner().invoke(nadlab, asked[:-1], catch_exceptions=False)
    written = pd.read_csv("runs/search/nas-bench-graph-cora/fronts.csv")
    assert len(written) == sum(len(row["front"]) for row in rows)
    assert [*written.columns] == ["method", "seed", "cell", "accuracy", "latency"]
