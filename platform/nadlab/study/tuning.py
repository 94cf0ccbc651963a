"""A tuning study as a value: a space of settings that Optuna searches, each configuration at the same seeds.

TUNING = Tuning(name="tune_semigan", ..., space={"alpha": FloatDistribution(0.05, 0.95)})
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.study import StudyDirection

from nadlab.benchmarks.oracle import Oracle
from nadlab.benchmarks.presets import PAPER
from nadlab.benchmarks.registry import refuse_held_out
from nadlab.errors import UserError, did_you_mean
from nadlab.methods.request import SearchRequest
from nadlab.parameters.hyperparameters import INERT
from nadlab.parameters.values import coerced
from nadlab.queries.goals import Goals
from nadlab.queries.pools import distinct_cells
from nadlab.semigan.settings import Settings
from nadlab.study.levels import Level, changed, distinct, flat, goals_of, level_type, names, value_of
from nadlab.study.records import StudyRecord, Trial
from nadlab.study.smoke import SMOKE, SMOKE_SEEDS
from nadlab.study.study import Study, study_record

SAMPLERS = ("tpe", "gp", "nsga2")
PRUNERS = ("none", "asha", "median")
OBJECTIVES = {"accuracy": StudyDirection.MAXIMIZE, "queries": StudyDirection.MINIMIZE}
POPULATION = 10
"""of NSGA-II: Optuna's 50 would be a random search over as many configurations as a study has"""
MOST = 10_000
"""configurations, configurations at once and fresh seeds"""
STARTUP = 4
"""finished configurations before the median stops any"""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """A space of settings, how to search it, and the objectives; its name is also that of its file and MLflow experiment.

    Raises UserError when a name is unknown, the default is outside the space, or a number is out of range.
    """

    name: str
    question: str
    expectation: str
    trainable: type
    space: Mapping[str, BaseDistribution]
    """setting -> its distribution; the defaults in `settings` are the first configuration"""
    settings: Settings | SearchRequest = field(default_factory=Settings)
    """SemiGAN-NAD's settings, or a method whose hyperparameters the space names as `method.hyperparameter`"""
    queries: int | None = None
    """budget of every configuration: its labels are what K leaves. None: a configuration spends its labels and K"""
    benchmark: str = "mnist1d-201"
    protocol: str = PAPER
    """how the benchmark is searched and reported (`nadlab.benchmarks.presets`)"""
    seeds: Sequence[int] = (0, 1, 2)
    """every configuration runs at each; its objective is the mean"""
    configurations: int = 30
    sampler: str = "tpe"
    objectives: Sequence[str] = ("accuracy",)
    pruner: str = "none"
    """stops configurations by PP's tau over the epochs of the first seed; the other seeds are then not run"""
    ahead: int = 4
    """configurations in parallel: number n is proposed from the results of number n - ahead and all before"""
    fresh: int = 6
    """number of fresh seeds, on which the best is compared with the default"""

    def __post_init__(self) -> None:
        for name, chosen, known in (("sampler", self.sampler, SAMPLERS), ("pruner", self.pruner, PRUNERS)):
            if chosen not in known:
                meant = did_you_mean(chosen, known)
                raise UserError(f"unknown {name} {chosen!r}: {meant}choose one of {', '.join(known)}")
        asked = set(self.objectives)
        if "accuracy" not in asked or not asked <= OBJECTIVES.keys() or len(asked) < len(self.objectives):
            raise UserError("--objectives must be accuracy, or accuracy,queries")
        for name, least in (("configurations", 1), ("ahead", 1), ("fresh", 0)):
            if not least <= getattr(self, name) <= MOST:
                raise UserError(f"{name} must be at least {least} and at most {MOST}, not {getattr(self, name)}")
        if inert := [factor for factor in self.space if value_of(self.settings, factor) == INERT]:
            raise UserError(f"{inert[0]} changes nothing: the method is {value_of(self.settings, 'method')}")
        if "method" in self.space:
            raise UserError("methods are compared by a study: a tuning study searches the settings of one")
        if goals_of(self.settings) != Goals():
            raise UserError("a tuning study judges by the metric alone: leave objectives and at_most out")
        if self.pruner != "none" and isinstance(self.settings, SearchRequest):
            raise UserError("a pruner needs PP's tau, which searches do not report: leave --pruner out")
        study = self.study
        object.__setattr__(self, "settings", study.settings)
        space = {name: typed(name, level_type(self.settings, name), each) for name, each in self.space.items()}
        object.__setattr__(self, "space", space)
        if self.queries is not None:
            if "labels" in self.space:
                raise UserError("with --queries the labels are what final_k leaves: search final_k instead of labels")
            if self.settings.budget != self.queries:
                raise UserError(f"the default spends {self.settings.budget} queries, not {self.queries}")
        for factor, (low, high) in self.ends().items():
            self.configured({factor: low})
            self.configured({factor: high})
            default = value_of(self.settings, factor)
            if not (isinstance(default, int | float) and low <= default <= high):
                raise UserError(f"the default {factor} = {default} is outside of {low} to {high}")
        for factor, choices in self.choices().items():
            for choice in choices:
                self.configured({factor: choice})
            if (default := value_of(self.settings, factor)) not in choices:
                raise UserError(f"the default {factor} = {default} is none of {', '.join(map(str, choices))}")

    @property
    def study(self) -> Study:
        """The study of the default level alone, of which records and reports are made."""
        vary = {factor: (value_of(self.settings, factor),) for factor in self.space}
        return Study(
            name=self.name, question=self.question, expectation=self.expectation, trainable=self.trainable, vary=vary,
            settings=self.settings, benchmark=self.benchmark, protocol=self.protocol, seeds=self.seeds,
        )  # fmt: skip

    @property
    def epochs(self) -> int:
        """Epochs of a trial of the default, 1 where it has none."""
        return self.settings.epochs if isinstance(self.settings, Settings) else 1

    @property
    def fresh_seeds(self) -> tuple[int, ...]:
        """The seeds after the largest of `seeds`."""
        first = max(self.seeds) + 1
        return tuple(range(first, first + self.fresh))

    @property
    def trials(self) -> int:
        """Trials of the whole study, at most."""
        return self.configurations * len(self.seeds) + 2 * self.fresh

    def ends(self) -> dict[str, tuple[float, float]]:
        """Return the least and the greatest value of each numeric setting."""
        numeric = {k: d for k, d in self.space.items() if isinstance(d, FloatDistribution | IntDistribution)}
        return {factor: (each.low, each.high) for factor, each in numeric.items()}

    def choices(self) -> dict[str, tuple[Level, ...]]:
        """Return the choices of each setting that has a list of them."""
        return {k: d.choices for k, d in self.space.items() if isinstance(d, CategoricalDistribution)}

    def configured(self, values: Mapping[str, Any]) -> Settings | SearchRequest:
        """Return the settings of a configuration; raise UserError when there are none with these values."""
        if self.queries is None or isinstance(self.settings, SearchRequest):
            return changed(self.settings, values)
        final_k = values.get("final_k", self.settings.final_k)
        return changed(self.settings, {**values, "labels": self.queries - final_k})

    def spending(self, queries: int) -> "Tuning":
        """Return the same search with another budget for every configuration; UserError where it is too small."""
        space = dict(self.space)
        if isinstance(split := space.get("final_k"), IntDistribution):
            if queries < (least := split.low + 2):
                raise UserError(f"{queries} queries are too few: two labels and the least K of the space take {least}")
            high = min(split.high, queries - 2)
            space["final_k"] = IntDistribution(split.low, high - (high - split.low) % split.step, split.log, split.step)
        return replace(self, settings=self.settings.within(queries), queries=queries, space=space)

    def trial(self, values: Mapping[str, Any], seed: int, oracle: Oracle) -> Trial:
        """Return the trial of a configuration."""
        settings = flat(self.configured(values))
        return Trial(oracle.name, oracle.digest, seed, settings, self.study.trainable_name, oracle.preset)


def tuning_record(tuning: Tuning, oracle: Oracle, study_id: str) -> StudyRecord:
    """Return the study as its folder remembers it: what Optuna proposes depends on all but the number of configurations.

    Raises UserError when the benchmark is held out, or the largest budget is more than it has.
    """
    refuse_held_out(oracle)
    levels: dict[str, Sequence[Any]] = {**tuning.ends(), **tuning.choices()}
    most: dict[str, Any] = {name: int(max(levels[name])) for name in ("labels", "final_k", "queries") if name in levels}
    budget = tuning.configured(most).budget
    if budget > (distinct := distinct_cells(oracle, budget)):
        raise UserError(f"up to {budget} queries are more than the {distinct} distinct cells of {oracle.name}")
    record = study_record(tuning.study, oracle, study_id)
    search = {
        "sampler": tuning.sampler,
        "pruner": tuning.pruner,
        "objectives": ",".join(tuning.objectives),
        "ahead": tuning.ahead,
        "seeds": ",".join(map(str, tuning.seeds)),
        **({} if tuning.queries is None else {"queries": tuning.queries}),
        **{f"space/{factor}": distribution_to_json(each) for factor, each in tuning.space.items()},
    }
    fixed = {name: value for name, value in record.settings.items() if tuning.queries is None or name != "labels"}
    # which trials there are depends on what proposes them
    return replace(record, settings=fixed | search, origin=record.origin | {"optuna": version("optuna")})


def smoke_tuning(tuning: Tuning) -> Tuning:
    """Return a run of seconds: three configurations at two seeds, few labels, small settings."""
    searches = isinstance(tuning.settings, SearchRequest)
    known = names(tuning.settings) - (set() if searches else {"queries"})
    small = {name: level for name, level in SMOKE.items() if isinstance(level, int) and name in known}
    settings = changed(tuning.settings, small)
    space = {name: _up_to(small[name], each) if name in small else each for name, each in tuning.space.items()}
    queries = None if tuning.queries is None else settings.budget
    seeds = tuple(tuning.seeds)[:SMOKE_SEEDS]
    return replace(
        tuning, settings=settings, queries=queries, space=space, seeds=seeds, configurations=3, ahead=2, fresh=1
    )


def typed(name: str, declared: Any, distribution: BaseDistribution) -> BaseDistribution:
    """Return what a setting may be as its declared type; raise UserError when some of it is not a level of the setting."""
    if isinstance(distribution, CategoricalDistribution):
        return CategoricalDistribution(distinct(name, declared, distribution.choices))
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = (coerced(declared, name, end) for end in (distribution.low, distribution.high))
    if isinstance(distribution, FloatDistribution) and isinstance(low, int):
        raise UserError(f"{name} is a whole number: search it by IntDistribution({low}, {high})")
    if isinstance(distribution, IntDistribution) and isinstance(low, float) and not distribution.log:
        return FloatDistribution(low, float(distribution.high), step=float(distribution.step))
    return distribution


def _up_to(most: int, distribution: BaseDistribution) -> BaseDistribution:
    """Return what a setting may be in a run of seconds."""
    if isinstance(distribution, CategoricalDistribution):
        return CategoricalDistribution((most,))
    return IntDistribution(most // 2, most)


def sampler(name: str, seed: int) -> BaseSampler:
    """Return an Optuna sampler that has seen nothing yet: all it knows, it reads from the study."""
    if name == "gp":
        return GPSampler(seed=seed)
    if name == "nsga2":
        return NSGAIISampler(seed=seed, population_size=POPULATION)
    return TPESampler(seed=seed, multivariate=True, constant_liar=True)


def pruner(name: str, first: int) -> BasePruner:
    """Return an Optuna pruner; asha's first rung is at epoch `first`, and a third of each rung continues."""
    if name == "asha":
        return SuccessiveHalvingPruner(min_resource=first, reduction_factor=3)
    return MedianPruner(n_startup_trials=STARTUP) if name == "median" else NopPruner()
