"""A study as a value: one question, its factors and its fixed settings.

STUDY = Study(name="ablate_alpha", ..., vary={"alpha": (0.1, 0.5, 0.9)})

if __name__ == "__main__":
    main(STUDY)
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import product

from nadlab.benchmarks.oracle import Oracle, facts_of, metric_of, optimum_of, search_optimum_of
from nadlab.benchmarks.presets import PAPER, check_protocol
from nadlab.errors import UserError
from nadlab.parameters.hyperparameters import INERT
from nadlab.parameters.values import coerced
from nadlab.provenance.code import origin
from nadlab.queries.pools import distinct_cells
from nadlab.semigan.settings import Settings
from nadlab.study.levels import (
    Level,
    TrialSettings,
    changed,
    declared_choices,
    distinct,
    flat,
    goals_of,
    known_name,
    level_type,
    names,
    row_levels,
    value_of,
)
from nadlab.study.outcomes import check_outcomes
from nadlab.study.records import StudyRecord, Trial, level_text, value_text


@dataclass(frozen=True, kw_only=True)
class Study:
    """A question about a method and the trials that answer it; its name is also that of its file and MLflow experiment.

    Levels and settings are converted to the declared type of their setting, so 1 and 1.0 are one trial. Raises UserError
    when a factor is not a setting, or a level is invalid for the setting or given twice.
    """

    name: str
    question: str
    expectation: str
    trainable: type
    """a `ray.tune.Trainable`; see `nadlab.engine.runner` for what its results must contain"""
    vary: Mapping[str, Sequence[Level]]
    """factor -> levels; the values in `settings` are the default levels"""
    rows: Collection[tuple[Level, ...]] | None = None
    """the combinations of levels to run, in the order of the factors; None runs all"""
    one_at_a_time: bool = False
    """change one factor and leave the others at their default levels, instead of running every combination"""
    settings: TrialSettings = field(default_factory=Settings)
    baseline: Mapping[str, Level] = field(default_factory=dict)
    """factor -> the level that the report compares with, if not the default"""
    benchmark: str = "mnist1d-201"
    protocol: str = PAPER
    """how the benchmark is searched and reported (`nadlab.benchmarks.presets`)"""
    seeds: Sequence[int] = (0, 1, 2)
    """each is used at every level, so differences are paired"""
    outcomes: Sequence[str] = ("final",)
    """names in `nadlab.study.outcomes`: the conclusions use the first, the report shows all"""
    smallest_effect: float | None = None
    """smallest difference of interest in the first outcome, used for power and equivalence; None: the outcome's own"""
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """benchmark -> levels as text -> the accuracy that a paper reports, shown beside ours"""

    def __post_init__(self) -> None:
        check_protocol(self.protocol)
        check_outcomes(self.outcomes)
        if self.smallest_effect is not None and self.smallest_effect <= 0:
            raise UserError(f"the smallest effect of interest must be above 0, not {self.smallest_effect:g}")
        vary: dict[str, tuple[Level, ...]] = {}
        for factor, levels in self.vary.items():
            vary[factor] = distinct(factor, level_type(self.settings, factor), levels)
            for level in vary[factor]:
                changed(self.settings, {factor: level})
        # those of methods that only a level names stay as they are
        own = {each: value for each in names(self.settings) if (value := value_of(self.settings, each)) != INERT}
        object.__setattr__(self, "settings", changed(self.settings, own))
        object.__setattr__(self, "vary", vary)
        if self.rows is not None:
            object.__setattr__(
                self, "rows", tuple(dict.fromkeys(row_levels(self.settings, self.vary, row) for row in self.rows))
            )
        if self.baseline:
            self._take_baseline()
        object.__setattr__(self, "published", {name: self._published(each) for name, each in self.published.items()})

    def _take_baseline(self) -> None:
        """Take the named levels as their types; raise UserError when the study does not run them together."""
        named = {
            known_name(factor, self.vary, "what this study varies"): coerced(
                level_type(self.settings, factor), factor, level
            )
            for factor, level in self.baseline.items()
        }
        object.__setattr__(self, "baseline", named)
        if self.one_at_a_time:
            raise UserError(f"study {self.name} changes one setting at a time from its default, which is its baseline")
        if self.reference not in self.combinations:
            levels = "; ".join(f"{name} = {value_text(value)}" for name, value in self.reference.items())
            raise UserError(
                f"the baseline {levels} is none of the levels that study {self.name} runs: add it with --vary"
            )

    def _published(self, accuracies: Mapping[str, float]) -> dict[str, float]:
        """Return levels as the report writes them -> accuracy; one at a time, a level is named by its change."""
        for text, value in accuracies.items():
            if not 1 < value <= 100:
                raise UserError(f"study {self.name}: the published accuracy of {text}, {value:g}, must be in percent")
        if self.one_at_a_time:
            return dict(accuracies)
        texts = {text: row_levels(self.settings, self.vary, text.split(",")) for text in accuracies}
        return {level_text(dict(zip(self.vary, texts[text], strict=True))): value for text, value in accuracies.items()}

    @property
    def default(self) -> dict[str, Level]:
        """Factor -> default level."""
        return {factor: value_of(self.settings, factor) for factor in self.vary}

    @property
    def reference(self) -> dict[str, Level]:
        """Factor -> the level that others are compared with: the default's, or the baseline's where that is named."""
        return self.default | dict(self.baseline)

    @cached_property
    def combinations(self) -> list[dict[str, Level]]:
        """Every combination of levels that is run: one of `rows`, or with a level that no row has.

        A factor that is inert in a combination is INERT there; those that differ in nothing else are one.
        """
        found: list[dict[str, Level]] = []
        for values in self._products():
            settings = changed(self.settings, values)
            effective = {factor: value_of(settings, factor) for factor in values}
            if effective not in found:
                found.append(effective)
        return found

    @cached_property
    def configurations(self) -> list[TrialSettings]:
        """The settings of each of `combinations`, in their order."""
        return [changed(self.settings, values) for values in self.combinations]

    def _products(self) -> list[dict[str, Level]]:
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


def plan(study: Study, oracle: Oracle) -> list[Trial]:
    """Return every trial of a study, all levels of one seed before the next seed.

    Of a trainable with an `agreement`, such as `trainables.nacg`, those that agree come one after the other, to share a
    training. Raises UserError when a budget is larger than the benchmark.
    """
    configurations = study.configurations
    if not configurations:
        raise UserError(f"study {study.name} runs none of these levels together: name others")
    for factor in study.vary:
        if all(value_of(settings, factor) == INERT for settings in configurations):
            raise UserError(f"{factor} changes nothing: no trial of study {study.name} runs this method")
    distinct = distinct_cells(oracle, max(settings.budget for settings in configurations))
    for settings in configurations:
        if settings.budget > distinct:
            words, name = _budget_words(settings)
            option = "--vary" if name in study.vary else "--set"
            raise UserError(
                f"{words} are more than the {distinct} distinct cells of {oracle.name}: reduce them by {option} {name}=N"
            )
    flattened = [flat(settings) for settings in configurations]
    if agreement := getattr(study.trainable, "agreement", None):
        agreed = [agreement(settings) for settings in flattened]
        flattened.sort(key=lambda settings: agreed.index(agreement(settings)))
    return [
        Trial(oracle.name, oracle.digest, seed, settings, study.trainable_name, oracle.preset)
        for seed in study.seeds
        for settings in flattened
    ]


def study_record(study: Study, oracle: Oracle, study_id: str) -> StudyRecord:
    """Return the study as its folder remembers it."""
    fixed = asdict(study.settings)
    fixed |= fixed.pop("hyperparameters", {})
    levels = (level for levels in study.vary.values() for level in levels)
    made_by = origin(study.trainable_name, [oracle.name, *fixed.values(), *levels])
    facts, configurations = facts_of(oracle), study.configurations
    constrained = any(goals_of(each).at_most for each in configurations)
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
        optimum=None if constrained else optimum_of(oracle),
        search_optimum=None if constrained else search_optimum_of(oracle),
        settings={name: level for name, level in fixed.items() if name not in study.vary},
        default=study.reference,
        reference="baseline" if study.baseline else "default",
        study_id=study_id,
        published=dict(study.published.get(oracle.name, {})),
        answers=facts.answers if hasattr(oracle, "facts") else "unknown",
        trained_by=facts.trained_by,
        training_code=facts.training_code,
        chosen_on=declared_choices(configurations, study.vary),
        one_at_a_time=study.one_at_a_time,
        origin=made_by.values,
        sources=made_by.sources,
        metric=asdict(metric_of(oracle)),
        outcomes=list(study.outcomes),
        smallest_effect=study.smallest_effect,
        held_out=facts.held_out,
        looks=[list(study.seeds)],
        objectives=[asdict(each) for each in goals_of(study.settings).ranged(oracle)],
    )


def _budget_words(settings: TrialSettings) -> tuple[str, str]:
    """Return what is spent in words, and the setting that spends most of it."""
    if isinstance(settings, Settings):
        larger = max(("labels", "final_k"), key=lambda name: int(getattr(settings, name)))
        return f"{settings.labels} labels + {settings.final_k} final queries", larger
    return f"{settings.budget} queries", "queries"
