"""The leaderboard: what a stop leaves is not searched again, and what is missing is said."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from nadlab.benchmarks.oracle import accuracy, optimum_of
from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.provenance.code import own_code_of
from studies.leaderboard import command, exhaustive, random_alone
from tests.oracles import own_module


def leaderboard(out: Path, *arguments: str) -> str:
    shared = ["--benchmarks", "mnist1d-201,mnist1d-101", "--queries", "12", "--concurrent", "1", "--out", str(out)]
    return CliRunner().invoke(command, [*shared, *arguments], catch_exceptions=False).stdout


def test_same_command_goes_on_and_says_what_is_missing(tmp_path: Path) -> None:
    cheap = "random-search,local-search,regularized-evolution"
    leaderboard(tmp_path, "--methods", cheap, "--seeds", "2")
    before = (tmp_path / "searches.csv").read_text()
    leaderboard(tmp_path, "--methods", cheap, "--seeds", "3")
    after = (tmp_path / "searches.csv").read_text()
    assert after.startswith(before)
    assert len(after.splitlines()) == 1 + 3 * 2 * 3
    leaderboard(tmp_path, "--methods", "random-forest", "--seeds", "1", "--benchmarks", "mnist1d-101")
    shown = leaderboard(tmp_path, "--methods", f"{cheap},random-forest", "--seeds", "3", "--page")
    assert "Unfinished, with fewer than 3 seeds on some benchmark: random-forest (0 to 1)." in shown
    assert "3 methods ranked by their means over 2 benchmarks" in shown
    row, behind = [line for line in shown.splitlines() if line.startswith("| random-forest")]
    assert row.split(" | ")[1:3] == ["", ""]  # no rank, and nothing on mnist1d-201
    assert "n = 1" in row
    assert "Regret minus that of random-search, paired by seed" in shown
    assert behind.split(" | ")[1] == ""  # no seed of both on mnist1d-201
    assert "p = 1.00" in behind  # one pair shows nothing
    assert (tmp_path / "critical_differences_regret_12.png").exists()
    assert (tmp_path / "README.md").read_text().strip() == shown.strip()


def test_searches_of_another_version_of_a_benchmark_are_not_mixed(tmp_path: Path) -> None:
    leaderboard(tmp_path, "--methods", "random-search", "--seeds", "1")
    noted = tmp_path / "searches.benchmarks.json"
    digest = benchmark("mnist1d-101").digest
    assert json.loads(noted.read_text())["mnist1d-101"] == digest
    noted.write_text(noted.read_text().replace(digest, "0" * 64))
    for arguments in (("--seeds", "2"), ("--seeds", "1", "--page")):
        with pytest.raises(UserError, match=r"another version of mnist1d-101 \(digest 000000000000, here"):
            leaderboard(tmp_path, "--methods", "random-search", *arguments)
    leaderboard(tmp_path, "--methods", "random-search", "--seeds", "2", "--benchmarks", "mnist1d-201")


def test_searches_of_two_protocols_are_not_mixed(tmp_path: Path) -> None:
    asked = ("--methods", "random-search", "--seeds", "1", "--benchmarks", "mnist1d-201")
    shown = leaderboard(tmp_path, *asked, "--protocol", "naslib")
    assert "# All methods on mnist1d-201 (protocol naslib)" in shown
    leaderboard(tmp_path, *asked, "--protocol", "naslib", "--page")
    with pytest.raises(UserError, match="holds searches by the protocol 'naslib', not 'paper': choose another folder"):
        leaderboard(tmp_path, *asked)


def test_methods_that_equal_random_search_in_every_search_are_named() -> None:
    found = {"random-search": (1.0, 2.0), "pre-nas": (1.0, 2.0), "bananas": (1.0, 1.0), "reinforce": (1.0,)}
    rows = [
        {
            "benchmark": "mnist1d-201",
            "seed": seed,
            "method": method,
            "regret": regret,
            "best_valid": 9.0,
            "best_test": None,
        }
        for method, regrets in found.items()
        for seed, regret in enumerate(regrets)
    ]
    assert random_alone(pd.DataFrame(rows)) == ["pre-nas"]
    assert random_alone(pd.DataFrame(rows[2:])) == []


def test_rows_of_other_code_of_a_method_are_not_mixed_with_new_ones_without_a_word(tmp_path: Path) -> None:
    leaderboard(tmp_path, "--methods", "random-search", "--seeds", "1")
    path = tmp_path / "searches.csv"
    rows = pd.read_csv(path, dtype={"code": str})
    rows.assign(code="0" * 16).to_csv(path, index=False)
    with pytest.raises(UserError, match="other code of random-search: delete those rows"):
        leaderboard(tmp_path, "--methods", "random-search", "--seeds", "2")
    with pytest.raises(UserError, match="other code of random-search: delete those rows"):
        leaderboard(tmp_path, "--methods", "random-search", "--seeds", "2", "--dry-run")
    shown = leaderboard(tmp_path, "--methods", "local-search", "--seeds", "1")
    assert "other code" not in shown
    shown = leaderboard(tmp_path, "--methods", "random-search", "--seeds", "2", "--anyway")
    assert "Of random-search some searches are of other code than today's." in shown
    assert len(path.read_text().splitlines()) == 1 + 3 * 2


def test_searches_of_an_edited_benchmark_of_ones_own_are_not_taken_for_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "edited_later.py"
    code = (
        "from dataclasses import replace\n"
        "from nadlab.benchmarks.registry import benchmark\n"
        "def mine(name):\n"
        "    return replace(benchmark('mnist1d-201'), name=name)\n"
    )
    module.write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    given = ["--methods", "random-search", "--benchmarks", "edited_later:mine", "--seeds", "1"]
    leaderboard(tmp_path, *given)
    leaderboard(tmp_path, *given)  # nothing changed
    module.write_text(code.replace("201", "101"))
    own_code_of.cache_clear()
    with pytest.raises(UserError, match="other code of random-search"):
        leaderboard(tmp_path, *given)


def test_whole_benchmark_leaves_the_regret_of_its_best_cell_by_the_search_split() -> None:
    oracle, found = benchmark("mnist1d-201"), exhaustive("mnist1d-201", "paper")
    assert found is not None
    answers = oracle.evaluate(oracle.pool())
    best = max(answers, key=lambda each: accuracy(each, oracle.search_split))
    assert found[0] == accuracy(best, oracle.search_split)
    assert found[1] == pytest.approx((optimum_of(oracle) or 0) - accuracy(best, oracle.report_split))
    assert exhaustive("mnist1d-darts", "paper") is None  # a surrogate


def test_bad_input_is_one_sentence_before_anything_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meadow.py").write_text(own_module("meadow", tmp_path, "return [Evaluation(50.0, None)] * len(cells)"))
    monkeypatch.syspath_prepend(str(tmp_path))
    cheap = ["--methods", "random-search", "--seeds", "1"]
    for wrong, words in {
        ("--benchmarks", "meadow:meadow"): "meadow:meadow has no known optimum",
        ("--queries", "12,12"): "--queries names 12 twice: write it once",
        ("--queries", "12,many"): "--queries must list numbers, such as 20,100, not '12,many'",
        ("--methods", "local-search,local-search"): "--methods names local-search twice: write it once",
        ("--benchmarks", "mnist1d-201,"): "--benchmarks must list names separated by ',', not 'mnist1d-201,'",
        ("--page",): "searches.csv has no search of these yet",
    }.items():
        with pytest.raises(UserError, match=words):
            leaderboard(tmp_path / "out", *cheap, *wrong)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "is damaged"), ("queries,seed\n1,2,3\n4\n5,6,7,8\n", "is damaged"), ("queries,seed\n", "has no column benchmark"), (b"\xff\xfe\x00", "is damaged")],
)  # fmt: skip
def test_damaged_file_of_searches_is_one_sentence(tmp_path: Path, text: str | bytes, words: str) -> None:
    (tmp_path / "searches.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=words):
        leaderboard(tmp_path, "--methods", "random-search", "--seeds", "1")


ROW = "12,0,mnist1d-201,random-search,95.0,94.5,0.9,0.01,00,00\n"
OTHER = ROW.replace(",0,", ",1,", 1)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (ROW + OTHER[:-1], "^[^(]* ends within line 3: delete that line"),
        (ROW + OTHER[:20], "^[^(]* ends within line 3: delete that line"),
        (ROW + "\n" + OTHER, "line 3 of .* lacks a field"),
        (ROW + "12,1,mnist1d-201\n", "line 3 of .* lacks a field: mend or delete it"),
        (ROW + OTHER.replace("0.9,", "nine,"), "line 3 of .* has text for a number"),
        (ROW + OTHER.replace("0.01", "quick"), "line 3 of .* has text for a number"),
        (ROW + OTHER.replace("12", "twelve", 1), "line 3 of .* has text for a number"),
        (
            ROW + OTHER + ROW.replace("0.9", "0.8"),
            "line 4 of .* has another result than an earlier line of the same search",
        ),
    ],
)
def test_line_that_is_no_search_is_named_and_nothing_is_added_to_the_file(
    tmp_path: Path, rows: str, words: str
) -> None:
    written = "queries,seed,benchmark,method,best_valid,best_test,regret,cpu_seconds,code,revision\n" + rows
    (tmp_path / "searches.csv").write_text(written)
    for option in ("--anyway", "--page", "--dry-run"):
        with pytest.raises(UserError, match=words):
            leaderboard(tmp_path, "--methods", "random-search", "--seeds", "3", option)
    assert (tmp_path / "searches.csv").read_text() == written


def test_search_that_two_processes_ran_counts_once(tmp_path: Path) -> None:
    given = ["--methods", "random-search", "--seeds", "2", "--benchmarks", "mnist1d-201"]
    leaderboard(tmp_path, *given)
    path = tmp_path / "searches.csv"
    path.write_text(path.read_text() + path.read_text().splitlines(keepends=True)[-1])
    assert "n = 2" not in leaderboard(tmp_path, *given)  # which is said where it is not the number of seeds
    assert len(path.read_text().splitlines()) == 4


def test_file_with_searches_of_a_benchmark_of_ones_own_goes_on_where_that_is_not_at_hand(tmp_path: Path) -> None:
    (tmp_path / "at_hand_once.py").write_text(
        "from dataclasses import replace\n"
        "from nadlab.benchmarks.registry import benchmark\n"
        "def mine(name):\n"
        "    return replace(benchmark('mnist1d-201'), name=name)\n"
    )
    given = ["--methods", "random-search", "--seeds", "1"]
    with pytest.MonkeyPatch.context() as there:
        there.syspath_prepend(tmp_path)
        leaderboard(tmp_path, *given, "--benchmarks", "at_hand_once:mine")
        leaderboard(tmp_path, *given)
    own_code_of.cache_clear()
    del sys.modules["at_hand_once"]
    leaderboard(tmp_path, *given)
    assert len((tmp_path / "searches.csv").read_text().splitlines()) == 1 + 1 + 2


def test_code_of_a_benchmark_of_ones_own_is_the_same_before_and_after_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loaded_later.py").write_text("def mine(name):\n    raise RuntimeError\n")
    monkeypatch.chdir(tmp_path)
    before = own_code_of("loaded_later:mine")
    own_code_of.cache_clear()
    assert before == own_code_of("loaded_later:mine")
    assert "no file" not in str(before)


def test_dry_run_says_what_would_run_and_how_long_and_writes_nothing(tmp_path: Path) -> None:
    assert "4 of 4 searches would run, and be added to" in leaderboard(
        tmp_path / "new", "--methods", "random-search", "--seeds", "2", "--dry-run"
    )
    assert not (tmp_path / "new").exists()
    leaderboard(tmp_path, "--methods", "random-search", "--seeds", "1")
    path = tmp_path / "searches.csv"
    pd.read_csv(path, dtype={"code": str}).assign(cpu_seconds=60).to_csv(path, index=False)
    written = path.read_text()
    (tmp_path / "README.md").unlink()
    shown = leaderboard(tmp_path, "--methods", "random-search,nao", "--seeds", "3", "--dry-run")
    assert "10 of 12 searches would run" in shown
    assert "It has no search yet of nao with 12 queries (6)." in shown
    assert "4 of them take about 4 minutes of CPU time" in shown
    assert path.read_text() == written
    assert not (tmp_path / "README.md").exists()
