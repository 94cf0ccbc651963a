"""Several objectives and constraints, on a table whose latency is known."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from nadlab import search
from nadlab.analysis.statistics.hypervolume import ends, points
from nadlab.benchmarks.oracle import STORED, Evaluation, Facts, Metric, Split, quantity
from nadlab.errors import UserError
from nadlab.methods.registry import SEARCHERS, run_search
from nadlab.methods.request import SearchRequest
from nadlab.queries.goals import Goals
from nadlab.queries.ledger import Query, QueryLedger, best
from nadlab.queries.opening import answered
from nadlab.searchers.objectives.nsga2 import crowding_distance, survivors
from nadlab.spaces import SPACES, Cells, SearchSpace


@dataclass(frozen=True)
class Traded:
    """Accuracy grows with the convolutions of 3x3, and latency with it: 2 ms each, and 1 ms for a pooling."""

    name: str = "traded"
    space: SearchSpace = SPACES["nasbench201"]
    search_split: Split = "valid"
    report_split: Split = "test"
    preset: str = "paper"
    digest: str = "0" * 64
    optimum: float = 74.0
    queryable_count: int = 15_625
    quantities: tuple[Metric, ...] = (quantity("latency", "ms"), quantity("throughput", "1/s", maximise=True))

    def pool(self) -> Cells:
        return self.space.enumerate()

    def queryable(self, cells: Cells) -> NDArray[np.bool_]:
        return np.ones(len(cells), bool)

    def evaluate(self, cells: Cells) -> list[Evaluation]:
        convolutions = (cells.operations == self.space.operations.index("nor_conv_3x3")).sum(axis=1)
        poolings = (cells.operations == self.space.operations.index("avg_pool_3x3")).sum(axis=1)
        return [
            Evaluation(50 + 4.0 * c, 50 + 4.0 * c, {"latency": 2.0 * c + p, "throughput": 1.0 / (1 + c)})
            for c, p in zip(convolutions.tolist(), poolings.tolist(), strict=True)
        ]


TRADED = Traded()
BOTH = Goals.of("accuracy,latency", None)


def searched(method: str, goals: Goals, seed: int, budget: int = 60) -> QueryLedger:
    ledger = QueryLedger(TRADED, budget, goals)
    run_search(SEARCHERS[method], ledger, np.random.default_rng(seed))
    return ledger


def test_ledger_keeps_what_the_benchmark_declares() -> None:
    ledger = searched("random-search", Goals(), 0, 10)
    assert all(query.extras.keys() == {"latency", "throughput"} for query in ledger.queries)
    assert ledger.objectives.tolist() == [[-float(query.valid or 0)] for query in ledger.queries]
    assert "feasible" not in ledger.outcome()


def test_objectives_are_minimised_in_the_order_of_their_names() -> None:
    ledger = searched("random-search", Goals.of("accuracy, throughput, latency", None), 0, 10)
    query, row = ledger.queries[3], ledger.objectives[3]
    assert row.tolist() == [-float(query.valid or 0), -query.extras["throughput"], query.extras["latency"]]


@pytest.mark.parametrize(
    ("objectives", "at_most", "reason"),
    [
        ("latency,accuracy", None, "write accuracy first"),
        ("accuracy,energy", None, "no quantity 'energy': traded answers accuracy and latency, throughput"),
        ("accuracy", None, "name two or more"),
        ("accuracy,accuracy", None, "each once"),
        (None, "energy=3", "no quantity 'energy'"),
        (None, "latency", "write QUANTITY=NUMBER"),
        (None, "latency=fast", "write QUANTITY=NUMBER"),
    ],
)
def test_goals_that_no_search_can_have_are_refused(objectives: str | None, at_most: str | None, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        QueryLedger(TRADED, 10, Goals.of(objectives, at_most))


def test_infeasible_cell_is_never_the_incumbent_and_looks_as_bad_as_the_worst() -> None:
    ledger = searched("random-search", Goals.of("accuracy,latency", "latency=4"), 1)
    keeps = np.array([query.extras["latency"] <= 4 for query in ledger.queries])
    assert 0 < keeps.sum() < 60
    assert best(ledger.queries, "valid").extras["latency"] > 4
    assert ledger.best().valid == max(query.valid or 0 for query in ledger.queries if query.extras["latency"] <= 4)
    assert set(ledger.accuracies[~keeps]) == {min(query.valid or 0 for query in ledger.queries)}
    assert (ledger.objectives[~keeps] == ledger.objectives.max(axis=0)).all()
    outcome = ledger.outcome()
    assert outcome["feasible"] == keeps.sum()
    assert outcome["best_reported"] == ledger.best().test
    assert "regret" not in outcome  # the optimum breaks the constraint


@pytest.mark.parametrize(
    "method", ["random-search", "regularized-evolution", "local-search", "pre-nas", "bananas", "nsga-ii"]
)
def test_search_without_a_feasible_cell_ends_and_says_so(method: str) -> None:
    outcome = searched(method, Goals.of(None, "latency=-1"), 0, 30).outcome()
    assert (outcome["queries"], outcome["feasible"], outcome["best_reported"]) == (30, 0, None)


@pytest.mark.parametrize("method", ["regularized-evolution", "local-search", "nsga-ii"])
def test_methods_heed_a_constraint(method: str) -> None:
    counts = [
        [searched(name, Goals.of(None, "latency=3"), seed).outcome()["feasible"] for seed in range(5)]
        for name in (method, "random-search")
    ]
    assert np.mean(counts[0]) > np.mean(counts[1])


def test_nsga_ii_dominates_more_than_random_search() -> None:
    found = {
        method: [
            points(ledger.queries, ledger.feasible, BOTH.metrics(TRADED), "valid", "test")
            for ledger in (searched(method, BOTH, seed, 100) for seed in range(6))
        ]
        for method in ("nsga-ii", "random-search")
    }
    best_values, worst = ends([each for group in found.values() for each in group], BOTH.metrics(TRADED))
    volumes = {method: [each.curve(best_values, worst)[-1] for each in group] for method, group in found.items()}
    assert np.mean(volumes["nsga-ii"]) > np.mean(volumes["random-search"])


def test_hypervolume_of_points_that_can_be_checked_by_hand() -> None:
    rows = [(60.0, 4.0), (80.0, 10.0), (70.0, 6.0), (65.0, 8.0)]
    queries = [Query(place, place, str(place), a, a, {"latency": b}) for place, (a, b) in enumerate(rows, 1)]
    metrics = [Metric("accuracy", "%", True, 60.0, 80.0), Metric("latency", "ms", False, 0.0, 10.0)]
    found = points(queries, np.ones(4, bool), metrics, "valid", "test")
    # scaled: (1, 0.4), (0, 1), (0.5, 0.6), and one that (0.5, 0.6) dominates; reference (1, 1)
    assert found.curve(*ends([found], metrics)) == pytest.approx([0.0, 0.0, 0.5 * 0.4, 0.5 * 0.4])
    assert [query.cell for query in found.front()] == ["1", "2", "3"]
    assert [values for _, values in found.measured(metrics)] == [[60.0, 4.0], [80.0, 10.0], [70.0, 6.0]]
    barred = points(queries, np.array([True, True, False, False]), metrics, "valid", "test")
    assert [query.cell for query in barred.front()] == ["1", "2"]


def test_crowding_and_survival_of_points_that_can_be_checked_by_hand() -> None:
    front = np.array([[0.0, 4.0], [1.0, 2.0], [2.0, 1.0], [4.0, 0.0]])
    assert crowding_distance(front).tolist() == [np.inf, 2 / 4 + 3 / 4, 3 / 4 + 2 / 4, np.inf]
    # the dominated point comes last, whatever its distance
    assert survivors(np.array([[5.0, 5.0], *front.tolist()]), 4).tolist() == [1, 4, 2, 3]


def test_goals_are_part_of_a_trial_only_where_there_are_some() -> None:
    plain, several = (
        SearchRequest(queries=20),
        SearchRequest(queries=20, objectives="accuracy , latency", at_most="latency=3"),
    )
    assert {"objectives", "at_most"}.isdisjoint(plain.flat())
    assert (several.objectives, several.at_most) == ("accuracy,latency", "latency=3.0")
    assert SearchRequest.of(several.flat()) == several


def test_public_search_returns_front_and_hypervolume() -> None:
    table = search(
        ["nsga-ii", "random-search"], "nas-bench-graph/cora", queries=30, seeds=[0, 1],
        objectives=["accuracy", "latency"], at_most={"latency": 0.005},
    )  # fmt: skip
    assert "regret" not in table
    for _, row in table.iterrows():
        assert len(row["hypervolume"]) == 30
        assert 0 <= row["hypervolume"][-1] <= 1
        assert 0 < row["feasible"] <= 30
        assert max(each["latency"] for each in row["front"]) <= 0.005
        # the best cell by validation is on the front
        assert max(each["accuracy"] for each in row["front"]) >= row["best_test"] - 1e-9


@pytest.mark.parametrize(
    ("extras", "reason"),
    [({"energy": 1.0}, "name it in its quantities"), ({"latency": float("nan")}, "it must be a finite number")],
)
def test_quantity_that_is_undeclared_or_no_number_is_refused(extras: dict[str, float], reason: str) -> None:
    ledger = QueryLedger(answered(TRADED, lambda cells: [Evaluation(50.0, 50.0, extras)] * len(cells)), 1)
    with pytest.raises(UserError, match=reason):
        ledger.query(TRADED.pool()[:1])
    assert not ledger.queries


@pytest.mark.parametrize("goals", [BOTH, Goals.of(None, "latency=1")])
def test_objective_or_constraint_that_an_answer_lacks_is_refused(goals: Goals) -> None:
    ledger = QueryLedger(answered(TRADED, lambda cells: [Evaluation(50.0, 50.0)] * len(cells)), 1, goals)
    with pytest.raises(UserError, match=r"gave no latency for .*: its `evaluate` must return every quantity"):
        ledger.query(TRADED.pool()[:1])
    assert not ledger.queries


def test_cell_whose_quantity_a_table_lacks_keeps_no_constraint() -> None:
    @dataclass(frozen=True)
    class Table(Traded):
        facts: Facts = STORED

        def evaluate(self, cells: Cells) -> list[Evaluation]:
            return [replace(each, extras={}) for each in super().evaluate(cells)]

    ledger = QueryLedger(Table(), 1, Goals.of(None, "latency=1"))
    ledger.query(TRADED.pool()[:1])
    assert ledger.incumbent is None
