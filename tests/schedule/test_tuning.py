"""A tuning study proposes the same configurations in whatever order trials end and however often it is killed."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from nadlab.analysis.configurations import configurations, named
from nadlab.analysis.tuned import report_on_tuning
from nadlab.benchmarks.registry import benchmark
from nadlab.benchmarks.tabular import TableBenchmark
from nadlab.cli.tuning import tuning_command
from nadlab.errors import UserError
from nadlab.schedule.optuna_schedule import OptunaSchedule
from nadlab.schedule.optuna_storage import open_study
from nadlab.study.folder import StudyFolder, check_same
from nadlab.study.levels import changed, value_of
from nadlab.study.records import Record, Trial
from nadlab.study.tuning import Tuning, smoke_tuning, tuning_record
from studies.tune_default import TUNING as DEFAULT
from studies.tune_semigan import TUNING
from tests.conftest import TOY

EPOCHS = 6


def small(**changes: Any) -> Tuning:
    """Six configurations at two seeds on the toy table."""
    settings = changed(smoke_tuning(TUNING).settings, {"epochs": EPOCHS})
    given: dict[str, Any] = {"settings": settings, "benchmark": TOY, "configurations": 6, "fresh": 1} | changes
    return replace(smoke_tuning(TUNING), **given)


def record_of(trial: Trial, epochs: int = EPOCHS) -> Record:
    """Return what a trial ends with after so many epochs: a smooth function of its settings, and a little of its seed."""
    alpha, depth = trial.settings["alpha"], trial.settings["predictor_depth"]
    quality = 1 - (alpha - 0.3) ** 2 - 0.02 * abs(depth - 3) + 0.01 * np.sin(7 * trial.seed)
    queries = trial.settings["labels"] + trial.settings["final_k"]
    return Record(
        trial=trial,
        status="FINISHED" if epochs == EPOCHS else "KILLED",
        metrics={"best_reported": (best := 90 * quality + 0.01 * queries), "regret": 95 - best, "epoch": epochs},
        history=[{"predictor": 1.0, "predictor_tau": float(quality * epoch)} for epoch in range(1, epochs + 1)],
        ledger=[{"number": number} for number in range(queries)],
        started=0.0,
        ended=1.0,
        provenance={},
    )


class Driver:
    """Stands in for Ray: runs a schedule with so many workers, which advance an epoch in random order, and is killed.

    As Tune, it takes as many trials as the schedule said there are, at most.
    """

    def __init__(self, tuning: Tuning, path: Path, workers: int = 1, seed: int = 0, kills: float = 0.0) -> None:
        self.tuning = tuning
        self.workers = workers
        self.rng = np.random.default_rng(seed)
        self.kills = kills
        path.mkdir(exist_ok=True)
        self.folder = StudyFolder(path, tuning_record(tuning, benchmark(TOY), "id"))
        self.started: list[str] = []

    def run(self) -> list[Record]:
        while not self._life():
            pass
        return self.folder.records()

    def _life(self) -> bool:
        """Run until the end, or until a kill: then False."""
        schedule = OptunaSchedule(self.tuning, benchmark(TOY), self.folder)
        running: dict[str, tuple[Trial, int]] = {}
        before = len(self.started)
        while True:
            while (
                len(running) < self.workers
                and len(self.started) < before + schedule.remaining
                and (trial := schedule.next())
            ):
                running[trial.id] = trial, 0
                self.started.append(trial.id)
            if not running:
                assert schedule.over
                return True
            if self.rng.random() < self.kills:
                return False
            trial, epoch = running[str(self.rng.choice(sorted(running)))]
            running[trial.id] = trial, epoch + 1
            stop = schedule.prunes and schedule.pruned_at(trial, record_of(trial, epoch + 1).history)
            if stop or epoch + 1 == EPOCHS:
                record = record_of(trial, stop or EPOCHS)
                self.folder.finish(record, None)
                schedule.ended(record)
                del running[trial.id]


def search_of(path: Path, objectives: Sequence[str] = ("accuracy",)) -> list[tuple[Any, ...]]:
    """Return what Optuna was told, in order; proposals that a kill tore left out."""
    trials = open_study(path, TUNING.name, objectives).trials
    return [(each.params, each.values, each.state) for each in trials if each.params.keys() == TUNING.space.keys()]


@pytest.fixture(autouse=True)
def table(data: Path) -> Path:
    return data


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampler", "pruner", "objectives", "count", "ahead"),
    [
        ("tpe", "none", ("accuracy",), 14, 3),
        ("tpe", "asha", ("accuracy",), 14, 3),
        ("nsga2", "median", ("accuracy", "queries"), 14, 3),
    ],
)
def test_search_is_the_same_on_one_worker_on_three_and_after_kills(
    tmp_path: Path, sampler: str, pruner: str, objectives: tuple[str, ...], count: int, ahead: int
) -> None:
    tuning = small(sampler=sampler, pruner=pruner, objectives=objectives, configurations=count, ahead=ahead)
    whole = Driver(tuning, tmp_path / "whole").run()
    broken = Driver(tuning, tmp_path / "broken", workers=3, seed=1, kills=0.05)
    assert broken.run() == whole
    assert search_of(tmp_path / "broken", objectives) == search_of(tmp_path / "whole", objectives)
    assert len(broken.started) > len(whole)  # kills cost work, and nothing else


@pytest.mark.slow
def test_gaussian_process_proposes_better_than_the_ten_random_configurations_that_it_learns_from(
    tmp_path: Path,
) -> None:
    tuning = small(sampler="gp", configurations=16, ahead=2, fresh=0, seeds=(0,))
    Driver(tuning, tmp_path / "one").run()
    values = [each[1][0] for each in search_of(tmp_path / "one")]
    assert max(values[:10]) < max(values[11:])
    assert np.median(values[:10]) < np.median(values[11:])
    Driver(tuning, tmp_path / "three", workers=3, seed=2, kills=0.05).run()
    assert search_of(tmp_path / "three") == search_of(tmp_path / "one")


def test_failure_of_a_later_seed_is_told_before_the_first_seed_ends(tmp_path: Path) -> None:
    driver = Driver(small(), tmp_path)
    schedule = OptunaSchedule(driver.tuning, benchmark(TOY), driver.folder)
    trials = [schedule.next() for _ in range(2)]
    assert trials[1]
    assert (trials[1].seed, trials[1].settings["alpha"]) == (1, 0.5)
    failed = replace(record_of(trials[1]), status="FAILED", diverged=True, metrics={}, history=[], ledger=[])
    driver.folder.finish(failed, None)
    schedule.ended(failed)
    while schedule.next():
        pass
    assert open_study(tmp_path, TUNING.name, ("accuracy",)).trials[0].state == TrialState.FAIL


def test_configuration_that_is_proposed_again_after_its_failure_fails_too_and_the_search_ends(tmp_path: Path) -> None:
    space = {"predictor_depth": optuna.distributions.IntDistribution(2, 3)}
    settings = changed(small().settings, {"predictor_depth": 2})
    tuning = small(space=space, settings=settings, configurations=8, fresh=0, seeds=(0,))
    for _ in range(2):  # and anew after a stop
        driver = Driver(tuning, tmp_path)
        schedule = OptunaSchedule(driver.tuning, benchmark(TOY), driver.folder)
        while trial := schedule.next():
            record = record_of(trial)
            if trial.settings["predictor_depth"] == 3:
                record = replace(record, status="FAILED", error="lost", metrics={}, history=[], ledger=[])
            driver.folder.finish(record, None)
            schedule.ended(record)
        assert schedule.over
    states = [each.state for each in open_study(tmp_path, TUNING.name, ("accuracy",)).trials]
    assert states.count(TrialState.FAIL) > 1
    assert len(states) == 8


def test_value_of_a_configuration_depends_on_no_order_and_needs_a_best_cell_of_every_seed(tmp_path: Path) -> None:
    driver = Driver(small(seeds=(0, 1, 2)), tmp_path)
    schedule = OptunaSchedule(driver.tuning, benchmark(TOY), driver.folder)
    trials = [trial for _ in range(3) if (trial := schedule.next())]
    unjudged: dict[str, float | None] = {"best_reported": None, "epoch": EPOCHS}
    ended = [replace(record_of(trial), metrics=record_of(trial).metrics | {"best_reported": value})
             for trial, value in zip(trials, (94.1, 94.2, 94.33), strict=True)]  # fmt: skip
    configuration = schedule._configurations[0]
    found = set()
    for order in permutations(ended):
        configuration.records = {record.trial.seed: record for record in order}
        found.add(tuple(configuration.values(("accuracy", "queries")) or ()))
    assert len(found) == 1
    configuration.records[1] = replace(ended[1], metrics=unjudged)
    assert configuration.complete
    assert configuration.values(("accuracy",)) is None


def test_settings_that_exclude_one_another_are_left_out_and_the_search_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    choice = optuna.distributions.CategoricalDistribution
    space = {
        "alpha": TUNING.space["alpha"],
        "generator": choice((True, False)),
        "candidates_from": choice(("pool", "generator")),
    }
    settings = changed(small().settings, {"candidates_from": "pool"})
    tuning = small(space=space, settings=settings, configurations=12)
    records = Driver(tuning, tmp_path).run()
    assert "is left out: generator = False leaves no AG to generate candidates" in caplog.text
    states = [each.state for each in open_study(tmp_path, TUNING.name, ("accuracy",)).trials]
    assert len(states) == 12
    assert 0 < states.count(TrialState.FAIL) < 6
    again = Driver(tuning, tmp_path)
    assert again.run() == records
    assert again.started == []


def test_torn_proposal_is_given_up_and_made_again(tmp_path: Path) -> None:
    Driver(small(), tmp_path / "whole").run()
    torn = Driver(small(), tmp_path / "torn")
    open_study(tmp_path / "torn", TUNING.name, ("accuracy",)).ask().suggest_float("alpha", 0.05, 0.95)
    torn.run()
    assert search_of(tmp_path / "torn") == search_of(tmp_path / "whole")


def test_default_comes_first_every_configuration_meets_every_seed_and_the_best_meets_the_default_anew(
    tmp_path: Path,
) -> None:
    records = Driver(small(fresh=2), tmp_path).run()
    (default, *_) = search_of(tmp_path)
    assert default[0] == {name: getattr(small().settings, name) for name in TUNING.space}
    assert sorted(record.trial.seed for record in records) == [0] * 6 + [1] * 6 + [2, 2, 3, 3]
    best = max(search_of(tmp_path), key=lambda each: each[1])[0]
    fresh = [record.trial.settings for record in records if record.trial.seed > 1]
    assert {settings["alpha"] for settings in fresh} == {best["alpha"], default[0]["alpha"]}


def test_objective_is_the_mean_over_the_seeds(tmp_path: Path) -> None:
    records = Driver(small(objectives=("accuracy", "queries")), tmp_path).run()
    for params, values, _ in search_of(tmp_path, ("accuracy", "queries")):
        ours = [each for each in records if each.trial.settings["alpha"] == params["alpha"] and each.trial.seed < 2]
        assert values == [
            np.mean([each.accuracy for each in ours]),
            params["labels"] + value_of(small().settings, "final_k"),
        ]


@pytest.mark.slow
@pytest.mark.parametrize("pruner", ["asha", "median"])
def test_pruned_configuration_runs_on_its_first_seed_alone(tmp_path: Path, pruner: str) -> None:
    records = Driver(small(pruner=pruner, configurations=14), tmp_path, workers=2).run()
    stopped = [record for record in records if record.status == "KILLED"]
    assert stopped
    assert all(record.trial.seed == 0 and len(record.history) < EPOCHS for record in stopped)
    levels = [json.dumps(record.trial.settings) for record in records]
    assert all(levels.count(json.dumps(record.trial.settings)) == 1 for record in stopped)
    assert [state for _, _, state in search_of(tmp_path)].count(TrialState.PRUNED) == len(stopped)


def test_more_configurations_run_only_what_is_missing(tmp_path: Path) -> None:
    before = Driver(small(configurations=3, fresh=6), tmp_path).run()
    more = Driver(small(configurations=14, fresh=6), tmp_path)
    after = more.run()
    assert set(more.started).isdisjoint(record.trial.id for record in before)
    assert all(record in after for record in before)
    assert len(after) > 14 * 2 + 2 * 6  # the best is another than before, and meets the default at the fresh seeds
    assert OptunaSchedule(more.tuning, benchmark(TOY), more.folder).over


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sampler": "nsga2"}, "sampler = tpe, not nsga2"),
        ({"pruner": "asha"}, "pruner = none, not asha"),
        ({"seeds": (0, 1, 2)}, "seeds = 0,1, not 0,1,2"),
    ],
)
def test_other_search_is_refused_in_the_same_folder(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    owner, other = (tuning_record(each, benchmark(TOY), "") for each in (small(), small(**changes)))
    with pytest.raises(UserError, match=words):
        check_same(tmp_path, owner, other)


def test_search_of_another_version_of_the_code_is_refused_but_anyway(tmp_path: Path) -> None:
    study = tuning_record(small(), benchmark(TOY), "")
    owner = replace(study, origin=study.origin | {"code": "0" * 16})
    with pytest.raises(UserError, match=f"code {'0' * 16}.* and this is .*code {study.origin['code']}"):
        check_same(tmp_path, owner, study)
    check_same(tmp_path, owner, study, anyway=True)
    assert "--anyway" in {option for each in tuning_command(TUNING).params for option in each.opts}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sampler": "magic"}, "unknown sampler 'magic'"),
        ({"objectives": ("queries",)}, "--objectives must be accuracy"),
        ({"objectives": ("accuracy", "accuracy")}, "--objectives must be accuracy"),
        ({"configurations": 0}, "configurations must be at least 1"),
        ({"space": {"nonsense": TUNING.space["alpha"]}}, "'nonsense' is not a setting"),
        ({"space": {"alpha": optuna.distributions.FloatDistribution(0.6, 0.9)}}, "the default alpha = 0.5 is outside"),
        ({"space": {"alpha": optuna.distributions.FloatDistribution(0.0, 0.9)}}, "alpha must lie strictly between"),
    ],
)
def test_search_that_makes_no_sense_is_one_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        small(**changes)


def test_budget_beyond_the_benchmark_is_refused() -> None:
    with pytest.raises(UserError, match="queries are more than the 300 distinct cells"):
        tuning_record(replace(TUNING, benchmark=TOY), benchmark(TOY), "")


def test_benchmark_on_which_no_setting_is_chosen_is_refused() -> None:
    oracle = benchmark(TUNING.benchmark)
    assert isinstance(oracle, TableBenchmark)
    untouched = replace(oracle, facts=replace(oracle.facts, held_out=True))
    assert tuning_record(TUNING, oracle, "id").benchmark == oracle.name
    with pytest.raises(UserError, match=f"no setting is chosen on {oracle.name}"):
        tuning_record(TUNING, untouched, "id")


@pytest.mark.slow
def test_report_names_the_best_its_interval_what_mattered_and_the_front(tmp_path: Path) -> None:
    tuning = small(configurations=20, fresh=6, objectives=("accuracy", "queries"))
    driver = Driver(tuning, tmp_path, workers=2)
    records = driver.run()
    study = driver.folder.study
    report = report_on_tuning(study, records, np.random.default_rng(0))
    rows = configurations(named(study, records), records, np.random.default_rng(0))
    search = open_study(tmp_path, TUNING.name, tuning.objectives)
    best = rows[0]
    assert best.accuracy.mean == max(values[0] for _, values, _ in search_of(tmp_path, tuning.objectives))
    assert best.fresh
    assert best.fresh.difference.n == 6
    text = report.markdown()
    assert "On fresh seeds it differs by" in text
    assert "(fANOVA)" in text
    front = {(row.accuracy.mean, row.queries) for row in rows if row.on_front}
    assert front == {tuple(each.values) for each in search.best_trials}


def test_fixed_budget_is_what_every_configuration_spends() -> None:
    tuning = DEFAULT.spending(110)
    assert [value_of(tuning.settings, name) for name in ("labels", "final_k")] == [83, 27]
    for final_k in (5, 50, 100):
        settings = tuning.configured({"final_k": final_k, "alpha": 0.3})
        assert [value_of(settings, name) for name in ("labels", "final_k", "alpha")] == [110 - final_k, final_k, 0.3]
    split = DEFAULT.spending(20).space["final_k"]
    assert isinstance(split, optuna.distributions.IntDistribution)
    assert split.high == 18, "two labels are the least"
    assert smoke_tuning(tuning).settings.budget == smoke_tuning(tuning).queries == 22


def test_budget_that_is_too_small_or_too_large_for_the_space_is_one_sentence() -> None:
    with pytest.raises(UserError, match="3 queries are too few: two labels and the least K of the space take 7"):
        DEFAULT.spending(3)
    labels = optuna.distributions.CategoricalDistribution((20, 400))
    large = small(space={"labels": labels}, settings=changed(small().settings, {"labels": 20}))
    with pytest.raises(UserError, match="queries are more than the 300 distinct cells"):
        tuning_record(large, benchmark(TOY), "")


def test_fixed_budget_and_labels_in_the_space_contradict_each_other() -> None:
    with pytest.raises(UserError, match="search final_k instead of labels"):
        replace(TUNING, queries=160)
    with pytest.raises(UserError, match="the default spends 160 queries, not 110"):
        replace(DEFAULT, queries=110)


def test_another_budget_is_another_search(tmp_path: Path) -> None:
    owner, other = (tuning_record(DEFAULT.spending(n), benchmark("mnist1d-201"), "") for n in (110, 120))
    with pytest.raises(UserError, match="queries = 110, not 120"):
        check_same(tmp_path, owner, other)
