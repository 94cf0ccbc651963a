"""Choices that cannot show anything: refused before a trial runs, or said where they may be meant."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from nadlab.benchmarks.oracle import Oracle
from nadlab.errors import UserError
from nadlab.parameters.hyperparameters import INERT
from nadlab.study.levels import Level, TrialSettings, changed, changes, goals_of, value_of
from nadlab.study.outcomes import fitting
from nadlab.study.records import Record, StudyRecord, value_text
from nadlab.study.study import Study
from nadlab.study.tuning import Tuning


def fitted(study: Study, oracle: Oracle, bfloat16: bool | None, kept: Collection[str]) -> tuple[Study, list[str]]:
    """Return the study without levels and outcomes that this benchmark or machine cannot have, and a sentence for each of them.

    kept: factors that stay as they are, since the user named their levels. A factor that would lose all stays too.
    """
    vary, said = dict(study.vary), []
    for factor, levels in study.vary.items():
        found = {level: _misfits(changed(study.settings, {factor: level}), oracle, bfloat16) for level in levels}
        wrong = {level: reasons[factor] for level, reasons in found.items() if factor in reasons}
        if wrong and len(wrong) < len(levels) and factor not in kept:
            vary[factor] = tuple(level for level in levels if level not in wrong)
            said += [f"A level of {factor} is left out: {reason}." for reason in wrong.values()]
    outcomes, left_out = fitting(study.outcomes, oracle)
    effect = study.smallest_effect
    if effect is not None and outcomes[0] != study.outcomes[0]:
        left_out.append(f"The smallest effect {effect:g} is left out: it was one of {study.outcomes[0]}.")
        effect = None
    return replace(study, vary=vary, outcomes=outcomes, smallest_effect=effect), [*said, *left_out]


def check(study: Study, oracle: Oracle, bfloat16: bool | None) -> None:
    """Raise UserError when a setting or level cannot run on this benchmark and machine, or changes nothing."""
    configurations = study.configurations
    for each in configurations:
        goals_of(each).check(oracle)
    refuse(configurations, oracle, bfloat16)
    reasons = [_inert(each) for each in configurations]
    for factor in study.vary:
        others = [
            found
            for values, found in zip(study.combinations, reasons, strict=True)
            if values[factor] != study.default[factor]
        ]
        if others and all(factor in found for found in others):
            raise UserError(
                f"{factor} changes nothing in this study: {others[0][factor]}; leave it out of what is varied"
            )
    for name, (value, default) in changes(study.settings).items():
        if name in study.vary:
            continue
        own = [found for each, found in zip(configurations, reasons, strict=True) if value_of(each, name) != INERT]
        if own and all(name in found for found in own):
            raise UserError(
                f"{name} = {value_text(value)} changes nothing: {own[0][name]}; leave it at {value_text(default)}"
            )


def check_tuning(tuning: Tuning, oracle: Oracle, bfloat16: bool | None) -> None:
    """Raise UserError when the default or an end or choice of the space cannot run, or a setting of it changes nothing."""
    ends = {name: [low, high] for name, (low, high) in tuning.ends().items()} | {
        name: list(choices) for name, choices in tuning.choices().items()
    }
    alone = [tuning.settings, *(tuning.configured({name: value}) for name, values in ends.items() for value in values)]
    refuse(alone, oracle, bfloat16)
    for factor in tuning.space:
        if all(factor in _inert(settings) for settings in alone):
            raise UserError(f"{factor} changes nothing: {_inert(tuning.settings)[factor]}; leave it out of the space")


def refuse(configurations: Sequence[TrialSettings], oracle: Oracle, bfloat16: bool | None) -> None:
    """Raise UserError when some settings cannot run on this benchmark and machine."""
    for settings in configurations:
        for reason in _misfits(settings, oracle, bfloat16).values():
            raise UserError(reason)


def cautions(study: Study, oracle: Oracle, record: StudyRecord, records: Sequence[Record]) -> list[str]:
    """Return a sentence for each choice of a study that may be meant but shows less than it seems.

    records: those of the study's folder.
    """
    finished = [each for each in records if each.is_judged]
    doubts = [each for settings in study.configurations for each in _doubts(settings, oracle)]
    return [*dict.fromkeys(doubts), *_uncompared(study, record, finished), *_equal_trials(study)]


def _uncompared(study: Study, record: StudyRecord, finished: Sequence[Record]) -> list[str]:
    combinations = study.combinations
    if len(combinations) == 1:
        return ["Only one level is run: it is measured, but not compared."] if study.vary else []
    there = {record.level(each.trial) for each in finished}
    if study.reference in combinations or record.default_level in there:
        return []
    some = " ".join(f"--baseline {name}={value_text(level)}" for name, level in combinations[0].items())
    return [
        f"The default, {_listed(study.reference)}, is not among the levels: each level gets its mean and interval, but none "
        f"is compared; name the level to compare with, such as {some}."
    ]


def _equal_trials(study: Study) -> list[str]:
    """Say where levels of a factor are equal, since the level of another leaves it without effect."""
    said = {}
    for factor in study.vary:
        groups: dict[tuple[Level, ...], set[Level]] = {}
        for values, settings in zip(study.combinations, study.configurations, strict=True):
            reason = _inert(settings).get(factor)
            if reason:
                groups.setdefault(tuple(v for name, v in values.items() if name != factor), set()).add(values[factor])
                if any(len(levels) > 1 for levels in groups.values()):
                    said[factor] = f"Levels that differ only in {factor} are the same trials where {reason}."
    return list(said.values())


def _inert(settings: TrialSettings) -> Mapping[str, str]:
    """Return setting -> reason; settings that do not declare what is inert have nothing that is."""
    found = getattr(settings, "inert", None)
    return found() if found else {}


def _misfits(settings: TrialSettings, oracle: Oracle, bfloat16: bool | None) -> Mapping[str, str]:
    found = getattr(settings, "misfits", None)
    return found(oracle, bfloat16) if found else {}


def _doubts(settings: TrialSettings, oracle: Oracle) -> Sequence[str]:
    found = getattr(settings, "doubts", None)
    return found(oracle) if found else []


def _listed(values: Mapping[str, Level]) -> str:
    return ", ".join(f"{name} = {value_text(value)}" for name, value in values.items())
