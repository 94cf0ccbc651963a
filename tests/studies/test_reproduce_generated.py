"""Table 4 and Figures 2 to 6: new classes alone are counted, a stop loses no seed, and each preset runs."""

import json
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from nadlab.analysis.cells import generated as measured
from nadlab.analysis.cells.generated import from_json, measure, shares_above, thresholds, to_json
from nadlab.benchmarks.registry import benchmark
from nadlab.errors import UserError
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.sampling import first_cells
from nadlab.semigan.diagnostics import search_accuracies
from nadlab.semigan.settings import Settings
from nadlab.spaces.cells import concatenate
from studies import reproduce_figures, reproduce_table4

SMALL = Settings(labels=20, final_k=2, epochs=1, width=16, unlabelled_per_epoch=512, generated=200)


def run(command: click.Command, out: Path, *arguments: str) -> str:
    given = ["--smoke", "--concurrent", "1", "--out", str(out), *arguments]
    return CliRunner(env={"COLUMNS": "200"}).invoke(command, given, catch_exceptions=False).stdout


@pytest.mark.usefixtures("data")
def test_labelled_cells_and_duplicates_count_among_draws_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    oracle = benchmark("nasbench101")
    ledger = QueryLedger(oracle, SMALL.labels)
    labelled = first_cells(ledger, SMALL.labels, np.random.default_rng(0))
    ledger.query(labelled)
    new = oracle.pool()[~ledger.known(oracle.pool())][:3]
    draws = concatenate([labelled, labelled, new, new[:1], new[:1]])
    monkeypatch.setattr(measured, "generate_cells", lambda *_: draws)
    limits = thresholds(oracle)
    found = measure(oracle, SMALL, limits, 0)
    assert (found.valid, found.classes, found.new, found.held) == (45, 23, 3, 3)
    assert limits["valid"] == (93.0, 93.5)
    assert found.above == shares_above(oracle, new, limits)
    assert found.draws_above == shares_above(oracle, draws, limits)
    assert found.signature is not None
    assert sorted(found.best) == sorted(oracle.space.format(new[at : at + 1]) for at in range(3))


@pytest.mark.usefixtures("data")
def test_a_seed_without_a_valid_cell_has_no_share_and_survives_json(monkeypatch: pytest.MonkeyPatch) -> None:
    oracle = benchmark("nasbench101")
    monkeypatch.setattr(measured, "generate_cells", lambda *_: oracle.pool()[:0])
    found = measure(oracle, SMALL, thresholds(oracle), 0)
    assert (found.valid, found.held, found.signature, found.best) == (0, 0, None, ())
    assert found.above == {"valid": None}
    assert from_json(json.loads(json.dumps(to_json(found)))) == found


def test_thresholds_elsewhere_leave_the_paper_s_shares_above() -> None:
    oracle = benchmark("mnist1d-201")
    limits = thresholds(oracle)
    assert set(limits) == {"valid", "test"}
    scores = search_accuracies(oracle, measured.benchmark_cells(oracle))
    assert (scores > limits["valid"][0]).mean() == pytest.approx(0.1549, abs=0.002)


@pytest.mark.usefixtures("data")
def test_a_second_start_runs_what_is_missing_and_figures_read_the_same_seeds(tmp_path: Path) -> None:
    run(reproduce_table4.command, tmp_path, "--seeds", "1")
    before = (tmp_path / "seeds.jsonl").read_text()
    shown = run(reproduce_table4.command, tmp_path, "--seeds", "2")
    after = (tmp_path / "seeds.jsonl").read_text()
    assert after.startswith(before)
    assert [json.loads(line)["seed"] for line in after.splitlines()] == [0, 1]
    assert "validation > 93 %: new classes" in shown
    assert "4.54 times 15.49%" in (tmp_path / "table4.md").read_text()
    run(reproduce_figures.command, tmp_path, "--seeds", "2")
    assert (tmp_path / "seeds.jsonl").read_text() == after
    drawn = {path.name for path in tmp_path.glob("figure[0-9].*")}
    assert drawn == {f"figure{number}.{kind}" for number in (2, 4, 5, 6) for kind in ("png", "svg")}
    numbers = json.loads((tmp_path / "figures.json").read_text())
    assert numbers["seeds"] == [0, 1]
    assert len(numbers["groups"]) == 4


@pytest.mark.usefixtures("data")
def test_figure_3_is_of_the_space_of_nasbench201_under_the_paper_s_preset(tmp_path: Path) -> None:
    run(reproduce_figures.command, tmp_path, "--benchmark", "nasbench201/toy", "--preset", "paper", "--seeds", "1")
    assert {path.name for path in tmp_path.glob("figure[0-9].*")} == {"figure3.png", "figure3.svg"}
    (row,) = map(json.loads, (tmp_path / "seeds.jsonl").read_text().splitlines())
    assert row["settings"]["coverage"] == 0


@pytest.mark.parametrize(
    "second",
    [b'{"seed": 1, "code": "2"}', b'{"seed": 1, "co', b"[1]\n", b'{"code": "2"}\n', b'{"seed": "\xff"}\n', b"\n"],
)
def test_line_that_is_no_row_is_named_and_nothing_is_added(tmp_path: Path, second: bytes) -> None:
    written = b'{"seed": 0, "code": "1"}\n' + second
    (tmp_path / "seeds.jsonl").write_bytes(written)
    with pytest.raises(
        UserError, match=r"^line 2 of .*seeds.jsonl is damaged .*: delete it, and it will be recreated$"
    ):
        run(reproduce_table4.command, tmp_path, "--benchmark", "mnist1d-201", "--seeds", "3")
    assert (tmp_path / "seeds.jsonl").read_bytes() == written


@pytest.mark.usefixtures("data")
def test_rows_of_other_settings_are_not_mixed(tmp_path: Path) -> None:
    run(reproduce_table4.command, tmp_path, "--seeds", "1")
    with pytest.raises(UserError, match="made with another settings"):
        run(reproduce_table4.command, tmp_path, "--seeds", "1", "--set", "epochs=1")


def test_labels_and_t_are_the_paper_s_unless_set() -> None:
    settings, words = reproduce_table4.settings_of(benchmark("mnist1d-201"), "paper", ["rank0_share=0.2"], False)
    assert (settings.labels, settings.t, settings.rank0_share, words) == (155, None, 0.2, ["rank0_share-0.2"])


def test_space_that_the_paper_draws_nothing_of_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the paper has no figure of the space darts"):
        run(reproduce_figures.command, tmp_path, "--benchmark", "mnist1d-darts")
