"""The settings of a study by their names, and levels as the declared types of their settings.

Settings are a frozen dataclass, or a `SearchRequest`, which has the hyperparameters of its method as well.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any, ClassVar, Protocol, TypeVar

from nadlab.errors import UserError, did_you_mean
from nadlab.methods.registry import hyperparameter
from nadlab.methods.request import SearchRequest
from nadlab.parameters.hyperparameters import INERT
from nadlab.parameters.values import Value, coerced, declared_types
from nadlab.queries.goals import Goals

Level = Value


class TrialSettings(Protocol):
    """A frozen dataclass of all that decides a trial but its seed and benchmark; it checks its own values."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def budget(self) -> int:
        """Queries of a trial."""
        ...


AnySettings = TypeVar("AnySettings", bound=TrialSettings)


def names(settings: TrialSettings) -> set[str]:
    """Return the names of all settings."""
    return settings.names() if isinstance(settings, SearchRequest) else {each.name for each in fields(settings)}


def level_type(settings: TrialSettings, name: str, owner: str | None = None) -> Any:
    """Return the declared type of a setting; raise UserError that lists the known ones of `owner`, the nearest first."""
    if isinstance(settings, SearchRequest) and "." in name:
        return settings.kind(name)
    known_name(name, _plain(settings), owner or type(settings).__name__)
    return declared_types(type(settings))[name]


def value_of(settings: TrialSettings, name: str) -> Level:
    """Return the value of a setting, INERT for a hyperparameter of another method than the one that runs."""
    level_type(settings, name)
    value: Level = settings.value(name) if isinstance(settings, SearchRequest) else getattr(settings, name)
    return value


def changes(settings: TrialSettings) -> dict[str, tuple[Any, Any]]:
    """Return setting -> its value and default where they differ, of a study of methods those of the methods."""
    if isinstance(settings, SearchRequest):
        return {name: (value, hyperparameter(name).default) for name, value in settings.hyperparameters.items()}
    found = {each.name: (getattr(settings, each.name), each.default) for each in fields(settings)}
    return {name: (value, default) for name, (value, default) in found.items() if value != default}


def flat(settings: TrialSettings) -> dict[str, Any]:
    """Return all that decides a trial but its seed and benchmark, as JSON values by name."""
    return settings.flat() if isinstance(settings, SearchRequest) else asdict(settings)


def goals_of(settings: TrialSettings) -> Goals:
    """Return the objectives and constraints of a trial; SemiGAN-NAD's own settings have none."""
    return settings.goals if isinstance(settings, SearchRequest) else Goals()


def changed(settings: AnySettings, values: Mapping[str, Any]) -> AnySettings:
    """Return settings with other values, each as its declared type; raise UserError that names the value which can't be."""
    typed = {
        name: value if value == INERT else coerced(level_type(settings, name), name, value)
        for name, value in values.items()
    }
    return settings.changed(typed) if isinstance(settings, SearchRequest) else replace(settings, **typed)


def known_name(name: str, known: Collection[str], owner: str) -> str:
    """Return a name; raise UserError that lists those of `owner`, the nearest first, when it is none of them."""
    if name in known:
        return name
    raise UserError(
        f"{name!r} is not a setting of {owner}: {did_you_mean(name, known)}It has {', '.join(sorted(known))}"
    )


def distinct(name: str, declared: Any, levels: Iterable[object]) -> tuple[Level, ...]:
    """Return the levels of a factor as its declared type; raise UserError when there are none, or one stands there twice."""
    written = list(levels)
    found = [level if level == INERT else coerced(declared, name, level) for level in written]
    if not found:
        raise UserError(f"{name} has no levels: name them, such as {name}=1,2")
    for place, level in enumerate(found):
        first = _place(level, found)
        if first < place:
            texts = sorted({str(written[first]), str(written[place])})
            shown = "none" if level is None else level
            raise UserError(f"{name} has the level {shown} twice, written {' and '.join(texts)}: leave one out")
    return tuple(found)


def row_levels(settings: Any, factors: Collection[str], row: Sequence[object]) -> tuple[Level, ...]:
    """Return one level of each factor as the types of their settings; raise UserError where that can't be."""
    if len(row) != len(factors):
        raise UserError(f"{tuple(row)} must have a level for each of {', '.join(factors)}")
    return tuple(
        coerced(level_type(settings, name), name, level.strip() if isinstance(level, str) else level)
        for name, level in zip(factors, row, strict=True)
    )


def _place(level: Level, levels: Sequence[Level]) -> int:
    return next(place for place, each in enumerate(levels) if each == level and type(each) is type(level))


def _plain(settings: TrialSettings) -> list[str]:
    """Return the names of the settings that are no hyperparameters of a method."""
    return sorted(name for name in names(settings) if "." not in name)


def declared_choices(configurations: Iterable[object], varied: Collection[str]) -> dict[str, list[str] | None]:
    """Return settings or methods -> benchmarks on which they were chosen, where the settings of trials declare that."""
    found: dict[str, list[str] | None] = {}
    for settings in configurations:
        declared = getattr(settings, "chosen_on", None)
        for name, benchmarks in (declared(varied) if declared else {}).items():
            found[name] = None if benchmarks is None else list(benchmarks)
    return found
