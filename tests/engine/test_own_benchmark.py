"""A benchmark of one's own, which trains for each answer and does not know its optimum: evaluated once, reported whole."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from nadlab.analysis.results import load
from nadlab.benchmarks.registry import benchmark
from nadlab.cli.main import nadlab
from nadlab.cli.study import command
from nadlab.cli.tuning import tuning_command
from nadlab.errors import UserError
from nadlab.semigan.diagnostics import search_accuracies
from studies.ablate_alpha import STUDY
from studies.tune_semigan import TUNING
from tests.conftest import records_of
from tests.oracles import own_module

ROOT = Path(__file__).parents[2]
OWN = "orchard:orchard"
EVALUATE = """
with PLACE.open("a") as log:
    log.write(" ".join(map(str, self.space.keys(cells).tolist())) + "\\n")
return [Evaluation(60 + np.float32(5) * count, None) for count in (cells.operations == 3).sum(axis=1)]
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file with a line of keys for each call of `evaluate`; the folder that holds the benchmark is the current one."""
    path = tmp_path / "log"
    (tmp_path / "orchard.py").write_text(own_module("orchard", path, EVALUATE))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    benchmark.cache_clear()
    sys.modules.pop("orchard", None)
    yield path
    benchmark.cache_clear()
    sys.modules.pop("orchard", None)


def calls(log: Path) -> list[list[int]]:
    """Return the keys of each call of `evaluate`."""
    return [[int(key) for key in line.split()] for line in log.read_text().splitlines()]


def started(out: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start ablate_alpha in the folder of the benchmark."""
    script = [sys.executable, str(ROOT / "studies" / "ablate_alpha.py"), "--smoke", "--benchmark", OWN, "--seeds", "2"]
    return subprocess.Popen(
        [*script, "--set", "epochs=20", "--concurrent", "2", "--out", str(out), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def trains(out: Path) -> bool:
    """Say whether a trial has written a checkpoint: it has its labels, and evaluates nothing until its end.

    The other of the pair may start only after this one has ended, so nobody waits for both.
    """
    return any(out.glob("tune/launch-*/*/checkpoint_*"))


@pytest.mark.services
@pytest.mark.timeout(600)
def test_a_study_evaluates_each_distinct_cell_once_over_levels_seeds_a_kill_and_new_levels(
    log: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    killed = started(out)
    deadline = time.monotonic() + 200
    while not trains(out):
        assert killed.poll() is None, killed.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    before = calls(log)
    assert [len(keys) for keys in before] == [20]  # two levels of one seed have the same labels
    again = started(out, "--vary", "alpha=0.1,0.5,0.9")
    words, _ = again.communicate(timeout=400)
    assert again.returncode == 0, words
    records = records_of(out)
    assert [record.status for record in records] == ["FINISHED"] * 6
    evaluated = [key for keys in calls(log) for key in keys]
    assert sorted(evaluated) == sorted({query.key for record in records for query in record.queries})
    assert len(calls(log)) <= 2 + len(records)  # the labels of each seed, and the final queries of each trial
    assert all("predictor_tau" not in record.metrics and "regret" not in record.metrics for record in records)
    report = (out / "report.html").read_text()
    assert "Anytime accuracy" in report
    assert not re.search(r"regret|\bnan\b|>None<|None %", report.partition("Provenance")[0])
    assert "nan" not in words
    found = load(out)
    assert "regret" not in {*found.levels, *found.trials}
    assert found.study.optimum is None


def test_a_dry_run_evaluates_nothing_and_says_what_it_does_not_count(log: Path, tmp_path: Path) -> None:
    asked = ["--smoke", "--benchmark", OWN, "--dry-run", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(command(STUDY), asked, catch_exceptions=False)
    assert "on made-up accuracies" in done.output
    assert f"The evaluations of {OWN} are not counted." in done.output
    assert not log.exists()


def test_a_search_evaluates_each_distinct_cell_once_and_reports_no_regret(log: Path) -> None:
    asked = ["search", "--benchmark", OWN, "--method", "random-search,local-search", "--queries", "30", "--seeds", "2"]
    lines = CliRunner().invoke(nadlab, [*asked, "--concurrent", "1", "--json"], catch_exceptions=False).stdout
    rows = [json.loads(line) for line in lines.splitlines()]
    assert [row["queries"] for row in rows] == [30] * 4
    assert all("regret" not in row for row in rows)
    evaluated = [key for keys in calls(log) for key in keys]
    assert len(evaluated) == len(set(evaluated)) < 120
    shown = CliRunner().invoke(nadlab, [*asked, "--concurrent", "1"], catch_exceptions=False).stdout
    assert "behind random-search" in shown.replace("\n", " ")
    assert not re.search("regret|nan|None", shown)


@pytest.mark.usefixtures("log")
def test_diagnostics_refuse_to_look_where_an_answer_costs_a_training() -> None:
    oracle = benchmark(OWN)
    with pytest.raises(UserError, match="orchard:orchard may answer by a training"):
        search_accuracies(oracle, oracle.pool()[:1])


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("more", [[], ["--dry-run"]], ids=["run", "dry run"])
def test_a_pruner_is_refused_before_any_trial(more: list[str], tmp_path: Path) -> None:
    asked = ["--smoke", "--benchmark", OWN, "--pruner", "asha", "--out", str(tmp_path / "out"), *more]
    with pytest.raises(UserError, match="--pruner asha judges trials by accuracies that no search queried"):
        tuning_command(TUNING).main(asked, standalone_mode=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("optimum", ["float('nan')", "'high'", "101"])
def test_an_optimum_that_is_no_accuracy_is_one_sentence(log: Path, optimum: str) -> None:
    code = Path("orchard.py").read_text()
    Path("orchard.py").write_text(
        code.replace("queryable_count:", f"optimum: object = {optimum}\n    queryable_count:")
    )
    with pytest.raises(UserError, match=r"has the optimum .*: it must be a number from 0 to 100, or None"):
        benchmark(OWN)
    assert not log.exists()


@pytest.mark.parametrize(
    ("what", "value"),
    [("quantities", "('latency',)"), ("quantities", "3"), ("facts", "'stored'"), ("cost", "3"), ("metric", "'accuracy'"), ("digest", "3"), ("search_split", "'train'"), ("queryable_count", "None")],
)  # fmt: skip
def test_what_a_benchmark_declares_is_checked_before_it_evaluates(log: Path, what: str, value: str) -> None:
    code = Path("orchard.py").read_text()
    Path("orchard.py").write_text(
        code.replace("    @property\n", f"    {what}: object = {value}\n\n    @property\n", 1)
    )
    said = re.escape(f"the benchmark orchard:orchard has the {what} {value}: it must be ")
    with pytest.raises(UserError, match=said):
        benchmark(OWN)
    assert not log.exists()


@pytest.mark.parametrize("names", [("valid",), ("a,b",), ("a=b",), ("size", "size"), ("accuracy",), ("",)])
def test_quantities_whose_names_tables_or_options_could_not_tell_apart_are_refused(
    log: Path, names: tuple[str, ...]
) -> None:
    declared = ", ".join(f"quantity({name!r}, 's')" for name in names)
    code = Path("orchard.py").read_text()
    value = f"    quantities: object = ({declared},)\n\n    @property\n"
    Path("orchard.py").write_text(
        "from nadlab.benchmarks.oracle import quantity\n" + code.replace("    @property\n", value, 1)
    )
    with pytest.raises(UserError, match=r"has the quantities' names .*: it must be different names without ','"):
        benchmark(OWN)
    assert not log.exists()
