"""Studies of search methods: the paper's tables and label efficiency."""

from dataclasses import replace
from pathlib import Path

import pytest

from nadlab.benchmarks.registry import benchmark
from nadlab.cluster.execution import ExecutionConfig
from nadlab.engine.runner import run_study
from nadlab.errors import UserError
from nadlab.methods.registry import COMPARED
from nadlab.methods.request import SearchRequest
from nadlab.study.published import TABLE_1, TABLE_2, TABLE_3
from nadlab.study.smoke import smoke
from nadlab.study.study import Study, plan
from studies import label_efficiency, reproduce_table1, reproduce_table2, reproduce_table3
from tests.conftest import TOY, records_of
from trainables.searcher import SearcherTrainable

TABLES = [
    (reproduce_table1.STUDY, TABLE_1, 110),
    (reproduce_table2.STUDY, TABLE_2, 160),
    (reproduce_table3.STUDY, TABLE_3, 150),
]


def quick(**changes: object) -> Study:
    """Three quick methods at two budgets on the toy table, one combination left out."""
    rows = tuple((method, queries) for method in ("random-search", "pre-nas") for queries in (10, 20))[:3]
    study = Study(
        name="searches",
        question="?",
        expectation="none",
        trainable=SearcherTrainable,
        settings=SearchRequest(method="random-search", queries=20),
        vary={"method": ("random-search", "pre-nas"), "queries": (10, 20)},
        rows=rows,
        benchmark=TOY,
        seeds=(0, 1),
        published={TOY: {"pre-nas, 10": 77.77}},
    )
    return replace(study, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(("study", "table", "queries"), TABLES, ids=["table1", "table2", "table3"])
def test_table_runs_every_method_at_one_number_and_each_published_row_at_its_own(
    study: Study, table: tuple[object, ...], queries: int
) -> None:
    rows = [(row["method"], row["queries"]) for row in study.combinations]
    assert {(method, queries) for method in COMPARED} <= set(rows)
    published = {text for levels in study.published.values() for text in levels}
    assert published >= {f"{method}, {number}" for method, number in rows if number != queries}
    assert len(published) == len(table)
    assert study.default == {"method": "semigan-nad", "queries": queries}


def test_label_efficiency_runs_every_method_at_every_number() -> None:
    assert len(label_efficiency.STUDY.combinations) == 7 * len(COMPARED)


def test_level_that_no_row_knows_is_run_with_all_others() -> None:
    study = quick(vary={"method": ("random-search", "pre-nas"), "queries": (12, 20)})
    assert [tuple(row.values()) for row in study.combinations] == [
        ("random-search", 12),
        ("random-search", 20),
        ("pre-nas", 12),
    ]


def test_smoke_of_a_table_has_a_small_budget(data: Path) -> None:  # noqa: ARG001
    trials = plan(replace(smoke(reproduce_table2.STUDY), benchmark=TOY), benchmark(TOY))
    assert {(trial.settings["method"], trial.settings["queries"]) for trial in trials} == {
        ("random-search", 20),
        ("semigan-nad", 20),
    }


@pytest.mark.parametrize(
    ("settings", "words"), [({"method": "magic"}, "unknown method 'magic'"), ({"queries": 0}, "at least 1, not 0")]
)
def test_request_that_no_search_meets_is_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        SearchRequest(**settings)  # type: ignore[arg-type]


def test_budget_beyond_the_benchmark_is_refused_before_any_trial(data: Path) -> None:  # noqa: ARG001
    with pytest.raises(UserError, match="301 queries are more than the 300 distinct cells"):
        plan(quick(vary={"method": ("random-search",), "queries": (301,)}), benchmark(TOY))


@pytest.mark.usefixtures("local_ray")
def test_study_of_searches_puts_the_published_accuracy_beside_ours(tmp_path: Path) -> None:
    assert run_study(quick(), benchmark(TOY), ExecutionConfig(tmp_path / "out")) == 0
    records = records_of(tmp_path / "out")
    assert sorted(len(record.ledger) for record in records) == [10, 10, 10, 10, 20, 20]
    report = (tmp_path / "out" / "report.md").read_text()
    (row,) = [line for line in report.splitlines() if line.startswith("| pre-nas, 10 |")]
    assert row.endswith("| 77.77 |")
    assert "| paper % |" in report
    assert (tmp_path / "out" / "figures" / "label_efficiency.png").stat().st_size > 10_000
