"""`nadlab evaluations`: what a store holds as a list, as files, and as a table benchmark."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from nadlab.benchmarks.oracle import Evaluation
from nadlab.benchmarks.table import tables
from nadlab.cli.main import nadlab
from nadlab.errors import UserError
from nadlab.evaluations import exports
from nadlab.evaluations.store import Ended, EvaluationStore, failure
from tests.oracles import Counting, counting

ORACLE = replace(counting("nasbench201", 30), name="garden:roses")
CELLS = ORACLE.pool()[:4]


def filled(place: Path, oracle: Counting = ORACLE, fidelity: int = 0) -> Path:
    """Keep three evaluations, of which the last one failed, and a second training seed of the first."""
    answers = [Evaluation(61.5, 60.25, {"latency": 0.5}), Evaluation(70.0, 69.0), failure(oracle, "no memory")]
    for seed, some in enumerate((answers, [Evaluation(62.5, 60.75)])):
        kept = replace(EvaluationStore.opened(str(place), oracle), fidelity=fidelity, seed=seed)
        keys = oracle.space.keys(oracle.pool()).tolist()
        with kept.claims() as claims:
            claims.take({keys[row]: oracle.space.format(oracle.pool()[row : row + 1]) for row in range(len(some))})
            for row, answer in enumerate(some):
                claims.write(keys[row], Ended(answer, 90.0, attempts=1, host="here"))
    return place


def run(*arguments: object) -> Result:
    return CliRunner().invoke(nadlab, ["evaluations", *map(str, arguments)], catch_exceptions=False)


def test_list_shows_every_evaluation_and_why_one_failed(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in run("list", filled(tmp_path), "--json").stdout.splitlines()]
    assert [row["status"] for row in rows].count("done") == 3
    (failed,) = [row for row in rows if row["status"] == "failed"]
    assert (failed["reason"], failed["valid"], failed["host"], failed["seconds"]) == ("no memory", None, "here", 90.0)
    assert "3 done, 1 failed; 0.1 hours" in run("list", tmp_path).output


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_export_holds_every_row_with_the_further_quantities_as_columns(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"out.{suffix}"
    run("export", filled(tmp_path / "store"), file)
    frame = pd.read_csv(file) if suffix == "csv" else pd.read_parquet(file)
    assert len(frame) == 4
    assert frame["latency"].dropna().tolist() == [0.5]
    assert frame["seed"].tolist() == [0, 0, 0, 1]


def test_a_quantity_that_has_a_column_s_name_is_exported_beside_it() -> None:
    row = {"seconds": 90.0, "valid": 61.5, "extras": '{"seconds": 0.5, "valid": 61.5, "latency": 2.0}'}
    assert exports._extras(row) == {"extra_seconds": 0.5, "valid": 61.5, "latency": 2.0}


def test_a_table_is_a_benchmark_whose_answers_are_the_means_over_training_seeds(tmp_path: Path) -> None:
    place = filled(filled(tmp_path / "store"), fidelity=3)
    done = run("table", place, tmp_path / "flowers.csv", "--epochs", 12)
    assert "holds flowers/roses" in done.output
    header = (tmp_path / "flowers.csv").read_text().splitlines()[0]
    assert header == "arch_str,roses_test_12,roses_valid_12,roses_test_3,roses_valid_3"
    (opener,) = tables(tmp_path / "flowers.csv").values()
    found = opener().evaluate(CELLS[:2])
    assert [(each.valid, each.test) for each in found] == [(62.0, 60.5), (70.0, 69.0)]


def test_a_table_of_nasbench101_has_fractions(tmp_path: Path) -> None:
    oracle = replace(counting("nasbench101", 30), name="garden:roses")
    run("table", filled(tmp_path / "store", oracle), tmp_path / "flowers.csv")
    (opener,) = tables(tmp_path / "flowers.csv").values()
    found = opener().evaluate(oracle.pool()[:2])
    assert [each.test for each in found] == pytest.approx([60.5, 69.0])


def test_several_versions_must_be_told_apart(tmp_path: Path) -> None:
    place = filled(filled(tmp_path / "store"), replace(ORACLE, digest="1" * 64))
    with pytest.raises(
        UserError, match="evaluations of 2 versions of benchmarks: name one with --benchmark and --digest"
    ):
        run("table", place, tmp_path / "flowers.csv")
    run("table", place, tmp_path / "flowers.csv", "--digest", "11")
    with pytest.raises(UserError, match="has no evaluations of roses: it has garden:roses"):
        run("list", place, "--benchmark", "roses")


def test_what_holds_no_evaluations_or_is_no_table_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no evaluations: name a store, or the folder of a study"):
        run("list", tmp_path)
    with pytest.raises(UserError, match=r"neither \.csv nor \.parquet"):
        run("export", filled(tmp_path / "store"), tmp_path / "out.xlsx")
    with pytest.raises(UserError, match="no tables of the space darts"):
        run("table", filled(tmp_path / "darts", counting("darts", 30)), tmp_path / "flowers.csv")
