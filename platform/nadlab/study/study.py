"""A study as a value: one question, its factors and its fixed settings.

STUDY = Study(name="ablate_alpha", ..., vary={"alpha": (0.1, 0.5, 0.9)})

if __name__ == "__main__":
    main(STUDY)
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import product
from typing import Any, ClassVar, Protocol, TypeVar

from nadlab.benchmarks.oracle import Oracle, metric_of
from nadlab.errors import UserError
from nadlab.provenance.code import origin
from nadlab.queries.ledger import distinct_cells
from nadlab.semigan.settings import Settings
from nadlab.study.records import StudyRecord, Trial, package_of

Level = float | int | str | bool | None


class TrialSettings(Protocol):
    """A frozen dataclass of all that decides a trial but its seed and benchmark; it checks its own values."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def budget(self) -> int:
        """Queries of a trial."""
        ...


AnySettings = TypeVar("AnySettings", bound=TrialSettings)

SMOKE: Mapping[str, Level] = {
    "epochs": 2, "labels": 20, "final_k": 2, "width": 16, "unlabelled_per_epoch": 512, "generated": 200,
    "queries": 20,
}  # fmt: skip
"""settings of a run of seconds"""
SMOKE_SEEDS = 2


@dataclass(frozen=True, kw_only=True)
class Study:
    """A question about a method and the trials that answer it; its name is its file's and its MLflow experiment's.

    Raises UserError when a factor is no setting or a level is none that the setting can take.
    """

    name: str
    question: str
    expectation: str
    trainable: type
    """a `ray.tune.Trainable`; see `nadlab.engine.runner` for what its results must contain"""
    vary: Mapping[str, Sequence[Level]]
    """factor -> levels; the settings of `settings` are the default levels"""
    rows: Collection[tuple[Level, ...]] | None = None
    """the combinations of levels that are run, in the order of the factors; None runs every one"""
    one_at_a_time: bool = False
    """change one factor and leave the others at their default levels, instead of running every combination"""
    settings: TrialSettings = field(default_factory=Settings)
    benchmark: str = "mnist1d-201"
    seeds: Sequence[int] = (0, 1, 2)
    """each is used at every level, so that differences are paired"""
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """benchmark -> levels as text -> the accuracy that a paper reports, to stand beside ours"""

    def __post_init__(self) -> None:
        for factor, levels in self.vary.items():
            if factor not in names(self.settings):
                raise UserError(f"study {self.name}: {factor!r} is no setting of {type(self.settings).__name__}")
            for level in levels:
                changed(self.settings, {factor: level})

    @property
    def default(self) -> dict[str, Level]:
        """Factor -> default level."""
        return {factor: getattr(self.settings, factor) for factor in self.vary}

    @property
    def combinations(self) -> list[dict[str, Level]]:
        """Every combination of levels that is run: one of `rows`, or with a level that no row has."""
        if self.one_at_a_time:
            changes = [(factor, level) for factor, levels in self.vary.items() for level in levels]
            return [self.default, *(self.default | {f: level} for f, level in changes if level != self.default[f])]
        every = list(product(*self.vary.values()))
        if self.rows is not None:
            known = [set(levels) for levels in zip(*self.rows, strict=True)]
            rows = set(self.rows)
            every = [
                levels
                for levels in every
                if levels in rows or any(level not in seen for level, seen in zip(levels, known, strict=True))
            ]
        return [dict(zip(self.vary, levels, strict=True)) for levels in every]

    @property
    def trainable_name(self) -> str:
        """`module:class` of the trainable."""
        return f"{self.trainable.__module__}:{self.trainable.__qualname__}"


def names(settings: TrialSettings) -> set[str]:
    """Return the names of all settings."""
    return {each.name for each in fields(settings)}


def changed(settings: AnySettings, values: Mapping[str, Any]) -> AnySettings:
    """Return settings with other values; raise UserError that names the value which can't be."""
    return replace(settings, **values)


def plan(study: Study, oracle: Oracle) -> list[Trial]:
    """Return every trial of a study, all levels of one seed before the next seed.

    Raises UserError when a budget is larger than the benchmark.
    """
    distinct = distinct_cells(oracle)
    configurations = [changed(study.settings, values) for values in study.combinations]
    if not configurations:
        raise UserError(f"study {study.name} runs none of these levels together: name others")
    for settings in configurations:
        if settings.budget > distinct:
            words, option = _budget_words(settings)
            raise UserError(
                f"{words} are more than the {distinct} distinct cells of {oracle.name}: reduce them by {option}"
            )
    return [
        Trial(oracle.name, oracle.digest, seed, asdict(settings), study.trainable_name)
        for seed in study.seeds
        for settings in configurations
    ]


def study_record(study: Study, oracle: Oracle, study_id: str) -> StudyRecord:
    """Return the study as its folder remembers it."""
    return StudyRecord(
        study=study.name,
        question=study.question,
        expectation=study.expectation,
        trainable=study.trainable_name,
        benchmark=oracle.name,
        digest=oracle.digest,
        preset=oracle.preset,
        search_split=oracle.search_split,
        report_split=oracle.report_split,
        optimum=oracle.optimum,
        settings={name: value for name, value in asdict(study.settings).items() if name not in study.vary},
        default=dict(study.default),
        study_id=study_id,
        published=dict(study.published.get(oracle.name, {})),
        one_at_a_time=study.one_at_a_time,
        origin=origin(package_of(study.trainable_name)),
        metric=asdict(metric_of(oracle)),
    )


def smoke(study: Study) -> Study:
    """Return a run of seconds: two levels (the first and the default), two seeds, small settings."""
    known = names(study.settings)
    small = {name: value for name, value in SMOKE.items() if name in known and name not in study.vary}
    settings = changed(study.settings, small)
    vary = {factor: _other_and_default(levels, study.default[factor]) for factor, levels in study.vary.items()}
    if "queries" in vary:  # a level of the smoke run alone: the study's own budgets take minutes
        vary["queries"] = (SMOKE["queries"],)
        settings = changed(settings, {"queries": SMOKE["queries"]})
    return replace(study, settings=settings, vary=vary, seeds=tuple(study.seeds)[:SMOKE_SEEDS])


def _budget_words(settings: TrialSettings) -> tuple[str, str]:
    if isinstance(settings, Settings):
        return f"{settings.labels} labels + {settings.final_k} final queries", "--labels"
    return f"{settings.budget} queries", "--queries"


def _other_and_default(levels: Sequence[Level], default: Level) -> tuple[Level, ...]:
    others = [level for level in levels if level != default]
    return (*others[:1], default)
