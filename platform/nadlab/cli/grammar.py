"""One grammar of options in all studies: `--vary alpha=0.1,0.5 --vary labels=60,120 --set epochs=60 --baseline alpha=0.1`."""

import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import click

from nadlab.errors import UserError
from nadlab.methods.request import SearchRequest
from nadlab.parameters.values import Value, coerced
from nadlab.study.levels import AnySettings, TrialSettings, changed, distinct, level_type, names, value_of
from nadlab.study.records import value_text
from nadlab.study.study import Study

Option = Callable[[Any], Any]
FEW_METHODS = 3
"""of a study, up to which its help lists their settings"""

SET = click.option("--set", "set_", multiple=True, metavar="NAME=VALUE", help="change a fixed setting; may be repeated")
VARY = click.option(
    "--vary", multiple=True, metavar="NAME=LIST",
    help="levels of a factor, separated by commas: replaces the study's own, or adds a factor; may be repeated",
)  # fmt: skip
BASELINE = click.option(
    "--baseline", multiple=True, metavar="NAME=LEVEL",
    help="the level of a factor that the report compares the others with  [default: the study's default]",
)  # fmt: skip


def assigned(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Return name -> text of all `NAME=TEXT` of an option; raise UserError for any other form, or a name given twice."""
    found: dict[str, str] = {}
    for each in texts:
        name, equals, text = (part.strip() for part in each.partition("="))
        if not (name and equals and text):
            raise UserError(f"{option} {each}: write {option} NAME=VALUE")
        if name in found:
            raise UserError(f"{option} names {name} twice: write it once")
        found[name] = text
    return found


def hyperparameters(texts: Sequence[str]) -> dict[str, Value]:
    """Return name -> value of texts such as `bananas.ensemble=3`; raise UserError when there is no such setting or value."""
    found = assigned("--set", texts)
    if other := next((name for name in found if "." not in name), None):
        raise UserError(f"{other!r} is not a setting: write METHOD.SETTING=VALUE, such as bananas.ensemble=3")
    return {name: coerced(level_type(SearchRequest(), name), name, text) for name, text in found.items()}


def varied(study: Study, texts: Sequence[str], baseline: Sequence[str]) -> Study:
    """Return the study with the levels of `--vary` and `--baseline`; rows of levels meet every level of a further factor.

    Raises UserError for an unknown name, or a level that its setting cannot take.
    """
    levels = {
        name: distinct(name, level_type(study.settings, name, "this study"), _list(text))
        for name, text in assigned("--vary", texts).items()
    }
    further = [each for name, each in levels.items() if name not in study.vary]
    rows = study.rows
    if rows is not None and further:
        rows = [(*row, *others) for row in rows for others in product(*further)]
    return replace(
        study,
        vary={**study.vary, **levels},
        rows=rows,
        baseline={**study.baseline, **assigned("--baseline", baseline)},
        published={} if further else study.published,  # a paper's accuracy belongs to its own factors
    )


def held(settings: AnySettings, texts: Sequence[str], factors: Collection[str]) -> tuple[AnySettings, list[str]]:
    """Return the settings with the values of `--set`, and a word for each that changes one.

    Raises UserError for an unknown name, a factor, or a value that the setting cannot take.
    """
    values = assigned("--set", texts)
    for name in values:
        level_type(settings, name, "this study")
        if name in factors:
            raise UserError(f"{name} is varied in this study, so it cannot be held with --set")
    found = changed(settings, values)
    changes = [name for name in values if value_of(found, name) != value_of(settings, name)]
    return found, [word(name, value_of(found, name)) for name in changes]


def word(name: str, value: object) -> str:
    """Return a setting and its value as a part of a folder's name."""
    text = f"{name}-{value_text(value)}"
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in text)


def further_words(study: Study, own: Mapping[str, Any]) -> list[str]:
    """Return a word for each factor that the study's file does not vary."""
    return [f"by-{name}" for name in study.vary if name not in own]


def settings_help(settings: TrialSettings, factors: Mapping[str, Any], options: str) -> str:
    """Return the paragraph of the help that lists the settings which are held, those of methods where these are few."""
    held_values = {name: value_of(settings, name) for name in sorted(names(settings)) if "." not in name}
    more = []
    if isinstance(settings, SearchRequest):
        methods = factors.get("method", (settings.method,))
        if len(methods) <= FEW_METHODS:
            held_values |= {
                name: value for method in methods for name, value in replace(settings, method=method).flat().items()
            }
        more = ["  and METHOD.SETTING, such as bananas.ensemble=3, as `nadlab methods` lists them"]
    values = " ".join(f"{name}={value_text(value)}" for name, value in held_values.items() if name not in factors)
    lines = textwrap.wrap(values, 74, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(["\b", f"Settings, held at these values unless {options} names them:", *lines, *more])


def factors_help(study: Study) -> str:
    """Return the paragraph of the help that lists the factors."""
    lines = [
        f"  {name}={','.join(map(value_text, levels))}  [default: {value_text(study.default[name])}]"
        for name, levels in study.vary.items()
    ]
    return "\n".join(["\b", "Factors and their levels, unless --vary names others:", *lines])


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
