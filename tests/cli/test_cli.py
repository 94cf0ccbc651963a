"""The command `nadlab`: lists benchmarks, searches, and answers bad input with one sentence and status 2."""

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner

from nadlab.benchmarks.oracle import optimum_of
from nadlab.benchmarks.registry import benchmark
from nadlab.cli.command_line import run_command
from nadlab.cli.main import nadlab


def lines(*arguments: str) -> list[dict[str, object]]:
    done = CliRunner().invoke(nadlab, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_help_needs_no_heavy_import() -> None:
    code = "import sys, nadlab.cli.main; print([m for m in ('torch', 'ray', 'mlflow', 'pandas', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_benchmarks_are_listed_with_their_size_digest_and_source(data: Path) -> None:
    rows = {row["name"]: row for row in lines("benchmarks", "--json")}
    own = {name for name in rows if not str(name).startswith(("nas-bench-graph/", "analog-nasbench/"))}
    assert own == {"mnist1d-101", "mnist1d-201", "mnist1d-darts", "nasbench201/toy", "nasbench101"}
    toy = rows["nasbench201/toy"]
    assert toy["cells"] == 15_625
    assert isinstance(toy["queryable"], int)
    assert 300 <= toy["queryable"] < 15_625
    assert len(str(toy["digest"])) == 64
    assert toy["source"] == str(data / "nasbench201.csv")
    assert (toy["space"], toy["data_set"], toy["kind"]) == ("nasbench201", "toy", "stored")
    assert toy["optimum"] == optimum_of(benchmark("nasbench201/toy"))
    assert {name: row["protocols"] for name, row in rows.items() if str(name).startswith("mnist1d")} == {
        "mnist1d-101": ["paper", "naslib"],
        "mnist1d-201": ["paper", "validation", "naslib"],
        "mnist1d-darts": ["paper", "naslib"],
    }
    assert rows["mnist1d-101"]["kind"] == "predicted"


@pytest.mark.usefixtures("data", "own_folder")
def test_benchmarks_and_search_print_tables() -> None:
    for arguments in (
        ["benchmarks"],
        [
            "search",
            "--method",
            "random-search",
            "--benchmark",
            "nasbench201/toy",
            "--queries",
            "5",
            "--concurrent",
            "1",
        ],
    ):
        done = CliRunner().invoke(nadlab, arguments, catch_exceptions=False)
        assert done.exit_code == 0
        assert "nasbench201/toy" in done.output


def test_command_alone_prints_its_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(nadlab, []) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("Usage: ")
    assert "\n  search " in shown


@pytest.mark.usefixtures("own_folder")
def test_tracking_store_that_is_only_read_is_not_made(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(nadlab, ["reproduce", "0" * 32, "--tracking-uri", "sqlite:///nothing/mlflow.db"]) == 2
    assert "there is no tracking store nothing/mlflow.db: check --tracking-uri" in capsys.readouterr().err
    assert not Path("nothing").exists()


@pytest.mark.usefixtures("data", "own_folder")
def test_tables_that_go_to_a_file_break_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    methods = "random-search,regularized-evolution"
    asked = ["search", "--method", methods, "--benchmark", "nasbench201/toy", "--queries", "12", "--seeds", "2"]
    done = CliRunner().invoke(nadlab, [*asked, "--concurrent", "1"], catch_exceptions=False)
    assert done.output.count("regularized-evolution") == 3
    assert "95 % interval" in done.output


@pytest.mark.usefixtures("data", "own_folder")
def test_search_gives_one_json_line_a_seed_and_the_same_again() -> None:
    arguments = [
        "search",
        "--method",
        "random-search",
        "--benchmark",
        "nasbench201/toy",
        "--queries",
        "20",
        "--seeds",
        "0-2",
        "--concurrent",
        "1",
        "--json",
    ]
    first, again = (lines(*arguments, "--out", out) for out in ("first", "again"))
    assert [list(row) for row in first] == [
        ["method", "benchmark", "protocol", "seed", "queries", "best_valid", "best_test", "regret", "seconds"]
    ] * 3
    assert [row["seed"] for row in first] == [0, 1, 2]
    assert {row["queries"] for row in first} == {20}
    assert [row | {"seconds": 0} for row in first] == [row | {"seconds": 0} for row in again]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search", "--method", "guess"], "unknown method 'guess'"),
        (["search", "--benchmark", "nope"], "unknown benchmark 'nope'"),
        (["search", "--method", "random-search", "--benchmark", "nasbench201/toy", "--queries", "301"], "301 queries"),
        (["search", "--seeds", "x"], "names no seeds"),
        (["search", "--queries", "many"], "'many' is not a valid integer"),
        (["find"], "No such command 'find'"),
    ],
)
@pytest.mark.usefixtures("data", "own_folder")
def test_bad_input_is_one_sentence_and_status_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(nadlab, arguments) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("error: ")
    assert words in said[0]


def test_json_is_alone_on_standard_output_whatever_else_prints() -> None:
    code = """
        import subprocess, sys
        import click
        from nadlab.cli.command_line import echo_json, json_option, run_command

        @click.command()
        @json_option("one object")
        def command(as_json):
            print("of this process")
            subprocess.run(["echo", "of a child"])
            if as_json:
                echo_json({"a": 1})

        run_command(command, ["--json"])
        print("after")
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", dedent(code)], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == '{"a": 1}\nafter\n'
    assert sorted(done.stderr.splitlines()) == ["of a child", "of this process"]
